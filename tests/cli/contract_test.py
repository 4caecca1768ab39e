#!/usr/bin/env python3
"""The command's contract: exit status, what is on stdout and stderr, JSON keys, killing and resuming, equal weights for any
number of threads. Standard library only; the data sets are made here."""
import contextlib
import fcntl
import gzip
import json
import os
import pathlib
import pty
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time
import unittest
import zlib

DEEPER = os.environ["DEEPER"]
SANITIZED = bool(os.environ.get("DEEPER_SANITIZE"))


def deeper(*arguments, check=None, cwd=None, env=None, timeout=300, **more):
    """Runs the command; `check` is the exit status that it must have."""
    result = subprocess.run([DEEPER, *map(str, arguments)], cwd=cwd, timeout=timeout, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env={**os.environ, **(env or {})}, **more)
    if check is not None:
        assert result.returncode == check, (arguments, result.returncode, result.stdout, result.stderr)
    return result


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def write_idx(path, magic, sizes, payload, packed=False):
    data = struct.pack(">I", magic) + b"".join(struct.pack(">I", n) for n in sizes) + payload
    path.write_bytes(gzip.compress(data) if packed else data)


def make_set(directory, n_train=300, n_test=100, side=8, classes=4, packed=False):
    """Images whose class is the quarter that is bright, with noise: easy, but not at once."""
    directory.mkdir(parents=True, exist_ok=True)
    draw = random.Random(5)
    for name, n in (("train", n_train), ("t10k", n_test)):
        pixels, labels = bytearray(), bytearray()
        for i in range(n):
            label = i % classes
            labels.append(label)
            for y in range(side):
                for x in range(side):
                    inside = (y >= side // 2) * 2 + (x >= side // 2) == label
                    pixels.append(draw.randrange(90, 200) if inside else draw.randrange(0, 130))
        ending = ".gz" if packed else ""
        write_idx(directory / f"{name}-images-idx3-ubyte{ending}", 0x803, (n, side, side), bytes(pixels), packed)
        write_idx(directory / f"{name}-labels-idx1-ubyte{ending}", 0x801, (n,), bytes(labels), packed)
    return directory


def png(pixels, width, height, channels=1):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    rows = b"".join(b"\0" + bytes(pixels[i * width * channels:(i + 1) * width * channels]) for i in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Contract(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = pathlib.Path(tempfile.mkdtemp(prefix="deeper-contract-"))
        cls.data = make_set(cls.root / "data")
        cls.net = "input 8 8 1, linear 16, relu, dropout 0.2, linear classes"
        cls.model = cls.root / "model.safetensors"
        deeper("train", cls.data, "--net", cls.net, "--epochs", 4, "--batch", 32, "--out", cls.model, check=0)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.root)

    def train(self, out, *more, **options):
        return deeper("train", self.data, "--net", self.net, "--batch", 7, "--json", "--out", out, *more, **options)

    # ---- help, usage ----

    def test_help_of_everything(self):
        text = deeper("help", check=0).stdout
        for command in ("train", "eval", "predict", "summary", "graph", "data"):
            self.assertIn(command, text)
            page = deeper(command, "--help", check=0)
            self.assertIn("--", page.stdout)
            self.assertEqual(page.stderr, "")
            self.assertEqual(deeper("help", command, check=0).stdout, page.stdout)
            self.assertTrue(deeper("help", "--man", command, check=0).stdout.startswith(".TH"))
        self.assertIn("complete -", deeper("help", "--completion", "bash", check=0).stdout)
        self.assertRegex(deeper("--version", check=0).stdout, r"^deeper \d+\.\d+\.\d+\n$")

    def test_usage_errors_name_the_nearest_word(self):
        for arguments, word in ((["trian"], "train"), (["train", self.data, "--ephocs", "3"], "--epochs"),
                                (["train", self.data, "--optimizer", "adam"], "adamw"),
                                (["data", "inof", self.data], "info"),
                                (["train", self.data, "--schedule", "cosin"], "cosine")):
            result = deeper(*arguments, check=2)
            self.assertIn(word, result.stderr)
            self.assertEqual(result.stdout, "")

    def test_numbers_are_parsed_whole_finite_and_in_range(self):
        for option, value in (("--epochs", "1e"), ("--epochs", "0"), ("--epochs", "-1"), ("--epochs", "3.5"),
                              ("--epochs", "99999999999999999999"), ("--lr", "nan"), ("--lr", "inf"),
                              ("--lr", "1,5"), ("--lr", "0x1"), ("--lr", ""), ("--momentum", "1.5"),
                              ("--val", "2"), ("--batch", " 5"), ("--seed", "-1")):
            result = deeper("train", self.data, option, value, check=2)
            self.assertIn(option, result.stderr)

    def test_missing_value_twice_and_left_over(self):
        deeper("train", self.data, "--epochs", check=2)
        deeper("train", self.data, "--epochs", 1, "--epochs", 2, check=2)
        deeper("train", self.data, "left-over", check=2)
        deeper("train", check=2)
        deeper("eval", self.model, check=2)
        deeper(check=2)

    def test_options_from_a_file(self):
        recipe = self.root / "recipe"
        recipe.write_text("# a recipe\n--epochs 1\n--net 'input 8 8 1, linear classes'  # text with blanks\n")
        out = self.root / "recipe.safetensors"
        last = lines(deeper("train", self.data, f"@{recipe}", "--json", "--out", out, check=0).stdout)[-1]
        self.assertEqual(last["parameters"], 65 * 4)
        recipe.write_text("--epochs 1\n--ephocs 2\n")
        self.assertIn(f"{recipe}:2", deeper("train", self.data, f"@{recipe}", check=2).stderr)
        self.assertIn("nosuch", deeper("train", self.data, "@nosuch").stderr)

    # ---- summary, graph ----

    def test_the_linear_model_of_the_lesson(self):
        result = deeper("summary", "--net", "input 30 30 1, linear classes", "--classes", 5, check=0)
        self.assertIn("4,505", result.stdout)
        summary = lines(deeper("summary", "--net", "input 30 30 1, linear classes", "--classes", 5, "--json",
                               check=0).stdout)[0]
        self.assertEqual(summary["parameters"], 4505)
        self.assertEqual(summary["layers"][0]["output"], [5])
        self.assertLessEqual({"name", "op", "output", "parameters", "flops"}, set(summary["layers"][0]))

    def test_syntax_errors_show_the_place(self):
        net = self.root / "bad.net"
        net.write_text("input 8 8 1\nlinear 16\nrelo\nlinear classes\n")
        result = deeper("summary", net, "--classes", 3, check=1)
        self.assertIn(f"{net}:3:1", result.stderr)
        self.assertIn("relu", result.stderr)
        self.assertIn("\n    relo\n    ^", result.stderr)

    def test_graph(self):
        dot = deeper("graph", self.model, "--backward", check=0).stdout
        self.assertTrue(dot.startswith("digraph"))
        for leaf in ("linear_1.weights", "linear_1.bias", "linear_2.weights", "linear_2.bias"):
            self.assertIn(f"gradient of {leaf}", dot)
        forward = deeper("graph", self.model, check=0).stdout
        self.assertNotIn("gradient of", forward)
        self.assertIn(".dot, .svg or .png", deeper("graph", self.model, "-o", self.root / "x.jpg", check=1).stderr)
        if shutil.which("dot"):
            picture = self.root / "graph.svg"
            deeper("graph", self.model, "--backward", "-o", picture, check=0)
            self.assertIn("<svg", picture.read_text())
        result = deeper("graph", self.model, "-o", self.root / "g.svg", env={"PATH": "/nonexistent"}, check=1)
        self.assertIn("graphviz", result.stderr)
        plan = deeper("graph", self.model, "--plan", check=0).stdout
        self.assertIn("matmul", plan)

    def test_bench(self):
        if SANITIZED:
            self.skipTest("times under a sanitizer say nothing")
        rows = lines(deeper("bench", "L0", "--json", "--threads", 1, check=0).stdout)
        self.assertEqual(len(rows), 1)
        self.assertLessEqual({"bench", "net", "mode", "batch", "threads", "precision", "isa", "step_us", "step_us_p10",
                              "images_per_second", "end_to_end_images_per_second", "gflops", "peak_gflops"}, set(rows[0]))
        self.assertLess(rows[0]["gflops"], rows[0]["peak_gflops"])
        self.assertIn("L0", deeper("bench", "L00", check=2).stderr)
        rows = lines(deeper("bench", "L0", "I1:lenet5", "B0", "--batch", 1, "--seconds", 0.01, "--step-only", "--json", check=0).stdout)
        self.assertEqual([(row["bench"], row["net"], row["mode"]) for row in rows],
                         [("B0", "784-32-10", "train"), ("I1", "lenet5", "predict")])
        self.assertFalse([row for row in rows if "end_to_end_images_per_second" in row])

    def test_bench_refuses(self):
        for arguments, told in ((["I1:resnet21"], "did you mean 'I1:resnet20'?"), (["B5", "--batch", 7], "--batch is 7"),
                                (["--sort", "time"], "--plan"), (["--predict"], "--plan"), (["--seconds", 0], "above 0"), (["--seconds", "nan"], "above 0"),
                                (["--plan", "preset:mlp", "--step-only"], "--step-only"),
                                (["--plan", "preset:mlp", "--seconds", 2], "--seconds"),
                                (["--plan", "preset:mlp", "L0"], "--plan"),
                                (["--plan", "preset:mlp", "--sort", "tme"], "did you mean 'time'?")):
            self.assertIn(told, deeper("bench", *arguments, check=2).stderr)
        self.assertIn("DATA is for --recipe", deeper("bench", self.data, check=2).stderr)

    def test_bench_plan(self):
        """Rows of the step, their shares, and the slowest first where that is asked for; cut on a terminal only."""
        net = ["--plan", "input 6 6 1, conv 3x3 4, relu, linear 8, relu, linear classes", "--batch", 4]

        def table(*more):
            text = deeper("bench", *net, *more, check=0).stdout.splitlines()
            end = next(i for i, line in enumerate(text) if line.startswith("total"))
            self.assertIn("share", text[0])
            return text[1:end]

        def column(rows, n):
            return [float(re.findall(r"([\d.]+) +([\d.]+) %", row)[0][n]) for row in rows]
        rows = table()
        self.assertLess(abs(sum(column(rows, 1)) - 100), 0.05 * len(rows) + 0.1)
        phases = [int(row[:5]) for row in rows]
        self.assertEqual(phases, sorted(phases))
        self.assertTrue([row for row in rows if "gradient of" in row])
        predicting = table("--predict")
        self.assertLess(abs(sum(column(predicting, 1)) - 100), 0.05 * len(predicting) + 0.1)
        self.assertFalse([row for row in predicting if "gradient of" in row])
        self.assertIn("softmax", predicting[-1])
        times = column(table("--sort", "time"), 0)
        self.assertEqual(times, sorted(times, reverse=True))
        self.assertEqual(len(times), len(rows))
        self.assertGreater(max(map(len, rows)), 100)

        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 101, 0, 0))
        with open(leader, "rb", buffering=0) as screen:
            shown = b""
            with subprocess.Popen([DEEPER, "bench", *map(str, net)], stdout=follower) as process:
                os.close(follower)
                with contextlib.suppress(OSError):  # how Linux tells the end
                    while more := screen.read(4096):
                        shown += more
            self.assertEqual(process.returncode, 0)
        shown = shown.decode().splitlines()
        end = next(i for i, line in enumerate(shown) if line.startswith("total"))
        self.assertEqual(end, len(rows) + 1)
        self.assertEqual(max(map(len, shown[:end])), 101)
        self.assertTrue(any(line.endswith("…") for line in shown[:end]))
        self.assertFalse(any("…" in line for line in shown[end:]))

    # ---- data ----

    def test_data_info(self):
        info = lines(deeper("data", "info", self.data, "--json", check=0).stdout)[0]
        self.assertEqual((info["train"], info["test"], info["shape"], len(info["classes"])),
                         (300, 100, [8, 8, 1], 4))
        folder = self.root / "folder"
        for half in ("train", "test"):
            for name in ("cat", "dog"):
                (folder / half / name).mkdir(parents=True)
                for i in range(3):
                    (folder / half / name / f"{i}.PNG").write_bytes(
                        png([(i * 37 + len(name + half) * p) % 256 for p in range(48)], 4, 4, 3))
        (folder / "train" / "cat" / ".DS_Store").write_bytes(b"x")
        self.assertEqual(lines(deeper("data", "info", folder, "--json", check=0).stdout)[0]["ignored"], 1)
        (folder / "train" / "dog" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
        result = deeper("data", "info", folder, check=1)
        self.assertIn("broken.png", result.stdout)
        self.assertIn("broken.png", deeper("train", folder, "--epochs", 1, check=1, cwd=self.root).stderr)

    def test_a_class_in_one_half_only_is_named(self):
        folder = self.root / "one-half"
        for half, name in (("train", "cat"), ("train", "dög"), ("test", "cat")):
            (folder / half / name).mkdir(parents=True)
            (folder / half / name / "a.png").write_bytes(png([9] * 16, 4, 4))
        self.assertIn("dög", deeper("train", folder, check=1, cwd=self.root).stderr)

    def test_packed_sets_give_the_same_weights(self):
        packed = make_set(self.root / "packed", packed=True)
        hashes = {lines(deeper("train", d, "--net", self.net, "--epochs", 1, "--json", "--out", self.root / "p.safetensors",
                               check=0).stdout)[-1]["weights_sha256"] for d in (self.data, packed)}
        self.assertEqual(len(hashes), 1)

    # ---- eval, predict ----

    def test_train_ends_with_what_eval_says(self):
        out = self.root / "said.safetensors"
        report = lines(self.train(out, "--epochs", 3, "--val", 0.2, check=0).stdout)
        for line in report[:-1]:
            self.assertLessEqual({"epoch", "loss", "train_accuracy", "images_per_second", "lr", "seconds",
                                  "val_accuracy"}, set(line))
        last = report[-1]
        self.assertLessEqual({"done", "model", "test_accuracy", "test_accuracy_plain", "weights_sha256",
                              "parameters", "seconds", "decode_seconds"}, set(last))
        self.assertTrue(last["done"])
        found = lines(deeper("eval", out, self.data, "--json", check=0).stdout)[0]
        self.assertEqual(found["accuracy"], last["test_accuracy"])
        self.assertLessEqual({"n", "correct", "accuracy", "accuracy_low", "accuracy_high", "loss", "classes",
                              "confusion", "precision", "recall"}, set(found))
        self.assertEqual(sum(map(sum, found["confusion"])), found["n"])
        self.assertEqual(sum(found["confusion"][i][i] for i in range(4)), found["correct"])
        self.assertGreater(found["accuracy"], 0.9)
        self.assertIn("confusion", deeper("eval", out, self.data, check=0).stdout)

    def test_predict(self):
        picture = self.root / "two.png"
        picture.write_bytes(png([200 if y >= 10 and x < 10 else 20 for y in range(20) for x in range(20)], 20, 20))
        found = lines(deeper("predict", self.model, picture, "--json", check=0).stdout)[0]
        self.assertEqual(found["class"], "2")
        self.assertAlmostEqual(sum(t["probability"] for t in found["top"]), 1, delta=0.2)
        again = subprocess.run([DEEPER, "predict", self.model, "-", "--json"], input=picture.read_bytes(),
                               stdout=subprocess.PIPE, check=True)
        self.assertEqual(json.loads(again.stdout)["probability"], found["probability"])
        result = deeper("predict", self.model, "nosuch.png", picture, check=1)
        self.assertIn("nosuch.png", result.stderr)
        self.assertIn("two.png", result.stdout)

    def test_models_from_strangers(self):
        for content in (b"", b"x", b"\xff" * 64, struct.pack("<Q", 1 << 60) + b"{}", self.model.read_bytes()[:500]):
            path = self.root / "stranger.safetensors"
            path.write_bytes(content)
            result = deeper("eval", path, self.data, check=1)
            self.assertIn("stranger.safetensors", result.stderr)

    def test_classes_that_do_not_fit(self):
        other = make_set(self.root / "five", classes=5)
        self.assertIn("5", deeper("eval", self.model, other, check=1).stderr)

    # ---- places that cannot be written ----

    def test_out_is_tried_before_data_is_read(self):
        result = deeper("train", "nosuch-data", "--out", "/nonexistent/x.safetensors", check=1)
        self.assertIn("/nonexistent/x.safetensors", result.stderr)
        deeper("train", self.data, "--out", self.root, check=1)

    def test_full_disk(self):
        """A file size limit stands for a full disk: the old model must survive."""
        out = self.root / "full.safetensors"
        out.write_bytes(b"the old model")

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        result = self.train(out, "--epochs", 1, preexec_fn=limit, check=1)
        self.assertIn("full", result.stderr)
        self.assertEqual(out.read_bytes(), b"the old model")
        self.assertEqual([p for p in self.root.glob("full*") if p != out], [])
        if os.path.exists("/dev/full"):
            with open("/dev/full", "w") as full:
                self.assertEqual(subprocess.run([DEEPER, "help"], stdout=full, stderr=subprocess.DEVNULL).returncode, 1)

    def test_disk_that_fills_up(self):
        """What was learned before stays, and the message says how to go on from there."""
        out = self.root / "filled.safetensors"
        run = ["train", self.data, "--net", self.net, "--batch", 7, "--json", "--epochs", 200, "--out"]
        begun = subprocess.Popen([DEEPER, *map(str, run), out], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 preexec_fn=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN))
        begun.stdout.readline()
        resource.prlimit(begun.pid, resource.RLIMIT_FSIZE, (100, 100))
        said = begun.communicate()[1]
        self.assertEqual(begun.returncode, 1, said)
        self.assertIn("filled.checkpoint.safetensors' has what was learned before", said)
        self.assertIn("--resume goes on from there", said)
        self.assertFalse(out.exists())
        resumed = lines(deeper(*run, out, "--resume", check=0).stdout)[-1]
        alone = lines(deeper(*run, self.root / "alone.safetensors", check=0).stdout)[-1]
        self.assertEqual(resumed["weights_sha256"], alone["weights_sha256"])

    def test_locale(self):
        have = subprocess.run(["locale", "-a"], stdout=subprocess.PIPE, text=True).stdout.lower()
        if "de_de.utf8" not in have:
            self.skipTest("no German locale here")
        out = self.root / "locale.safetensors"
        one = lines(self.train(out, "--epochs", 1, "--lr", "0.03", env={"LC_ALL": "de_DE.UTF-8"}, check=0).stdout)[-1]
        two = lines(self.train(out, "--epochs", 1, "--lr", "0.03", check=0).stdout)[-1]
        self.assertEqual(one["weights_sha256"], two["weights_sha256"])

    # ---- the same bits ----

    def test_threads_give_the_same_weights(self):
        wide = "input 8 8 1, linear 300, relu, linear 200, relu, linear classes"
        hashes = {lines(deeper("train", self.data, "--net", wide, "--epochs", 2, "--batch", 100, "--threads", t,
                               "--json", "--out", self.root / "t.safetensors", check=0).stdout)[-1]["weights_sha256"]
                  for t in (1, 2, 3)}
        self.assertEqual(len(hashes), 1)

    def test_killed_and_resumed_anywhere(self):
        """At least 20 SIGKILLs at random moments: the weights are those of a run left alone."""
        arguments = ("--epochs", 60, "--patience", 50)
        whole = lines(self.train(self.root / "whole.safetensors", *arguments, check=0).stdout)[-1]
        out = self.root / "killed.safetensors"
        draw, kills, begun = random.Random(11), 0, time.monotonic()
        while kills < 20:
            self.assertLess(time.monotonic() - begun, 200, "the run ends before it is killed")
            child = subprocess.Popen([DEEPER, "train", str(self.data), "--net", self.net, "--batch", "7", "--json", "--out",
                                      str(out), "--resume", *map(str, arguments)],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(draw.uniform(0.0, 0.05) * (10 if SANITIZED else 1))
            if child.poll() is None:
                child.send_signal(signal.SIGKILL)
                kills += 1
            child.wait()
            if out.exists():  # finished before 20 kills: begin again
                self.assertEqual(lines(self.train(out, "--resume", *arguments, check=0).stdout)[-1]["weights_sha256"],
                                 whole["weights_sha256"])
                out.unlink()
        last = lines(self.train(out, "--resume", *arguments, check=0).stdout)[-1]
        self.assertEqual(last["weights_sha256"], whole["weights_sha256"])
        self.assertEqual(last["test_accuracy"], whole["test_accuracy"])
        # A finished run prints its last line again, and goes on where more epochs are asked for.
        again = lines(self.train(out, "--resume", *arguments, check=0).stdout)
        self.assertEqual(again[-1]["weights_sha256"], whole["weights_sha256"])
        self.assertEqual(len(again), 1)

    def test_interrupted_run_says_how_to_go_on(self):
        out = self.root / "interrupted.safetensors"
        arguments = [DEEPER, "train", str(self.data), "--net", self.net, "--batch", "3", "--epochs", "400", "--out", str(out)]
        child = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        child.stdout.readline()
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 130)
        self.assertIn("--resume", errors)
        self.assertTrue((self.root / "interrupted.checkpoint.safetensors").exists())
        different = deeper(*arguments[1:], "--resume", "--lr", "0.01", check=1)
        self.assertIn("learning_rate", different.stderr.replace(" ", "_"))

    def test_non_finite_loss(self):
        out = self.root / "wild.safetensors"
        result = self.train(out, "--epochs", 50, "--lr", "1000", "--schedule", "constant", check=1)
        self.assertRegex(result.stderr, r"step \d+")
        self.assertIn("learning rate", result.stderr)
        self.assertFalse(out.exists())


if __name__ == "__main__":
    unittest.main()
