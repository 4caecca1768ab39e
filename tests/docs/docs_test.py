#!/usr/bin/env python3
"""README and docs are run: every `console` block's commands must work and print what the block shows (numbers aside), every C block must
be an example, every link must lead somewhere. And the examples themselves are run."""
import os
import pathlib
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
from contract_test import png, write_idx  # noqa: E402

SOURCE = pathlib.Path(os.environ["DEEPER_SOURCE"])
BUILD = pathlib.Path(os.environ["DEEPER_BUILD"])
DEEPER = os.environ["DEEPER"]
PAGES = [SOURCE / "README.md", *sorted((SOURCE / "docs").glob("*.md"))]


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.M | re.S)


def shape_of(line):
    """A line without what differs from run to run: numbers, hashes, letters of classes, marks."""
    line = re.sub(r"\b[0-9a-f]{16}\.\.\.", "HASH", line)
    line = re.sub(r"\((generic|avx2|avx512|avx512bf16|amx)\), \d+ threads?", "(ISA), N threads", line)
    line = re.sub(r"[\d][\d.,:e+-]*", "N", line)
    line = re.sub(r"\b[A-J]\b", "L", line)
    return re.sub(r"\s+", " ", line.replace(" best", "").replace(" so far", "")).strip()


def make_letters(directory):
    """A stand-in for the letters set: ten classes that differ in which rows are bright."""
    (directory / "examples").mkdir(parents=True)
    for name, n in (("train", 1000), ("t10k", 200)):
        pixels, labels = bytearray(), bytearray()
        for i in range(n):
            labels.append(i % 10)
            for y in range(28):
                bright = y // 3 == i % 10
                pixels.extend((i * 7 + y * 13 + x * 29) % 60 + (180 if bright else 0) for x in range(28))
        write_idx(directory / f"{name}-images-idx3-ubyte", 0x803, (n, 28, 28), bytes(pixels))
        write_idx(directory / f"{name}-labels-idx1-ubyte", 0x801, (n,), bytes(labels))
    (directory / "classes.txt").write_text("".join(f"{c}\n" for c in "ABCDEFGHIJ"))
    (directory / "examples" / "A.png").write_bytes(
        png([200 if y // 3 == 0 else 20 for y in range(28) for x in range(28)], 28, 28))


class Docs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = pathlib.Path(tempfile.mkdtemp(prefix="deeper-docs-"))
        make_letters(cls.place / "build" / "letters")
        (cls.place / "bin").mkdir()
        (cls.place / "bin" / "deeper").symlink_to(DEEPER)
        cls.env = {**os.environ, "PATH": f"{cls.place / 'bin'}:{os.environ['PATH']}"}

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.place)

    def run_block(self, page, block):
        steps = re.split(r"^\$ ", block, flags=re.M)[1:]
        self.assertTrue(steps, f"{page}: a console block without a command:\n{block}")
        for step in steps:
            command, _, shown = step.partition("\n")
            words = shlex.split(command, comments=True)
            if words[0] != "deeper":
                continue
            if words[1] == "graph" and "-o" in words and not shutil.which("dot"):
                continue
            result = subprocess.run(words, cwd=self.place, env=self.env, text=True, timeout=300,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual(result.returncode, 0, f"{page}: {command}\n{result.stdout}")
            printed = {shape_of(line) for line in result.stdout.splitlines()}
            for line in filter(str.strip, shown.splitlines()):
                if line != "…":
                    self.assertIn(shape_of(line), printed, f"{page}: {command}\n{result.stdout}")

    def test_console_blocks(self):
        ran = 0
        for page in PAGES:
            for block in blocks(page, "console"):
                self.run_block(page, block)
                ran += 1
        self.assertGreater(ran, 4)

    def test_c_blocks_are_examples(self):
        examples = [path.read_text() for path in (SOURCE / "examples").glob("*.c")]
        for block in blocks(SOURCE / "README.md", "c"):
            self.assertIn(block, examples, "the C program of README.md is none of examples/*.c")

    def test_net_blocks_parse(self):
        for page in PAGES:
            for block in blocks(page, "net"):
                subprocess.run([DEEPER, "summary", "--net", block, "--classes", "10"], check=True, stdout=subprocess.DEVNULL)
        for net in (SOURCE / "examples").glob("*.net"):
            subprocess.run([DEEPER, "summary", str(net), "--classes", "10"], check=True, stdout=subprocess.DEVNULL)

    def test_links_lead_somewhere(self):
        for page in PAGES:
            for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
                self.assertTrue((page.parent / link).exists(), f"{page} links to {link}")

    def test_examples(self):
        ran = 0
        for source in sorted((SOURCE / "examples").glob("*.c")):
            program = BUILD / "examples" / source.stem
            arguments = []
            if source.stem == "train_and_predict":
                arguments = [self.place / "build" / "letters"]
            if source.stem == "relu_beats_linear":
                real = [SOURCE / "build" / "letters", SOURCE.parent / "shared" / "data" / "mnist"]
                arguments = [path for path in real if path.is_dir()][:1]
                if not arguments or os.environ.get("DEEPER_SANITIZE"):
                    print("skipped relu_beats_linear: it needs real images (make demo), and no sanitizer")
                    continue
            result = subprocess.run([program, *arguments], text=True, timeout=300, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT)
            self.assertEqual(result.returncode, 0, f"{source}:\n{result.stdout}")
            self.assertGreater(len(result.stdout), 20, source)
            ran += 1
        self.assertGreater(ran, 4)


if __name__ == "__main__":
    unittest.main()
