#!/usr/bin/env python3
"""bf16 against float32, seed by seed: the mean difference of ten pairs must not lie below −0.1 points (MNIST) or −0.2 (letters) beyond its
95 % interval. Needs MNIST and the letters set, as accuracy_long_test.py does; skips, saying so, what is absent."""
import json
import math
import pathlib
import subprocess
import sys
import tempfile

from accuracy_long_test import DEEPER, LETTERS, MNIST

SEEDS = range(1, 11)
T_95 = 2.262  # of Student's t, nine degrees of freedom, two-sided
NET = "input 28 28 1, linear 256, relu, linear classes"
CASES = [(MNIST, 3, -0.001), (LETTERS, 6, -0.002)]  # data, epochs, bar


def accuracy(data, epochs, seed, precision, place):
    out = subprocess.run([DEEPER, "train", data, "--net", NET, "--epochs", str(epochs), "--seed", str(seed), "--precision", precision,
                          "--json", "--quiet", "--out", place / "model.safetensors"],
                         check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(out.splitlines()[-1])["test_accuracy"]


def main():
    ran, failed = False, False
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        for data, epochs, bar in CASES:
            if not data.is_dir():
                print(f"skipped: no {data}")
                continue
            ran = True
            differences = [accuracy(data, epochs, seed, "bf16", place) - accuracy(data, epochs, seed, "float32", place)
                           for seed in SEEDS]
            mean = sum(differences) / len(differences)
            deviation = math.sqrt(sum((d - mean) ** 2 for d in differences) / (len(differences) - 1))
            interval = T_95 * deviation / math.sqrt(len(differences))
            print(f"{data.name}: bf16 − float32 = {100 * mean:+.3f} ± {100 * interval:.3f} points over {len(differences)} seeds, "
                  f"bar {100 * bar:+.1f}", flush=True)
            failed |= mean + interval < bar
    sys.exit(77 if not ran else 1 if failed else 0)


if __name__ == "__main__":
    main()
