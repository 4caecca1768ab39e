#!/usr/bin/env python3
"""deeper beside PyTorch and ONNX Runtime, on this machine, in one run: `make bench-peers`.

For each row every way of the peers is tried once on all cores, and on one thread where a step takes less than 20 ms; the two
fastest then take turns with deeper, round after round, and medians over the rounds are compared. A turn during which other
processes used more than 5 % of a core is taken again; a row that stays disturbed is not reported."""
import argparse
import contextlib
import ctypes.util
import datetime
import json
import os
import platform
import select
import statistics
import subprocess
import sys
from pathlib import Path

from rows import CONVOLUTIONAL, rows_for, ways_of
from whole import whole_runs

HERE = Path(__file__).resolve().parent
TRIES = 4
LONG_US = 20_000        # steps that no peer takes faster on one thread
LONGER_US = 500_000     # steps of which LONG_ROUNDS rounds are enough
LONG_ROUNDS = 3
MOST_PREPARING = 300    # seconds; a way that takes longer to be compiled is no way
KEPT = 2                # peers that take turns with deeper


class Busy(Exception):
    """Other processes would not leave the machine alone."""


class NoPeer(Exception):
    """No way of the peers works here."""


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


most_foreign = 0.05     # of a core, by processes that are not ours; --foreign


def undisturbed(run, seconds, pid_of):
    """run() again until other processes used no more than most_foreign meanwhile."""
    for _ in range(TRIES):
        mine, total = process_seconds("self") + os.times().children_user + os.times().children_system, cpu_seconds()
        theirs = process_seconds(pid_of()) if pid_of else 0
        begin = datetime.datetime.now()
        result = run()
        elapsed = max((datetime.datetime.now() - begin).total_seconds(), seconds)
        used = process_seconds("self") + os.times().children_user + os.times().children_system - mine
        used += (process_seconds(pid_of()) if pid_of else 0) - theirs
        if cpu_seconds() - total - used <= most_foreign * elapsed + 0.03:  # the kernel counts in ticks of 10 ms
            return result
    raise Busy


