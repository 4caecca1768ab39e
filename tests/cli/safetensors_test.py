"""Another program reads our model files: the public safetensors package, and NumPy to use the weights."""

import json
import os
import struct
import subprocess
import sys
import tempfile

from environment import python_with

READER = r"""
import json, sys
import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file

path = sys.argv[1]
with safe_open(path, framework="np") as file:
    metadata = file.metadata()
    keys = list(file.keys())
tensors = load_file(path)
w1, b1 = tensors["linear_1.weights"], tensors["linear_1.bias"]
w2, b2 = tensors["linear_2.weights"], tensors["linear_2.bias"]
images = np.fromfile(sys.argv[2], dtype=np.uint8)[16:].reshape(-1, 16).astype(np.float64)
labels = np.fromfile(sys.argv[3], dtype=np.uint8)[8:]
x = (images / 255 - float(metadata["mean"])) / float(metadata["deviation"])
logits = np.maximum(x @ w1 + b1, 0) @ w2 + b2
print(json.dumps({"keys": keys, "metadata": metadata,
                  "shapes": {name: list(t.shape) for name, t in tensors.items()},
                  "dtypes": {name: str(t.dtype) for name, t in tensors.items()},
                  "correct": int((logits.argmax(axis=1) == labels).sum())}))
"""


def write_idx(folder, name, images, labels):
    with open(os.path.join(folder, name + "-images-idx3-ubyte"), "wb") as file:
        file.write(struct.pack(">IIII", 0x803, len(images), 4, 4) + b"".join(images))
    with open(os.path.join(folder, name + "-labels-idx1-ubyte"), "wb") as file:
        file.write(struct.pack(">II", 0x801, len(labels)) + bytes(labels))


def make_data(folder):
    """Class c has its bright row c; noise from a congruence."""
    noise = 1
    for name, n in (("train", 300), ("t10k", 100)):
        images, labels = [], []
        for i in range(n):
            pixels = []
            for place in range(16):
                noise = (noise * 1664525 + 1013904223) % 2**32
                pixels.append((noise >> 24) % 150 + (90 if place // 4 == i % 4 else 0))
            images.append(bytes(pixels))
            labels.append(i % 4)
        write_idx(folder, name, images, labels)


def deeper(*arguments):
    done = subprocess.run([os.environ["DEEPER"], *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("deeper %s: status %d\n%s" % (" ".join(arguments), done.returncode, done.stderr))
    return done.stdout


def main():
    python = python_with("numpy", "safetensors")
    with tempfile.TemporaryDirectory() as folder:
        make_data(folder)
        model = os.path.join(folder, "model.safetensors")
        deeper("train", folder, "--net", "input 4 4 1, linear 9, relu, linear classes",
               "--epochs", "3", "--batch", "8", "--optimizer", "adamw", "--lr", "0.01",
               "--out", model)
        ours = json.loads(deeper("eval", model, folder, "--json"))
        read = subprocess.run(
            [python, "-c", READER, model, os.path.join(folder, "t10k-images-idx3-ubyte"),
             os.path.join(folder, "t10k-labels-idx1-ubyte")],
            capture_output=True, text=True)
        if read.returncode != 0:
            sys.exit("the public reader failed:\n" + read.stderr)
        theirs = json.loads(read.stdout)
    parameters = {"linear_1.weights": [16, 9], "linear_1.bias": [9],
                  "linear_2.weights": [9, 4], "linear_2.bias": [4]}
    for name, shape in parameters.items():
        assert theirs["shapes"][name] == shape, (name, theirs["shapes"])
        assert theirs["dtypes"][name] == "float32", (name, theirs["dtypes"])
    assert "linear classes" in theirs["metadata"]["net"], theirs["metadata"]
    run = json.loads(theirs["metadata"]["run"])
    assert run["epochs_done"] == 3 and len(run["history"]) == 3, run
    # Both compute the same network; a tie in rounding may turn one image.
    assert abs(theirs["correct"] - ours["correct"]) <= 1, (theirs["correct"], ours["correct"])
    assert ours["correct"] > 50, ours


if __name__ == "__main__":
    main()
