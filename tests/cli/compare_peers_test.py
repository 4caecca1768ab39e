"""bench/peers/compare.py, without any peer: what it refuses, and that no worker outlives its row."""
import json
import os
import subprocess
import sys
import unittest
from unittest import mock

PEERS = os.path.join(os.environ["DEEPER_SOURCE"], "bench", "peers")
sys.path.insert(0, PEERS)
import compare  # noqa: E402
import recipe  # noqa: E402
import rows  # noqa: E402


class Worker:
    """Stands for a peer; the measurement number `busy` finds the machine disturbed."""
    made, measured, busy, step = [], 0, 0, 100.0

    def __init__(self, index, isa, way, threads, environment):
        self.name, self.threads, self.works, self.open = way, threads, way != "compiled", True
        Worker.made.append(self)

    def measure(self, seconds):
        assert self.open
        Worker.measured += 1
        if Worker.measured == Worker.busy:
            raise compare.Busy
        return Worker.step + len(Worker.made) + Worker.measured

    def close(self):
        self.open = False


class Compare(unittest.TestCase):
    def compare(self, busy, step=lambda command, row, threads, seconds: 50.0):
        Worker.made, Worker.measured, Worker.busy = [], 0, busy
        with mock.patch.object(compare, "Peer", Worker), mock.patch.object(compare, "deeper_step", step), \
                mock.patch.object(os, "sched_getaffinity", lambda pid: {0, 1}):
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

        def disturbed(command, row, threads, seconds):
            raise compare.Busy
        with self.assertRaises(compare.Busy):
            self.compare(busy=0, step=disturbed)
        self.assertFalse([worker for worker in Worker.made if worker.open])

    def test_long_steps_take_all_cores(self):
        self.compare(busy=0)
        self.assertEqual({worker.threads for worker in Worker.made}, {1, 2})
        asked = []

        def step(command, row, threads, seconds):
            asked.append(threads)
            return 50.0
        with mock.patch.object(Worker, "step", 1e6):
            _, theirs, ours, way = self.compare(busy=0, step=step)
        self.assertGreater(theirs, 1e6)
        self.assertEqual((set(asked), ours), ({2}, 2))
        self.assertEqual({worker.threads for worker in Worker.made}, {2})
        self.assertIn("2 threads", way)

    def test_rows_without_a_peer(self):
        with mock.patch.object(rows, "ways_of", lambda row: ["compiled"]), \
                mock.patch.object(compare, "ways_of", lambda row: ["compiled"]):
            with self.assertRaises(compare.NoPeer):
                self.compare(busy=0)
        self.assertFalse([worker for worker in Worker.made if worker.open])

    def test_choice_of_rows(self):
        def names(*asked):
            return [(row.name, row.net, row.batch) for _, row in compare.chosen_rows(*asked)]
        self.assertEqual(names("avx2", "B6", None), [("B6", "airbench", 128), ("B6", "airbench", 500)])
        self.assertEqual(names("avx2", "I1:resnet20,L0", "float32"), [("L0", "784-10", 128), ("I1", "resnet20", 1)])
        self.assertEqual(len(names("amx", "B6", None)), 4)
        self.assertEqual(names("avx2", None, None), [(row.name, row.net, row.batch) for row in rows.ROWS])
        for index, row in compare.chosen_rows("avx512bf16", None, "bf16"):
            self.assertEqual(rows.rows_for("avx512bf16")[index], row)
        with self.assertRaises(SystemExit) as told:
            names("avx2", "B9", None)
        self.assertIn("there is no row 'B9'; there are B0, B1", str(told.exception))
        with self.assertRaises(SystemExit):
            names("avx2", "I1:resnet21", None)

    def test_rows_are_those_of_the_command(self):
        """Each row of each instruction set, by its name, its net and its batch. The command looks at rows first, then at topics
        of the log: one that does not exist keeps it from measuring."""
        def told(name, batch):
            done = subprocess.run([os.environ["DEEPER"], "bench", name, "--batch", str(batch)], capture_output=True, text=True,
                                  timeout=60, env={**os.environ, "DEEPER_LOG": "nonsense"})
            self.assertEqual(done.returncode, 2)
            return done.stderr
        self.assertIn("no row 'B5:airbench'; did you mean", told("B5:airbench", 128))
        self.assertIn("--batch is 7; no row of those has it", told("B5", 7))
        for isa in ("avx2", "avx512bf16", "amx"):
            self.assertEqual(len(rows.rows_for(isa)), len(set(rows.rows_for(isa))))
            for row in rows.rows_for(isa):
                self.assertGreater(row.bar, 0)
                self.assertTrue(rows.ways_of(row))
        for row in {(row.name, row.net, row.batch) for row in rows.rows_for("amx")}:
            self.assertIn("nonsense", told(f"{row[0]}:{row[1]}", row[2]), row)

    def test_other_networks_are_refused(self):
        """The number of parameters is that of the presets, or nothing is compared."""
        right = {"lenet5": 61706, "resnet20": 269722, "airbench": 1971640, "resnet18": 11173962, "mnist-cnn": 1199882,
                 "784-32-10": 25450, "784-10": 7850}

        def check(counts):
            run = subprocess.run

            def answer(arguments, **more):
                if str(arguments[1]).endswith("nets.py"):
                    return subprocess.CompletedProcess(arguments, 0, json.dumps(counts), "")
                return run(arguments, **more)
            with mock.patch.object(subprocess, "run", answer):
                compare.check_nets(os.environ["DEEPER"], list(counts))
        check(right)
        with self.assertRaises(SystemExit) as told:
            check(dict(right, resnet20=272474))
        self.assertIn("resnet20: deeper has 269,722 parameters, the peers' net 272,474", str(told.exception))

    def test_nets_have_the_parameters_of_the_presets(self):
        try:
            import torch  # noqa: F401
        except ImportError:
            self.skipTest("no PyTorch in this Python; compare.py checks the same before it compares")
        compare.check_nets(os.environ["DEEPER"], list(rows.CONVOLUTIONAL))

    def test_recipes_of_resnets_are_understood(self):
        folder = os.path.join(os.environ["DEEPER_SOURCE"], "recipes")
        for name in ("resnet8", "resnet20", "resnet18"):
            options, augment = recipe.read_recipe(os.path.join(folder, name + ".options"))
            self.assertEqual((options["net"], augment["crop"], augment["flip"]), ("preset:" + name, "4", "random"))
        with self.assertRaises(SystemExit) as told:
            recipe.read_recipe(os.path.join(folder, "cifar10-fast.options"))
        self.assertIn("--loss-reduction", str(told.exception))

    def test_some_rows_make_no_page(self):
        for chosen in (["--only", "L0"], ["--precision", "bf16"]):
            done = subprocess.run([sys.executable, os.path.join(PEERS, "compare.py"), "--deeper", "/nonexistent",
                                   *chosen, "--markdown", "page.md"], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("--markdown takes all rows", done.stderr)


if __name__ == "__main__":
    unittest.main()
