"""bench/peers/compare.py, without any peer: what it refuses, and that no worker outlives its row."""
import os
import subprocess
import sys
import unittest
from unittest import mock

PEERS = os.path.join(os.environ["DEEPER_SOURCE"], "bench", "peers")
sys.path.insert(0, PEERS)
import compare  # noqa: E402
import rows  # noqa: E402


class Worker:
    """Stands for a peer; the measurement number `busy` finds the machine disturbed."""
    made, measured, busy = [], 0, 0

    def __init__(self, index, isa, way, threads, environment):
        self.name, self.threads, self.works, self.open = way, threads, way != "compiled", True
        Worker.made.append(self)

    def measure(self, seconds):
        assert self.open
        Worker.measured += 1
        if Worker.measured == Worker.busy:
            raise compare.Busy
        return 100.0 + len(Worker.made) + Worker.measured

    def close(self):
        self.open = False


class Compare(unittest.TestCase):
    def compare(self, busy, step=lambda command, row, threads: 50.0):
        Worker.made, Worker.measured, Worker.busy = [], 0, busy
        with mock.patch.object(compare, "Peer", Worker), mock.patch.object(compare, "deeper_step", step):
            return compare.compare_row("deeper", 0, rows.ROWS[0], "avx2", 2, 0.1)

    def test_workers_are_closed(self):
        ours, theirs, _, _ = self.compare(busy=0)
        self.assertEqual(ours, 50.0)
        self.assertGreater(theirs, 100)
        self.assertGreater(len(Worker.made), 2)
        self.assertFalse([worker for worker in Worker.made if worker.open])

    def test_workers_are_closed_where_the_machine_is_busy(self):
        self.compare(busy=0)
        for turn in range(1, Worker.measured + 1):
            with self.assertRaises(compare.Busy):
                self.compare(busy=turn)
            self.assertFalse([worker for worker in Worker.made if worker.open])

        def disturbed(command, row, threads):
            raise compare.Busy
        with self.assertRaises(compare.Busy):
            self.compare(busy=0, step=disturbed)
        self.assertFalse([worker for worker in Worker.made if worker.open])

    def test_some_rows_make_no_page(self):
        for chosen in (["--only", "L0"], ["--precision", "bf16"]):
            done = subprocess.run([sys.executable, os.path.join(PEERS, "compare.py"), "--deeper", "/nonexistent",
                                   *chosen, "--markdown", "page.md"], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("--markdown takes all rows", done.stderr)


if __name__ == "__main__":
    unittest.main()
