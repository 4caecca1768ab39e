#!/usr/bin/env python3
"""The accuracies that the README and docs/results.md state, each the mean of three seeds. Needs MNIST (DEEPER_MNIST, or beside the checkout) and
the letters set (make demo); skips, saying so, what is absent. Takes some fifteen minutes."""
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

# data, net, epochs, least mean test accuracy
BARS = [
    (MNIST, "linear", 5, 0.915),
    (MNIST, "two-layer", 10, 0.982),
    (MNIST, "deep", 20, 0.985),
    (LETTERS, "linear", 5, 0.86),
    (LETTERS, "two-layer", 10, 0.92),
    (LETTERS, "deep", 20, 0.92),
]


def accuracy(data, net, epochs, seed, place):
    out = subprocess.run([DEEPER, "train", data, "--net", SOURCE / "examples" / f"{net}.net", "--epochs", str(epochs), "--seed",
                          str(seed), "--json", "--out", place / "model.safetensors"],
                         check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(out.splitlines()[-1])["test_accuracy"]


def main():
    means, failures = {}, []
    with tempfile.TemporaryDirectory() as place:
        for data, net, epochs, bar in BARS:
            if not data.is_dir():
                print(f"skipped: no {data}")
                continue
            found = [accuracy(data, net, epochs, seed, pathlib.Path(place)) for seed in (1, 2, 3)]
            mean = means[data.name, net] = sum(found) / 3
            print(f"{data.name:8} {net:10} {epochs:3} epochs: {100 * mean:.2f} % ({found}), bar {100 * bar:.1f} %", flush=True)
            if mean < bar:
                failures.append((data.name, net, mean))
    if not means:
        sys.exit(77)
    if (LETTERS.name, "deep") in means:
        if means[LETTERS.name, "two-layer"] < means[LETTERS.name, "linear"] + 0.03:
            failures.append("letters: the two-layer net is not 3 points above the linear one")
        if means[LETTERS.name, "deep"] < means[LETTERS.name, "two-layer"]:
            failures.append("letters: the deep net is below the two-layer one")
    print(failures or "all bars are reached")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
