"""Whole processes side by side: start, memory, and from process start to the model file."""
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
# What it is called: deeper's net, nets.py's, epochs.
RUNS = {"linear, 5 epochs": ("input 28 28 1, linear classes", "784-10", 5),
        "784-1024-10, 10 epochs": ("input 28 28 1, linear 1024, relu, linear classes", "784-1024-10", 10),
        "lenet5, 2 epochs": ("preset:lenet5", "lenet5", 2)}
# (row, batch, net, images): as many images as `deeper bench` makes where it has a tenth of a second or a second for them.
SIZES = [("B2", 128, "784-1024-1024-10", 16384), ("B7", 128, "resnet18", 384)]


def seconds_of(command, environment=None, repeats=1):
    """Median wall time; the output goes nowhere."""
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def peak_megabytes(command, environment=None):
    """Largest resident memory of a process, from the kernel's account of it alone."""
    code = ("import resource,subprocess,sys; subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,"
            "stderr=subprocess.DEVNULL,check=True);"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    out = subprocess.run([sys.executable, "-c", code, *map(str, command)], env=environment, capture_output=True, text=True,
                         check=True)
    return int(out.stdout) / 1024


def start(deeper, environment):
    torch = seconds_of([sys.executable, "-c", "import torch"], environment, 3)
    ours = seconds_of([deeper, "--version"], None, 9)
    return (f"- Start: `deeper --version` {1000 * ours:.1f} ms, `import torch` {1000 * torch:.0f} ms "
            f"({torch / ours:.0f}×).")


def memory(deeper, environment, row, batch, net, images):
    """All of PyTorch's process, all of ours, when training on made-up images."""
    torch = peak_megabytes([sys.executable, HERE / "torch_run.py", "--net", net, "--random", str(images)], environment)
    ours = peak_megabytes([deeper, "bench", row, "--batch", str(batch), "--seconds", "0.1"])
    return (f"- Peak memory of {net} at batch {batch}: deeper {ours:.0f} MB, PyTorch {torch:.0f} MB ({ours / torch:.2f} of it).")


def end_to_end(deeper, data, environment):
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (net, torch_net, epochs) in RUNS.items():
            out = os.path.join(folder, "model")
            ours = seconds_of([deeper, "train", data, "--net", net, "--epochs", str(epochs), "--out", out + ".safetensors",
                               "--quiet"])
            theirs = seconds_of([sys.executable, HERE / "torch_run.py", "--data", data, "--net", torch_net,
                                 "--epochs", str(epochs), "--out", out + ".pt"], environment)
            lines.append(f"- MNIST, {name}, process start to model file: deeper {ours:.2f} s (tested, too), PyTorch "
                         f"{theirs:.2f} s ({theirs / ours:.1f}×).")
    return lines


def whole_runs(deeper, data, environment):
    lines = [start(deeper, environment)] + [memory(deeper, environment, *size) for size in SIZES]
    if data is not None and data.is_dir():
        lines += end_to_end(deeper, data, environment)
    else:
        lines.append("- End to end: skipped; give the folder of MNIST's IDX files with --data.")
    for line in lines:
        print(line, flush=True)
    return lines
