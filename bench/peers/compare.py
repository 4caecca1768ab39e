#!/usr/bin/env python3
"""deeper beside PyTorch and ONNX Runtime, on this machine, in one run: `make bench-peers`.

For each row every way of the peers is tried once on one and on two threads; the two fastest then take turns with deeper,
round after round, and medians over the rounds are compared. A turn during which other processes used more than 5 % of a core is
taken again; a row that stays disturbed is not reported."""
import argparse
import contextlib
import ctypes.util
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

from rows import rows_for, ways_of
from whole import whole_runs

HERE = Path(__file__).resolve().parent
MOST_FOREIGN, TRIES = 0.05, 4


class Busy(Exception):
    """Other processes would not leave the machine alone."""


def cpu_seconds():
    """What all processes have used so far, but for waiting, and what ours have: this one and its children."""
    fields = [int(x) for x in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    busy = sum(fields[:3]) + sum(fields[5:7])
    return busy / os.sysconf("SC_CLK_TCK")


def process_seconds(pid):
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def undisturbed(run, seconds, pid_of):
    """run() again until other processes used less than 5 % of a core meanwhile."""
    for _ in range(TRIES):
        mine, total = process_seconds("self") + os.times().children_user + os.times().children_system, cpu_seconds()
        theirs = process_seconds(pid_of()) if pid_of else 0
        begin = datetime.datetime.now()
        result = run()
        elapsed = max((datetime.datetime.now() - begin).total_seconds(), seconds)
        used = process_seconds("self") + os.times().children_user + os.times().children_system - mine
        used += (process_seconds(pid_of()) if pid_of else 0) - theirs
        if cpu_seconds() - total - used <= MOST_FOREIGN * elapsed + 0.03:  # the kernel counts in ticks of 10 ms
            return result
    raise Busy


class Peer:
    """A worker process."""

    def __init__(self, index, isa, way, threads, environment):
        self.name, self.threads = way, threads
        self.process = subprocess.Popen([sys.executable, HERE / "worker.py", str(index), isa, way, str(threads)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        text=True, env=environment)
        self.works = self.process.stdout.readline().strip() == "ready"

    def measure(self, seconds):
        def turn():
            self.process.stdin.write(f"{seconds}\n")
            self.process.stdin.flush()
            return float(self.process.stdout.readline())
        return undisturbed(turn, seconds, lambda: self.process.pid)

    def close(self):
        """Once or more often; a worker that died must not keep others from being closed."""
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self.process.wait()


def deeper_step(command, row, threads):
    """Our own clock, as `deeper bench` prints it."""
    def turn():
        out = subprocess.run([command, "bench", row.name, "--batch", str(row.batch), "--threads", str(threads),
                              "--precision", row.precision, "--json"], capture_output=True, text=True, check=True)
        lines = [json.loads(line) for line in out.stdout.splitlines()]
        return next(line["step_us"] for line in lines if line["net"] == row.net)
    return undisturbed(turn, 1, None)


def tuned_environment():
    """Peers get the allocator that serves them best, where it is installed."""
    environment = dict(os.environ, PYTHONPATH=str(HERE))
    library = ctypes.util.find_library("tcmalloc_minimal")
    if library:
        environment["LD_PRELOAD"] = library
    return environment


def compare_row(command, index, row, isa, rounds, seconds):
    """(our median, best peer's median, our threads, the peer's way)."""
    environment, peers, tried, ours = tuned_environment(), [], [], {}
    cores = len(os.sched_getaffinity(0))
    threads = [1, 2] if cores > 1 else [1]
    try:
        for way in ways_of(row):
            for n in threads:
                peers.append(Peer(index, isa, way, n, environment))
                if peers[-1].works:
                    tried.append((peers[-1].measure(min(seconds, 0.3)), peers[-1]))
        tried.sort(key=lambda pair: pair[0])
        times = {peer: [] for _, peer in tried[:2]}
        for peer in peers:
            if peer not in times:
                peer.close()
        for _ in range(rounds):
            for n in threads:
                ours.setdefault(n, []).append(deeper_step(command, row, n))
            for peer in times:
                times[peer].append(peer.measure(seconds))
    finally:
        for peer in peers:
            peer.close()
    best = min(times, key=lambda peer: statistics.median(times[peer]))
    n = min(ours, key=lambda n: statistics.median(ours[n]))
    return statistics.median(ours[n]), statistics.median(times[best]), n, f"{best.name}, {best.threads} threads"


def machine():
    info = Path("/proc/cpuinfo").read_text()
    model = next((line.split(":")[1].strip() for line in info.splitlines() if line.startswith("model name")), "CPU")
    return f"{model}, {len(os.sched_getaffinity(0))} cores, {platform.system()} {platform.release().split('-')[0]}"


def versions(command):
    from importlib.metadata import version
    own = subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[0]
    return f"{own}; PyTorch {version('torch')}, ONNX Runtime {version('onnxruntime')}"


def isa_of(command):
    out = subprocess.run([command, "bench", "I1", "--batch", "1", "--json"], capture_output=True, text=True, check=True)
    return json.loads(out.stdout.splitlines()[0])["isa"]


def table_line(row, result):
    what = f"| {row.name} | {row.net} | {'train' if row.train else 'predict'} {row.batch} | {row.precision} |"
    if result is None:
        return f"{what} machine was busy | | | {row.bar:g}× |"
    ours, theirs, n, way = result
    mark = "" if theirs / ours >= row.bar else " (below)"
    return f"{what} {ours:.1f} ({n}) | {theirs:.1f} ({way}) | **{theirs / ours:.2f}×** | {row.bar:g}×{mark} |"


def put_between_marks(path, lines):
    text, begin, end = path.read_text(), "<!-- table -->", "<!-- /table -->"
    head, rest = text.split(begin)
    path.write_text(head + begin + "\n" + "\n".join(lines) + "\n" + end + rest.split(end)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--deeper", default="build/release/deeper", help="the command")
    parser.add_argument("--only", help="rows, as in L0,B1")
    parser.add_argument("--precision", choices=("float32", "bf16"), help="only rows of it")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each peer's turn")
    shared = HERE.parents[2] / "shared/data/mnist"
    parser.add_argument("--data", type=Path, default=shared if shared.is_dir() else None,
                        help="a folder with MNIST's IDX files, for whole runs")
    parser.add_argument("--markdown", type=Path, help="a page that holds the table between two marks")
    options = parser.parse_args()
    if options.markdown and (options.only or options.precision):
        parser.error("--markdown takes all rows: a page with some of them would lose the others; "
                     "leave out --only and --precision")
    isa = isa_of(options.deeper)
    lines = [f"{machine()}; {isa}; {versions(options.deeper)}; {datetime.date.today()}.", "",
             "| row | net | mode, batch | precision | deeper µs (threads) | best peer µs (way) | ratio | bar |",
             "|---|---|---|---|---|---|---|---|"]
    print("\n".join(lines), flush=True)
    for index, row in enumerate(rows_for(isa)):
        if options.only and row.name not in options.only.split(","):
            continue
        if options.precision and row.precision != options.precision:
            continue
        try:
            result = compare_row(options.deeper, index, row, isa, options.rounds, options.seconds)
        except Busy:
            result = None
        lines.append(table_line(row, result))
        print(lines[-1], flush=True)
    if not options.only:
        lines += [""] + whole_runs(options.deeper, options.data, tuned_environment())
    if options.markdown:
        put_between_marks(options.markdown, lines)


if __name__ == "__main__":
    main()
