"""deeper sweep: equal sizes, budgets, grids, going on after a stop, the same results side by side, verdicts, the files that it leaves, and what it refuses."""

import csv
import json
import math
import os
import re
import shlex
import signal
import stat
import subprocess
import time

from report_test import Page
from support import Case, DEEPER, TIMEOUT, environment, main, write_idx

RUN_KEYS = {"depth", "widths", "parameters", "seed", "val_accuracy", "test_accuracy"}
TIMES = {"seconds"}


def without_times(line):
    return {key: value for key, value in line.items() if key not in TIMES}


class Sweep(Case):
    def setUp(self):
        super().setUp()
        write_idx(self.path("set"), train=400, test=150, classes=4, side=8, contrast=60)

    def sweep(self, *arguments, **more):
        """Runs, and what stands behind them."""
        lines = self.ok("sweep", "set", "--json", *arguments, **more).lines()
        return lines[:-1], lines[-1]

    def page(self, out):
        with open(self.path(out, "sweep.html"), encoding="utf-8") as file:
            text = file.read()
        self.assertNotIn("http://", text)
        self.assertNotIn("<script", text)
        page = Page(text)
        self.assertEqual(len(page.ids), len(set(page.ids)))
        for chart in page.charts:
            self.assertEqual(chart["role"], "img")
            self.assertTrue(chart["aria-label"])
        return page

    def stored(self, out):
        with open(self.path(out, "runs.jsonl"), encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    # ---- networks of equal size

    def test_equal_sizes(self):
        runs, end = self.sweep("--params", "2000,4k", "--depths", "4,1,2", "--seeds", "2", "--epochs", "1")
        self.assertEqual(len(runs), 2 * (1 + 2 * 3))
        for run in runs:
            self.assertTrue(RUN_KEYS <= set(run), run)
            self.assertEqual(len(run["widths"]), run["depth"])
            self.assertTrue(0 <= run["val_accuracy"] <= 1 and 0 <= run["test_accuracy"] <= 1)
            inputs, count = 64, 0
            for width in run["widths"] + [4]:
                count, inputs = count + (inputs + 1) * width, width
            self.assertEqual(run["parameters"], count)
        self.assertEqual([run["depth"] for run in runs[:7]], [0, 1, 2, 4, 1, 2, 4])
        self.assertEqual([run["seed"] for run in runs], [1] * 7 + [2] * 7)
        for first in (1, 4):
            for other in (1, 2):
                self.assertLessEqual(abs(runs[first + other]["parameters"] / runs[first]["parameters"] - 1), 0.01)
        self.assertEqual([row.get("against") for row in end["rows"]], [None, None, 1, 1, None, 4, 4])
        self.assertTrue(end["verdict"])

    def test_what_it_leaves(self):
        """CSV, JSON and page say what was printed, to the last digit."""
        runs, end = self.sweep("--params", "1k,3k", "--depths", "1,2,3", "--seeds", "3", "--epochs", "2", "--out", "here")
        with open(self.path("here", "sweep.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file), end)
        with open(self.path("here", "runs.csv"), encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(len(rows), len(runs))
        for row, run in zip(rows, runs):
            self.assertEqual(row["widths"], "-".join(map(str, run["widths"])))
            for key in ("parameters", "seed", "epochs", "flops"):
                self.assertEqual(int(row[key]), run[key])
            for key in ("val_accuracy", "test_accuracy", "lr"):
                self.assertEqual(float(row[key]), run[key])
            self.assertEqual(row["weights_sha256"], run["weights_sha256"])
        page = self.page("here")
        self.assertIn(end["verdict"], page.text)
        shown = [float("%.15g" % row[key]) for row in end["rows"] for key in ("mean", "low", "high")]
        self.assertEqual(page.values["accuracy"], shown)
        shown = [float("%.15g" % row[key]) for row in end["rows"] if "against" in row
                 for key in ("difference", "difference_low", "difference_high", "p", "p_corrected")]
        self.assertEqual(page.values["comparisons"], shown)
        shown = [float("%.15g" % run[key]) for run in runs for key in ("val_accuracy", "test_accuracy", "seconds")]
        self.assertEqual(page.values["runs"], shown)
        self.assertEqual(len(page.charts), 2)
        for row in end["rows"]:
            found = [run["test_accuracy"] for run in runs if (run["net"], run["parameters"]) == (row["net"], row["parameters"])]
            self.assertNear(row["mean"], sum(found) / 3)

    def test_front(self):
        _, end = self.sweep("--params", "1k,3k", "--depths", "1,2", "--seeds", "2", "--epochs", "2")
        rows = end["rows"]
        for row in rows:
            beaten = any(other["parameters"] <= row["parameters"] and other["mean"] >= row["mean"] and
                         (other["parameters"], other["mean"]) != (row["parameters"], row["mean"]) for other in rows)
            self.assertEqual(row["front"], not beaten)

    # ---- named networks, grids, budgets

    def test_named_networks(self):
        self.write("own.net", "input 8 8 1\nconv 3x3 4\nrelu\nglobal_avgpool\nlinear classes\n")
        runs, end = self.sweep("--net", "20,6-5", "--net", "linear", "--net", "own.net", "--net", "input 8 8 1, linear 9, tanh, linear classes",
                               "--seeds", "2", "--epochs", "2", "--lr", "0.1", "--budget", "epochs")
        self.assertEqual([(run["depth"], run["widths"]) for run in runs[:5]], [(1, [20]), (2, [6, 5]), (0, []), (1, [4]), (1, [9])])
        self.assertEqual([row.get("against") for row in end["rows"]], [None, 0, 0, 0, 0])
        self.assertEqual({run["lr"] for run in runs}, {0.1})
        self.assertEqual({run["epochs"] for run in runs}, {2})

    def test_long_names(self):
        """A name is all of what was given, so that no two networks have one."""
        long = "-".join(["10"] * 40)
        texts = ["input 8 8 1, linear 9, relu, linear 8, relu, linear 7, relu, linear 6, relu, linear %d, relu, linear classes" % n for n in (4, 5)]
        runs, end = self.sweep("--net", long + "," + long + "-9", "--net", texts[0], "--net", texts[1], "--seeds", "1", "--epochs", "1",
                               "--lr", "0.01")
        names = [long, long + "-9", *texts]
        self.assertEqual([run["net"] for run in runs], names)
        self.assertEqual([row["net"] for row in end["rows"]], names)
        self.assertEqual([run["depth"] for run in runs], [40, 41, 5, 5])
        for text in texts:
            self.assertIn(text, self.page("set.sweep").text)
        out = self.ok("sweep", "set", "--net", texts[0], "--net", texts[1], "--seeds", "1", "--epochs", "1", "--lr", "0.01").out
        for text in texts:
            self.assertIn("\n%s   " % text, out)
        self.says(self.usage("sweep", "set", "--net", "-".join(["10"] * 65)), "-10-10'", "up to 64 hidden widths")

    def test_equal_flops(self):
        runs, _ = self.sweep("--net", "30,5", "--seeds", "1", "--epochs", "4", "--lr", "0.1")
        self.assertEqual(runs[0]["epochs"], 4)
        self.assertEqual(runs[1]["epochs"], round(4 * runs[0]["flops"] / 4 / (runs[1]["flops"] / runs[1]["epochs"])))
        self.assertLess(abs(runs[1]["flops"] / runs[0]["flops"] - 1), 0.5 / runs[1]["epochs"] + 1e-9)

    def test_budgets_that_are_off(self):
        """One epoch is the least: where that is more than the budget, nobody reads of an equal one without it."""
        runs, end = self.sweep("--net", "4,200,210,4-2", "--seeds", "2", "--epochs", "2")
        ratio = runs[1]["flops"] / runs[0]["flops"]
        self.assertGreater(ratio, 10)
        row = end["rows"][1]
        self.assertEqual((row["epochs"], row["tune_epochs"]), (1, 1))
        self.assertNear(row["flops_ratio"], ratio)
        self.assertNear(row["tune_flops_ratio"], 2 * ratio)
        ratio = runs[2]["flops"] / runs[0]["flops"]
        self.assertIn("; 210 had %.3g times the flops of 4, and 1 more is off by over 10 %%" % ratio, end["verdict"])
        self.assertIn("; 210 had %.3g times the flops of 4 for its learning rate" % (2 * ratio), end["verdict"])
        self.assertIn("1 (%.3g × the flops)" % ratio, self.page("set.sweep").text)
        _, end = self.sweep("--net", "40,38", "--seeds", "2", "--epochs", "2")
        self.assertNotIn("flops", end["verdict"])
        self.assertNotIn("× the flops", self.page("set.sweep").text)

    def test_equal_flops_of_many_ratios(self):
        """To half an epoch, or one epoch."""
        runs, end = self.sweep("--net", "10,30,9,3,100,20-20", "--net", "linear", "--seeds", "1", "--epochs", "7", "--lr", "0.1")
        for run, row in zip(runs, end["rows"]):
            epoch = run["flops"] / run["epochs"]
            # images × (2 × what takes the image, 3 × the rest); with biases, and a relu's one operation a unit
            widths = run["widths"] + [4]
            layers = [(2 * a + 1) * b for a, b in zip([64] + widths, widths)]
            self.assertNear(epoch, 360 * (3 * (sum(layers) + sum(run["widths"])) - layers[0]))
            exact = 7 * runs[0]["flops"] / 7 / epoch
            self.assertEqual(run["epochs"], max(1, math.floor(exact + 0.5)))
            ratio = run["flops"] / runs[0]["flops"]
            self.assertNear(row.get("flops_ratio", 1), ratio)
            self.assertLessEqual(abs(run["flops"] - runs[0]["flops"]), epoch * (0.5 if exact >= 0.5 else 1) + 1)
        off = [row for row in end["rows"] if not 1 / 1.1 <= row.get("flops_ratio", 1) <= 1.1]
        self.assertGreater(len(off), 0)

    def test_grid_of_epochs(self):
        self.says(self.fails("sweep", "set", "--net", "5", "--grid", "epochs=1,20", "--seeds", "1"), "epochs=20", "budget epochs")
        self.says(self.fails("sweep", "set", "--net", "5", "--grid", "epochs=1,20", "--budget", "seconds"), "budget epochs")
        runs, _ = self.sweep("--net", "5", "--grid", "epochs=1,3", "--budget", "epochs", "--seeds", "1", "--lr", "0.1")
        self.assertEqual([run["epochs"] for run in runs], [1, 3])

    def test_equal_seconds(self):
        """The epochs are measured once: a second call has the same."""
        arguments = ["--net", "64,4", "--seeds", "1", "--epochs", "3", "--lr", "0.1", "--budget", "seconds"]
        runs, _ = self.sweep(*arguments)
        self.assertEqual(runs[0]["epochs"], 3)
        self.assertGreaterEqual(runs[1]["epochs"], 1)
        self.assertEqual(self.sweep(*arguments)[0], runs)
        self.assertEqual([line["kind"] for line in self.stored("set.sweep")].count("timing"), 2)

    def test_grid(self):
        runs, end = self.sweep("--net", "12", "--grid", "lr=0.01,0.1", "dropout=0,0.5", "optimizer=sgd,adamw", "--seeds", "2", "--epochs", "1")
        self.assertEqual(len(runs), 16)
        self.assertEqual(runs[3]["settings"], "lr=0.01 dropout=0.5 optimizer=adamw")
        self.assertEqual([run["lr"] for run in runs[:8]], [0.01] * 4 + [0.1] * 4)
        self.assertEqual(len({run["weights_sha256"] for run in runs}), 16)
        self.assertEqual([row.get("against") for row in end["rows"]], [None] + [0] * 7)
        # a run is what train makes of the same options
        train = self.ok("train", "set", "--net", "input 8 8 1, linear 12, relu, dropout 0.5, linear classes", "--lr", "0.1", "--optimizer",
                        "adamw", "--epochs", "1", "--seed", "2", "--val", "0.1", "--out", "m.safetensors", "--no-report", "--json").lines()
        self.assertEqual(runs[15]["weights_sha256"], train[-1]["weights_sha256"])
        self.assertNear(runs[15]["test_accuracy"], train[-1]["test_accuracy"])
        self.assertNear(runs[15]["val_accuracy"], train[-2]["val_accuracy"])

    def test_grid_of_lists_and_flags(self):
        runs, _ = self.sweep("--net", "8", "--grid", "augment=crop=1,flip;cutout=2", "--grid", "group=linear_1.*:freeze,linear_2.*:lr=2",
                             "--grid", "muon-renormalise=no,yes", "--optimizer", "muon", "--lr", "0.05", "--seeds", "1", "--epochs", "1")
        self.assertEqual(len(runs), 8)
        self.assertEqual(runs[0]["settings"], "augment=crop=1,flip group=linear_1.*:freeze muon-renormalise=no")
        self.assertEqual(len({run["weights_sha256"] for run in runs}), 8)

    def test_grid_with_depths(self):
        _, end = self.sweep("--params", "2k", "--depths", "1,2", "--grid", "batch=32,64", "--seeds", "2", "--epochs", "1", "--lr", "0.1")
        self.assertEqual([(row["net"], row["settings"], row.get("against")) for row in end["rows"]],
                         [("depth 1", "batch=32", None), ("depth 2", "batch=32", 0), ("depth 1", "batch=64", None), ("depth 2", "batch=64", 2)])

    def test_tuning(self):
        """Each network gets the rate that was best on the validation part, and no test image is looked at for that."""
        runs, _ = self.sweep("--net", "30,6", "--seeds", "2", "--epochs", "5")
        tuning = [line for line in self.stored("set.sweep") if line["kind"] == "tuning"]
        self.assertGreaterEqual(len(tuning), 10)
        self.assertEqual({line["test_accuracy"] for line in tuning}, {None})
        for run in runs[:2]:
            own = [line for line in tuning if line["net"] == run["net"]]
            best = max(own, key=lambda line: (line["val_accuracy"], -line["val_loss"]))
            self.assertEqual(run["lr"], best["lr"])
        self.assertEqual({line["epochs"] for line in tuning if line["net"] == "30"}, {1})

    def test_rates_at_the_edge(self):
        """While the best is at an edge one further is tried, twice at most; made up: the farther, the better."""
        arguments = ["--net", "30,25", "--seeds", "2", "--epochs", "1"]
        self.sweep(*arguments)
        first = [line for line in self.stored("set.sweep") if line["kind"] == "tuning" and 0.005 < line["lr"] < 0.5]
        self.assertEqual(len(first), 10)
        for outermost, side in ((max, 1), (min, -1)):
            tuning = first
            for rates in (6, 7, 7):
                best = outermost(line["lr"] for line in tuning)
                with open(self.path("set.sweep", "runs.jsonl"), "w", encoding="utf-8") as file:
                    for line in tuning:
                        line["val_accuracy"] = 1 if line["lr"] == best else 0.5 + 0.01 * side * math.log(line["lr"])
                        line["val_loss"] = 0
                        file.write(json.dumps(line) + "\n")
                _, end = self.sweep(*arguments)
                tuning = [line for line in self.stored("set.sweep") if line["kind"] == "tuning"]
                self.assertEqual(len(tuning), 2 * rates)
                self.assertEqual([row["lr"] for row in end["rows"]], [best, best])
            self.assertNear(best, 0.05 * 81.0 ** side)
            self.assertEqual([row["at_edge"] for row in end["rows"]], [True, True])
            self.assertIn("; the learning rate of 30, as of 1 more, is at the edge", end["verdict"])
            self.assertIn("(at the edge)", self.page("set.sweep").text)

    def test_patience(self):
        """Epochs and flops are those that were trained."""
        arguments = ["--net", "20,19", "--seeds", "2", "--epochs", "40", "--patience", "2", "--lr", "0.1"]
        runs, end = self.sweep(*arguments)
        train = self.ok("train", "set", "--net", "input 8 8 1, linear 19, relu, linear classes", "--lr", "0.1", "--epochs",
                        str(end["rows"][1]["epochs"]), "--patience", "2", "--seed", "2", "--val", "0.1", "--out", "m.safetensors",
                        "--no-report", "--json").lines()
        epochs = sum("epoch" in line for line in train)
        self.assertEqual(runs[3]["weights_sha256"], train[-1]["weights_sha256"])
        self.assertLess(epochs, end["rows"][1]["epochs"])
        self.assertEqual(runs[3]["epochs"], epochs)
        self.assertEqual(len({run["flops"] / run["epochs"] for run in runs}), 2)
        for i, row in enumerate(end["rows"]):
            self.assertNear(row["epochs_trained"], (runs[i]["epochs"] + runs[2 + i]["epochs"]) / 2)
            self.assertNear(row["flops"], (runs[i]["flops"] + runs[2 + i]["flops"]) / 2)
        self.assertNear(end["rows"][1]["flops_ratio"], end["rows"][1]["flops"] / end["rows"][0]["flops"])
        self.assertIn("planned", self.page("set.sweep").text)
        self.assertEqual(self.sweep(*arguments), (runs, end))

    def test_diverged(self):
        runs, end = self.sweep("--net", "30-30-30-30", "--grid", "lr=0.1,1000", "--seeds", "2", "--epochs", "5", "--momentum", "0.99")
        self.assertEqual([run["diverged"] for run in runs], [False, True, False, True])
        self.assertEqual(end["rows"][1]["diverged"], 2)
        self.assertIn("2 diverged", self.page("set.sweep").text)

    def test_text(self):
        out = self.ok("sweep", "set", "--net", "6,5-5", "--seeds", "2", "--epochs", "1").out
        self.assertEqual(len(re.findall(r"^seed [12]  .*  val .* %  test .* %", out, re.M)), 4)
        self.assertIn("95 % interval", out)
        self.assertTrue(out.endswith("page set.sweep/sweep.html\n"))
        self.assertEqual(self.ok("sweep", "set", "--net", "6,5-5", "--seeds", "2", "--epochs", "1", "-q").out.count("seed 1 "), 0)

    # ---- the same results, whatever happens

    ARGUMENTS = ["--params", "3k", "--depths", "1,2,3", "--seeds", "3", "--epochs", "6"]

    def test_side_by_side(self):
        alone, end = self.sweep(*self.ARGUMENTS, "--jobs", "1", "--threads", "2", "--out", "alone")
        for i, more in enumerate((["--jobs", "4"], ["--threads", "2"], ["--threads", "1"])):
            runs, other = self.sweep(*self.ARGUMENTS, *more, "--out", "beside%d" % i)
            self.assertEqual([without_times(run) for run in runs], [without_times(run) for run in alone])
            self.assertEqual(other, end)

    def test_nothing_is_done_twice(self):
        runs, end = self.sweep(*self.ARGUMENTS)
        stored = self.stored("set.sweep")
        self.assertEqual(self.sweep(*self.ARGUMENTS), (runs, end))  # times, too
        self.assertEqual(self.stored("set.sweep"), stored)
        more = list(self.ARGUMENTS)
        more[more.index("--seeds") + 1] = "4"
        again, _ = self.sweep(*more)
        self.assertEqual(again[:len(runs)], runs)
        self.assertEqual(self.stored("set.sweep")[:len(stored)], stored)
        self.assertEqual(len(self.stored("set.sweep")), len(stored) + 4)
        other, _ = self.sweep(*self.ARGUMENTS, "--batch", "16")  # other options are other runs
        self.assertFalse({run["run"] for run in other} & {run["run"] for run in runs})

    def start(self, *arguments):
        return subprocess.Popen([DEEPER, "sweep", "set", "--json", *arguments], cwd=self.folder, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, env=environment())

    def wait_for_runs(self, out, n, process):
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end and process.poll() is None:
            if os.path.exists(self.path(out, "runs.jsonl")) and len(self.stored(out)) >= n:
                return
            time.sleep(0.01)
        self.fail("it ended, or took too long: %s" % process.communicate()[1])

    SLOW = ["--params", "20k", "--depths", "1,2", "--seeds", "3", "--epochs", "60", "--batch", "4"]

    def test_killed(self):
        alone, end = self.sweep(*self.SLOW, "--out", "alone")
        for i, n in enumerate((1, 8, 17)):
            out = "killed%d" % i
            process = self.start(*self.SLOW, "--out", out)
            self.wait_for_runs(out, n, process)
            process.kill()
            process.communicate()
            kept = self.stored(out)
            self.assertLess(len(kept), 24)
            runs, other = self.sweep(*self.SLOW, "--out", out)
            self.assertEqual([without_times(run) for run in runs], [without_times(run) for run in alone])
            self.assertEqual(other, end)
            self.assertEqual(self.stored(out)[:len(kept)], kept)

    def test_ctrl_c(self):
        alone, _ = self.sweep(*self.SLOW, "--out", "alone")
        process = self.start(*self.SLOW, "--out", "a b")
        self.wait_for_runs("a b", 15, process)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, 130, error)
        self.assertNotIn("verdict", out)
        self.assertIn("interrupted", error)
        self.assertTrue(os.path.exists(self.path("a b", "sweep.html")))
        self.assertIn("runs are done", self.page("a b").text)
        words = shlex.split(error.splitlines()[-1])
        self.assertEqual(words, ["deeper", "sweep", "set", "--json", *self.SLOW, "--out", "a b"])
        runs = self.ok(*words[1:]).lines()[:-1]
        self.assertEqual([without_times(run) for run in runs], [without_times(run) for run in alone])

    # ---- the verdict, of outcomes that are made up

    def verdict(self, *outcomes):
        """Of networks with these test accuracies, one list for each network."""
        names = [str(10 + i) for i in range(len(outcomes))]
        arguments = ["--net", ",".join(names), "--seeds", str(len(outcomes[0])), "--epochs", "1", "--lr", "0.1"]
        self.sweep(*arguments)
        lines = self.stored("set.sweep")
        with open(self.path("set.sweep", "runs.jsonl"), "w", encoding="utf-8") as file:
            for line in lines:
                if line["net"] in names and line["seed"] <= len(outcomes[0]):
                    line["test_accuracy"] = outcomes[names.index(line["net"])][line["seed"] - 1]
                file.write(json.dumps(line) + "\n")
        return self.sweep(*arguments)[1]

    def test_verdicts(self):
        base = [0.90, 0.91, 0.92, 0.90, 0.91]
        better = [x + d for x, d in zip(base, (0.010, 0.011, 0.009, 0.010, 0.012))]
        same = [x + d for x, d in zip(base, (0.010, -0.011, 0.009, -0.010, 0.001))]
        end = self.verdict(base, same)
        self.assertTrue(end["verdict"].startswith("No significant difference in test accuracy between 11 and 10: "), end)
        self.assertGreater(end["rows"][1]["p"], 0.05)
        end = self.verdict(base, better)
        self.assertTrue(end["verdict"].startswith("11 is significantly better than 10 in test accuracy: +1.04 points"), end)
        self.assertNear(end["rows"][1]["difference"], 0.0104)
        end = self.verdict(better, base)
        self.assertTrue(end["verdict"].startswith("11 is significantly worse than 10"), end)
        end = self.verdict(base, better, same)
        self.assertTrue(end["verdict"].startswith("11 is significantly better"), end)
        self.assertIn("of 2 comparisons 1 find a better network, and 0 a worse one", end["verdict"])
        self.assertAlmostEqual(end["rows"][1]["p_corrected"], 2 * end["rows"][1]["p"])
        end = self.verdict(base, same, same[::-1])
        self.assertTrue(end["verdict"].startswith("No significant difference in test accuracy: of 2 comparisons none"), end)

    def test_the_same_difference_each_time(self):
        """Accuracies move in steps of an image; five equal differences are no certainty, and have no interval."""
        base = [0.90, 0.91, 0.92, 0.90, 0.91]
        end = self.verdict(base, [x + 0.01 for x in base])
        self.assertEqual(end["rows"][1]["p"], 0.0625)
        self.assertEqual([end["rows"][1][key] for key in ("difference_low", "difference_high")], [None, None])
        self.assertIn("+1.00 points (with each seed, p = 0.062; sign test over 5 seeds)", end["verdict"])
        self.assertTrue(end["verdict"].startswith("No significant difference"))
        self.page("set.sweep")
        base.append(0.9)
        end = self.verdict(base, [x + 0.01 for x in base])
        self.assertTrue(end["verdict"].startswith("11 is significantly better"), end)
        end = self.verdict(base, base)
        self.assertEqual(end["rows"][1]["p"], 1)

    def test_one_of_twenty(self):
        """A small p among many comparisons is no discovery."""
        base = [0.90, 0.91, 0.92]
        slight = [x + d for x, d in zip(base, (0.010, 0.012, 0.014))]
        alone = self.verdict(base, slight)
        self.assertLess(alone["rows"][1]["p"], 0.01)
        self.assertIn("significantly better", alone["verdict"])
        many = self.verdict(base, slight, *([[x + (-1) ** i * 0.001 * (1 + k % 3) for i, x in enumerate(base)] for k in range(9)]))
        self.assertEqual(many["rows"][1]["p"], alone["rows"][1]["p"])
        self.assertTrue(many["verdict"].startswith("No significant difference"), many["verdict"])

    def test_one_class(self):
        """All networks are right always: there is no difference, and no interval."""
        write_idx(self.path("set"), train=60, test=20, classes=1, side=8, contrast=60)
        runs, end = self.sweep("--net", "5,6", "--seeds", "3", "--epochs", "1")
        self.assertEqual({run["test_accuracy"] for run in runs}, {1})
        self.assertEqual([row["mean"] for row in end["rows"]], [1, 1])
        self.assertEqual([row["low"] for row in end["rows"]], [None, None])
        self.assertEqual((end["rows"][1]["p"], end["rows"][1]["difference"]), (1, 0))
        self.assertTrue(end["verdict"].startswith("No significant difference"), end)
        self.assertNotIn("nan", end["verdict"] + self.page("set.sweep").text.lower())
        self.assertNotIn("nan", self.ok("sweep", "set", "--net", "5,6", "--seeds", "3", "--epochs", "1").out)

    def test_one_seed(self):
        _, end = self.sweep("--net", "5,6", "--seeds", "1", "--epochs", "1", "--lr", "0.1")
        self.assertTrue(end["verdict"].startswith("Nothing is compared"))
        self.assertEqual([end["rows"][0][key] for key in ("low", "high")], [None, None])

    # ---- what is refused

    def test_usage(self):
        for words, *says in (
                (["--depths", "0"], "--depths is '0'", "from 1 on"),
                (["--depths", "1,x"], "--depths is '1,x'"),
                (["--depths", "1,"], "--depths is '1,'"),
                (["--depths", "65"], "at most 64"),
                (["--params", "10kk"], "--params is '10kk'"),
                (["--params", "-5"], "--params is '-5'"),
                (["--params", "1.5"], "--params is '1.5'"),
                (["--net", "300-"], "no list of up to 64 hidden widths"),
                (["--net", "300-0-100"], "no list of up to 64 hidden widths"),
                (["--net", "300", "--params", "1k"], "give one of them"),
                (["--budget", "flop"], "did you mean 'flops'"),
                (["--lr", "0.1,0.2"], "--lr is '0.1,0.2'", "--grid lr=0.1,0.2"),
                (["--seeds", "1,2"], "--seeds is '1,2'", "a whole number from 1"), # no option that a grid may hold
                (["--threads", "1,2"], "--threads is '1,2'", "a whole number from 1"),
                (["--grid", "lr"], "NAME=VALUE"),
                (["--grid", "lr=0.1,fast"], "--lr is 'fast'", "a number"),
                (["--grid", "lr=0.1,"], "--lr is ''"),
                (["--grid", "momentun=0.1"], "did you mean 'momentum'?"),
                (["--grid", "threads=1,2"], "'threads' is no option of training"),
                (["--grid", "seed=1,2"], "no option of training"),
                (["--grid", "lr=1", "--grid", "lr=2"], "twice"),
                (["--grid", "lr=1,2", "--lr", "1"], "say different things"),
                (["--grid", "muon-renormalise=maybe"], "yes or no"),
                (["--grid", "ema=0.5", "--grid", "swa=1"], "one average"),
                (["--net", "preset:lenet5", "--dropout", "0.5"], "made from widths"),
                (["--sedes", "3"], "did you mean '--seeds'?"),
                (["other"], "NAME=VALUE"),
                (["--augment", "flap"], "flip")):
            with self.subTest(words):
                self.says(self.usage("sweep", "set", *words), *says)
                self.assertFalse(os.path.exists(self.path("set.sweep")))

    def test_refused(self):
        for words, *says in (
                (["--params", "20", "--depths", "1"], "too few", "at least"),
                (["--depths", "2,2"], "given twice"),
                (["--net", "5,5"], "the same network"),
                (["--grid", "lr=0.1,0.10"], "the same network"),
                (["--net", "preset:lenet6"], "preset"),
                (["--net", "input 9 9 1, linear classes", "--net", "input 8 8 1, linear classes"], "8"),
                (["--net", "6", "--val", "0"], "no validation set"),
                (["--out", "none.txt"], "none.txt"),
                (["--out", "none.txt/here"], "none.txt")):
            with self.subTest(words):
                self.write("none.txt", "something")
                self.says(self.fails("sweep", "set", "--seeds", "1", "--epochs", "1", *words), *says)
        self.says(self.fails("sweep", "nothing", "--net", "5"), "nothing")

    def test_no_permission(self):
        if os.geteuid() == 0:
            self.skipTest("root may write everywhere")
        os.mkdir(self.path("closed"))
        os.chmod(self.path("closed"), stat.S_IRUSR | stat.S_IXUSR)
        self.addCleanup(os.chmod, self.path("closed"), stat.S_IRWXU)
        self.says(self.fails("sweep", "set", "--net", "5", "--out", "closed/here"), "closed")

    def test_damaged_runs(self):
        os.mkdir(self.path("set.sweep"))
        self.write("set.sweep/runs.jsonl", '{"run":\n')
        self.says(self.fails("sweep", "set", "--net", "5"), "runs.jsonl", "line 1")

    def test_one_at_a_time(self):
        process = self.start(*self.SLOW, "--out", "busy")
        self.wait_for_runs("busy", 1, process)
        self.says(self.fails("sweep", "set", *self.SLOW, "--out", "busy/"), "busy", "writes it now")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT)
        self.assertFalse(os.path.exists(self.path("busy.lock")))


if __name__ == "__main__":
    main()
