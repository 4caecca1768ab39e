#!/usr/bin/env python3
"""The rate that deeper lr finds trains, in three epochs, to within half a percent of the best of five rates around it, each three times the other. Needs MNIST
(DEEPER_MNIST, or beside the checkout) or the letters set (make demo); skips, saying so, what is absent. Takes some five minutes."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

DEEPER = os.environ["DEEPER"]
SOURCE = pathlib.Path(os.environ["DEEPER_SOURCE"])
MNIST = pathlib.Path(os.environ.get("DEEPER_MNIST", SOURCE.parent / "shared" / "data" / "mnist"))
LETTERS = SOURCE / "build" / "letters"
SMALL = ("--net", "input 28 28 1, linear 128, relu, linear classes")
MARGIN = 0.005

RUNS = [(MNIST, *SMALL, "--optimizer", optimizer) for optimizer in ("sgd", "momentum", "nesterov", "adamw", "muon")] + [
    (LETTERS, *SMALL, "--optimizer", optimizer) for optimizer in ("sgd", "nesterov", "adamw", "muon")] + [
    (MNIST,),
    (MNIST, "--net", "preset:lenet5", "--batch", "64"),
    (MNIST, "--net", "preset:lenet5", "--optimizer", "adamw"),
]


def last_line(*arguments):
    done = subprocess.run([DEEPER, *arguments, "--json"], stdout=subprocess.PIPE, text=True, check=False)
    return json.loads(done.stdout.splitlines()[-1])


def accuracy(place, data, options, rate):
    """0 where the loss became infinite."""
    return last_line("train", data, *options, "--epochs", "3", "--lr", "%g" % rate, "--no-report", "--out",
                     place / "model.safetensors").get("test_accuracy", 0)


def main():
    ran, failed = 0, []
    with tempfile.TemporaryDirectory() as folder:
        for data, *options in RUNS:
            if not data.is_dir():
                print(f"skipped: no {data}")
                continue
            rate = last_line("lr", data, *options)["lr"]
            found = {factor: accuracy(pathlib.Path(folder), data, options, rate * factor) for factor in (0.1, 0.3, 1, 3, 10)}
            name = " ".join([data.name, *options])
            print(f"{name}: {rate:g}: {found}", flush=True)
            ran += 1
            if found[1] < max(found.values()) - MARGIN:
                failed.append(name)
    print(f"failed: {failed}" if failed else "all within the margin")
    sys.exit(1 if failed else 0 if ran else 77)


if __name__ == "__main__":
    main()
