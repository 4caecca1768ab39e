"""What the tests of the command share: running it, and tiny data sets made with the standard library only."""

import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

from noise import Noise

DEEPER = os.path.abspath(os.environ["DEEPER"])
SANITIZED = bool(os.environ.get("DEEPER_SANITIZE"))
TIMEOUT = 300 if SANITIZED else 60


class Result:
    def __init__(self, arguments, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr
        self.shown = "deeper %s\nstatus %d\nstdout:\n%s\nstderr:\n%s" % (
            " ".join(arguments), self.status, self.out, self.err)

    def lines(self):
        """The JSON objects on stdout: one a line, and nothing else."""
        return [json.loads(line) for line in self.out.splitlines()]


def environment(**changes):
    """The caller's, without what the command reads, and with changes (None removes)."""
    known = {name: value for name, value in os.environ.items()
             if name not in ("DEEPER_LOG", "NO_COLOR", "COLUMNS", "TERM")}
    known.update(changes)
    return {name: value for name, value in known.items() if value is not None}


class Case(unittest.TestCase):
    """A test with a folder of its own, self.folder, in which the command runs."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return name

    def run_deeper(self, *arguments, stdin=None, stdout=subprocess.PIPE, text=True, **changes):
        done = subprocess.run([DEEPER, *arguments], input=stdin, stdout=stdout,
                              stderr=subprocess.PIPE, text=text, cwd=self.folder,
                              env=environment(**changes), timeout=TIMEOUT)
        return Result(arguments, done)

    def expect(self, status, *arguments, **more):
        result = self.run_deeper(*arguments, **more)
        self.assertEqual(result.status, status, result.shown)
        if status == 2:
            self.assertEqual(result.out, "", result.shown)
        if status != 0:
            self.assertTrue(result.err.startswith("deeper: "), result.shown)
        return result

    def ok(self, *arguments, **more):
        return self.expect(0, *arguments, **more)

    def fails(self, *arguments, **more):
        return self.expect(1, *arguments, **more)

    def usage(self, *arguments, **more):
        return self.expect(2, *arguments, **more)

    def says(self, result, *parts):
        for part in parts:
            self.assertIn(part, result.err, result.shown)

    def assertNear(self, a, b):
        self.assertAlmostEqual(a, b, delta=1e-12)


def has_json():
    """False where the command was built without jansson, and says so."""
    done = subprocess.run([DEEPER, "summary", "input 1 1 1, linear 1", "--json"],
                          capture_output=True, text=True, env=environment())
    if done.returncode == 1 and "libjansson-dev" in done.stderr:
        return False
    assert done.returncode == 0, done.stderr
    return True


def main(needs_json=True):
    if needs_json and not has_json():
        print("skipped: the command was built without jansson", flush=True)
        sys.exit(77)
    result = unittest.main(verbosity=1, exit=False).result
    if result.wasSuccessful() and 0 < result.testsRun == len(result.skipped):
        print("skipped: " + result.skipped[0][1], flush=True)
        sys.exit(77)
    sys.exit(not result.wasSuccessful())


# ---- data sets ----------------------------------------------------------------------------------


def picture(label, side, noise, contrast=90, channels=1):
    """Row `label` is brighter than the noise around it."""
    pixels = bytearray()
    for row in range(side):
        for _ in range(side * channels):
            pixels.append(noise(150) + (contrast if row == label else 0))
    return bytes(pixels)


def write_idx_half(folder, name, n, classes, side, seed, contrast=90):
    noise = Noise(seed)
    labels = [i % classes for i in range(n)]
    images = [picture(label, side, noise, contrast) for label in labels]
    with open(os.path.join(folder, name + "-images-idx3-ubyte"), "wb") as file:
        file.write(struct.pack(">IIII", 0x803, n, side, side) + b"".join(images))
    with open(os.path.join(folder, name + "-labels-idx1-ubyte"), "wb") as file:
        file.write(struct.pack(">II", 0x801, n) + bytes(labels))


def write_idx(folder, train=300, test=100, classes=4, side=4, names=None, contrast=90):
    """A set that a linear model learns well, not perfectly. test 0: no test half."""
    os.makedirs(folder, exist_ok=True)
    write_idx_half(folder, "train", train, classes, side, 1, contrast)
    if test > 0:
        write_idx_half(folder, "t10k", test, classes, side, 2, contrast)
    if names is not None:
        with open(os.path.join(folder, "classes.txt"), "w", encoding="utf-8") as file:
            file.write("".join(name + "\n" for name in names))
    return folder


def png(path, width, height, channels, pixels):
    """8 bits, grey (1 channel) or colour (3), no filter."""
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(
            ">I", zlib.crc32(kind + body))
    row = width * channels
    lines = b"".join(b"\0" + pixels[y * row:(y + 1) * row] for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2}[channels], 0, 0, 0)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
                   + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b""))


def write_pictures(folder, classes, n, side=8, halves=("train", "test"), channels=1):
    """folder/HALF/CLASS/SIDE-I.png: n pictures of each class and half."""
    noise = Noise(3)
    for half in halves:
        for label, name in enumerate(classes):
            os.makedirs(os.path.join(folder, half, name), exist_ok=True)
            for i in range(n):
                png(os.path.join(folder, half, name, "%d-%d.png" % (side, i)), side, side, channels,
                    picture(label, side, noise, channels=channels))
    return folder
