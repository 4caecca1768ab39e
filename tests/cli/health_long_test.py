#!/usr/bin/env python3
"""Real runs that are well raise no alarm: reference nets and the first epoch of each recipe. Runs on MNIST that were made ill raise the right one alone. Sets
are MNIST (DEEPER_MNIST, or beside the checkout), and in build/ the letters and CIFAR-10 (docs/results.md); what is absent is skipped, and named. Takes some
fifteen minutes."""
import gzip
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

DEEPER = os.environ["DEEPER"]
SOURCE = pathlib.Path(os.environ["DEEPER_SOURCE"])
MNIST = pathlib.Path(os.environ.get("DEEPER_MNIST", SOURCE.parent / "shared" / "data" / "mnist"))
LETTERS, CIFAR = SOURCE / "build" / "letters", SOURCE / "build" / "cifar10"
LINEAR, TWO, DEEP = (SOURCE / "examples" / f"{name}.net" for name in ("linear", "two-layer", "deep"))
SMALL = "input 28 28 1, linear 128, relu, linear classes"
SIGMOIDS = "input 28 28 1, " + 10 * "linear 64, sigmoid, " + "linear classes"
LOUD = "input 28 28 1, " + 3 * "linear 64, relu, scale 30, " + "linear classes"

WELL = [
    (MNIST, "--net", LINEAR, "--epochs", "5"),
    (MNIST, "--net", TWO, "--epochs", "5", "--val", "0.1"),
    (MNIST, "--net", DEEP, "--epochs", "5"),
    (MNIST, "--net", TWO, "--epochs", "3", "--optimizer", "adamw"),
    (MNIST, "--net", "preset:lenet5", "--epochs", "3", "--val", "0.1"),
    (LETTERS, "--net", TWO, "--epochs", "5", "--val", "0.1"),
    (LETTERS, "--net", DEEP, "--epochs", "5"),
    (MNIST, "@recipe:mnist-99", "--epochs", "1"),
    (MNIST, "@recipe:mnist-996", "--epochs", "1"),
    (LETTERS, "@recipe:letters", "--epochs", "1"),
    ("part", "@recipe:resnet8", "--epochs", "6", "--val", "0.1"),
    ("part", "--epochs", "4"),
    (CIFAR, "@recipe:resnet8", "--epochs", "1", "--val", "0.1"),
    (CIFAR, "@recipe:resnet20", "--epochs", "1"),
    (CIFAR, "@recipe:cifar10-fast", "--epochs", "1"),
]

ILL = [
    ("shuffled-labels", "shuffled", "--net", TWO, "--epochs", "2"),
    ("shuffled-labels", "shuffled", "--net", SMALL, "--epochs", "3", "--val", "0.1"),
    ("stuck", "one", "--net", SMALL, "--epochs", "2"),
    ("one-class", "lopsided", "--net", SMALL, "--epochs", "3"),
    ("rate-high", MNIST, "--net", SMALL, "--epochs", "1", "--lr", "10"),
    ("rate-high", MNIST, "--net", TWO, "--epochs", "1", "--lr", "2"),
    ("non-finite", MNIST, "--net", LOUD, "--epochs", "1"),
    ("rate-low", MNIST, "--net", TWO, "--epochs", "1", "--lr", "1e-9"),
    ("rate-low", MNIST, "--net", "preset:lenet5", "--epochs", "1", "--lr", "1e-7"),
    ("vanishing-gradient", MNIST, "--net", SIGMOIDS, "--epochs", "1"),
    ("exploding-gradient", MNIST, "--net", LOUD, "--epochs", "1", "--lr", "1e-6"),
    ("dead-relu", MNIST, "--net", SMALL, "--epochs", "1", "--init", "zero"),
    ("overfit", "few", "--net", TWO, "--epochs", "30", "--val", "0.6"),
]


def read(name, header):
    with gzip.open(MNIST / name) as file:
        return file.read()[header:]


def write(folder, images, labels):
    """Both halves alike: only training is looked at."""
    folder.mkdir()
    for half in ("train", "t10k"):
        (folder / f"{half}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 0x803, len(labels), 28, 28) + images)
        (folder / f"{half}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, len(labels)) + labels)


def make_ill(place):
    draw = random.Random(1)
    n = 30000
    images, labels = read("train-images-idx3-ubyte.gz", 16)[:n * 784], read("train-labels-idx1-ubyte.gz", 8)[:n]
    write(place / "shuffled", images, bytes(draw.sample(labels, n)))
    write(place / "one", images[:784] * n, labels)
    write(place / "lopsided", draw.randbytes(n * 784), bytes(draw.random() < 0.05 for _ in range(n)))
    write(place / "few", images[:100 * 784], labels[:100])


def make_part(place):
    """500 training images of each class of CIFAR-10."""
    for half, n in (("train", 500), ("test", 50)):
        for name in sorted(os.listdir(CIFAR / half)):
            (place / "part" / half / name).mkdir(parents=True)
            for file in sorted(os.listdir(CIFAR / half / name))[:n]:
                os.symlink(CIFAR / half / name / file, place / "part" / half / name / file)


def causes(place, data, arguments):
    done = subprocess.run([DEEPER, "train", data, *arguments, "--json", "--no-report", "--out", "model.safetensors"], cwd=place,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    found = [line["health"]["cause"] for line in lines if "health" in line]
    if done.returncode != 0 and found[-1:] != ["non-finite"]:
        raise SystemExit(f"failed: {data} {arguments}\n{done.stderr}")
    return found


def main():
    ran, failed = 0, []
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        if MNIST.is_dir():
            make_ill(place)
        if CIFAR.is_dir():
            make_part(place)
        for wanted, data, *arguments in [([], *run) for run in WELL] + [([cause], *run) for cause, *run in ILL]:
            name = " ".join([str(data), *map(str, arguments)])
            if not (place / data).is_dir():
                print(f"skipped: no {data} for {name}")
                continue
            found = causes(place, data, arguments)
            print(f"{'as wanted' if found == wanted else 'WRONG'}: {found}: {name}", flush=True)
            ran += 1
            if found != wanted:
                failed.append(name)
    print(f"failed: {failed}" if failed else "all as wanted")
    sys.exit(1 if failed else 0 if ran else 77)


if __name__ == "__main__":
    main()
