"""bench/kernels.c times every kernel and every chain: one call of each, so that it cannot rot."""
import os
import re
import subprocess
import unittest

KERNELS = os.path.join(os.environ["DEEPER_BUILD"], "benches", "kernels")
DEFINITIONS = os.path.join(os.environ["DEEPER_SOURCE"], "src", "backend", "cpu")
LINE = re.compile(r"(\w+) +(\w+) +(not on this machine|\d+ ns +[\d.]+ (?:GF/s|GB/s|elements/ns))")


def read(name):
    with open(os.path.join(DEFINITIONS, name), encoding="utf-8") as file:
        return file.read()


def run(*arguments):
    return subprocess.run([KERNELS, *arguments], capture_output=True, text=True, timeout=300)


class Kernels(unittest.TestCase):
    def test_every_kernel_is_timed(self):
        done = run("1")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [LINE.fullmatch(line) for line in done.stdout.splitlines()]
        self.assertNotIn(None, rows, done.stdout)
        timed = {row[1] for row in rows if row[3] != "not on this machine"}
        text = re.sub(r"#if defined\(__x86_64__\).*?#endif", "", read("kernels.def"), flags=re.S)
        names = re.findall(r"KERNEL\([^()]*, (dpr__\w+?)(##suffix)?\)", text)
        self.assertGreater(len(names), 20)
        for name, suffix in names:
            self.assertIn(name + "generic" if suffix else name, timed)
        chains = re.findall(r"^(?:STRIP|UPDATE)\((\w+),", read("strips.def"), flags=re.M)
        self.assertGreater(len(chains), 10)
        self.assertLessEqual(set(chains), timed)

    def test_usage(self):
        for arguments in (["0"], ["x"], ["1", "2"]):
            done = run(*arguments)
            self.assertEqual(done.returncode, 2)
            self.assertIn("usage", done.stderr)


unittest.main()
