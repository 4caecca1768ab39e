#!/usr/bin/env python3
"""docs/results.md shows what recipes/results.txt holds, and tools/results makes the one of the other."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["DEEPER_SOURCE"])
LINE = ("@recipe:mnist-99 --epochs 3 | build/mnist | 99.00 99.30 99.60 | 98.00 98.30 98.60 | 200 | 0.5 | 12345.6 | avx2 float32 | 2 cores of a machine | "
        + "ab" * 32 + " | " + "cd" * 32 + "\n")
# What the recipes are for: least mean accuracy in per cent.
BARS = {"@recipe:mnist-99": 99, "@recipe:mnist-99 --epochs 15": 99.2, "@recipe:mnist-996": 99.6, "@recipe:letters": 97.49}


class Results(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = pathlib.Path(temporary.name)
        for name in ("recipes/results.txt", "docs/results.md"):
            (self.root / name).parent.mkdir(exist_ok=True)
            shutil.copy(SOURCE / name, self.root / name)

    def tool(self, *words, status=0):
        done = subprocess.run([sys.executable, SOURCE / "tools" / "results", "--root", self.root, *words], capture_output=True, text=True)
        self.assertEqual(done.returncode, status, done.stderr)

    def test_page_is_that_of_the_file(self):
        self.tool("--check")

    def test_recorded_means_reach_their_bars(self):
        for line in (SOURCE / "recipes/results.txt").read_text().splitlines():
            columns = [column.strip() for column in line.split("|")]
            if columns[0] in BARS:
                accuracies = [float(a) for a in columns[2].split()]
                self.assertGreaterEqual(sum(accuracies) / len(accuracies), BARS[columns[0]], columns[0])

    def test_another_line_makes_another_page(self):
        with (self.root / "recipes/results.txt").open("a") as file:
            file.write(LINE)
        self.tool("--check", status=1)
        self.tool()
        self.tool("--check")
        page = (self.root / "docs/results.md").read_text()
        self.assertIn("| `deeper train build/mnist @recipe:mnist-99 --epochs 3` | 99.30 ± 0.75 (98.30 ± 0.75) | 3.3 min | 12,346 "
                      "| 2 cores of a machine; avx2 float32 | `cdcdcdcdcdcdcdcd` |\n", page)


if __name__ == "__main__":
    unittest.main()