class Peer:
    """A worker process."""

    def __init__(self, index, isa, way, threads, environment):
        self.name, self.threads = way, threads
        self.process = subprocess.Popen([sys.executable, HERE / "worker.py", str(index), isa, way, str(threads)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        text=True, env=environment)
        within_time = select.select([self.process.stdout], [], [], MOST_PREPARING)[0]
        self.works = bool(within_time) and self.process.stdout.readline().strip() == "ready"
        if not within_time:
            self.process.kill()

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


def deeper_step(command, row, threads, seconds):
    """Our own clock, as `deeper bench` prints it."""
    def turn():
        out = subprocess.run([command, "bench", f"{row.name}:{row.net}", "--batch", str(row.batch), "--threads", str(threads),
                              "--precision", row.precision, "--step-only", "--seconds", str(seconds), "--json"],
                             capture_output=True, text=True, check=True)
        return json.loads(out.stdout)["step_us"]
    return undisturbed(turn, seconds, None)


def tuned_environment():
    """Peers get the allocator that serves them best, where it is installed."""
    environment = dict(os.environ, PYTHONPATH=str(HERE))
    library = ctypes.util.find_library("tcmalloc_minimal")
    if library:
        environment["LD_PRELOAD"] = library
    return environment


def fastest_peers(index, row, isa, seconds, environment, peers):
    """(the fastest KEPT of all ways on two threads and, where it can matter, on one; the median step of the first). `peers` takes
    up all that were started; those that are not kept are closed."""
    tried = []
    for threads in sorted({min(len(os.sched_getaffinity(0)), 2), 1}, reverse=True):
        if tried and tried[0][0] > LONG_US:
            break
        for way in ways_of(row):
            peer = Peer(index, isa, way, threads, environment)
            peers.append(peer)
            if not peer.works:
                peer.close()
                continue
            tried.append((peer.measure(min(seconds, 0.3)), peer))
            tried.sort(key=lambda pair: pair[0])
            for _, slower in tried[KEPT:]:
                slower.close()
    if not tried:
        raise NoPeer
    return [peer for _, peer in tried[:KEPT]], tried[0][0]


def compare_row(command, index, row, isa, rounds, seconds):
    """(our median, best peer's median, our threads, the peer's way)."""
    peers, ours = [], {}
    try:
        kept, first = fastest_peers(index, row, isa, seconds, tuned_environment(), peers)
        times = {peer: [] for peer in kept}
        threads = [1, 2] if first <= LONG_US else [2]
        if len(os.sched_getaffinity(0)) == 1:
            threads = [1]
        for _ in range(min(rounds, LONG_ROUNDS) if first > LONGER_US else rounds):
            for n in threads:
                ours.setdefault(n, []).append(deeper_step(command, row, n, seconds))
            for peer in times:
                times[peer].append(peer.measure(seconds))
    finally:
        for peer in peers:
            peer.close()
    best = min(times, key=lambda peer: statistics.median(times[peer]))
    n = min(ours, key=lambda n: statistics.median(ours[n]))
    way = best.name + (" in float32" if best.name == "onnxruntime" and row.precision == "bf16" else "")
    return statistics.median(ours[n]), statistics.median(times[best]), n, f"{way}, {best.threads} threads"


def check_nets(command, nets):
    """Peers must run our networks: ends the program where one has another number of parameters."""
    out = subprocess.run([sys.executable, HERE / "nets.py", *nets], capture_output=True, text=True, check=True).stdout
    for net, theirs in json.loads(out).items():
        text = f"preset:{net}" if net in CONVOLUTIONAL else net_text(net)
        out = subprocess.run([command, "summary", text, "--classes", "10", "--json"], capture_output=True, text=True, check=True)
        ours = json.loads(out.stdout)["parameters"]
        if ours != theirs:
            raise SystemExit(f"{net}: deeper has {ours:,} parameters, the peers' net {theirs:,}; bench/peers/nets.py and the "
                             "preset must be the same network")


def net_text(widths):
    first, *hidden, _ = widths.split("-")
    return f"input {first} 1 1, " + "".join(f"linear {width}, relu, " for width in hidden) + "linear classes"


def chosen_rows(isa, only, precision):
    """[(index, row)]; only: "B5,I1:resnet20" or None for all."""
    words = only.split(",") if only else []
    rows = [(i, row) for i, row in enumerate(rows_for(isa)) if precision in (None, row.precision)]
    known = {name for _, row in rows for name in (row.name, f"{row.name}:{row.net}")}
    for word in words:
        if word not in known:
            raise SystemExit(f"there is no row '{word}'{f' in {precision}' if precision else ''}; there are "
                             + ", ".join(sorted(name for name in known if ":" not in name)) + ", or ROW:NET for one net of a row")
    return [(i, row) for i, row in rows if not words or row.name in words or f"{row.name}:{row.net}" in words]


def machine():
    info = Path("/proc/cpuinfo").read_text()
    model = next((line.split(":")[1].strip() for line in info.splitlines() if line.startswith("model name")), "CPU")
    return f"{model}, {len(os.sched_getaffinity(0))} cores, {platform.system()} {platform.release().split('-')[0]}"


def versions(command):
    from importlib.metadata import version
    own = subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[0]
    return f"{own}; PyTorch {version('torch')}, ONNX Runtime {version('onnxruntime')}"


def isa_of(command):
    out = subprocess.run([command, "bench", "I1:784-32-10", "--seconds", "0.01", "--json"], capture_output=True, text=True,
                         check=True)
    return json.loads(out.stdout)["isa"]


def table_line(row, result):
    what = f"| {row.name} | {row.net} | {'train' if row.train else 'predict'} {row.batch} | {row.precision} |"
    if isinstance(result, str):
        return f"{what} {result} | | | {row.bar:g}× |"
    ours, theirs, n, way = result
    mark = "" if theirs / ours >= row.bar else " (below)"
    return f"{what} {ours:.1f} ({n}) | {theirs:.1f} ({way}) | **{theirs / ours:.2f}×** | {row.bar:g}×{mark} |"


def put_between_marks(path, lines):
    text, begin, end = path.read_text(), "<!-- table -->", "<!-- /table -->"
    head, rest = text.split(begin)
    path.write_text(head + begin + "\n" + "\n".join(lines) + "\n" + end + rest.split(end)[1])


def main():
    global most_foreign
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--deeper", default="build/release/deeper", help="the command")
    parser.add_argument("--only", help="rows, as in L0,B5 or I1:resnet20")
    parser.add_argument("--precision", choices=("float32", "bf16"), help="only rows of it")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each peer's turn")
    shared = HERE.parents[2] / "shared/data/mnist"
    parser.add_argument("--data", type=Path, default=shared if shared.is_dir() else None,
                        help="a folder with MNIST's IDX files, for whole runs")
    parser.add_argument("--markdown", type=Path, help="a page that holds the table between two marks")
    parser.add_argument("--foreign", type=float, default=most_foreign,
                        help="share of a core that other processes may take in a turn; large for a try whose figures say nothing")
    options = parser.parse_args()
    most_foreign = options.foreign
    if options.markdown and (options.only or options.precision):
        parser.error("--markdown takes all rows: a page with some of them would lose the others; "
                     "leave out --only and --precision")
    isa = isa_of(options.deeper)
    chosen = chosen_rows(isa, options.only, options.precision)
    check_nets(options.deeper, sorted({row.net for _, row in chosen}))
    lines = [f"{machine()}; {isa}; {versions(options.deeper)}; {datetime.date.today()}.", "",
             "| row | net | mode, batch | precision | deeper µs (threads) | best peer µs (way) | ratio | bar |",
             "|---|---|---|---|---|---|---|---|"]
    print("\n".join(lines), flush=True)
    for index, row in chosen:
        try:
            result = compare_row(options.deeper, index, row, isa, options.rounds, options.seconds)
        except Busy:
            result = "machine was busy"
        except NoPeer:
            result = "no peer works"
        lines.append(table_line(row, result))
        print(lines[-1], flush=True)
    if not options.only:
        lines += [""] + whole_runs(options.deeper, options.data, tuned_environment())
    if options.markdown:
        put_between_marks(options.markdown, lines)


if __name__ == "__main__":
    main()
