"""Runs that are stopped: by Ctrl-C, by other signals, and by SIGKILL at any moment. Resumed, each ends with the
weights of a run left alone."""

import json
import os
import random
import re
import shlex
import signal
import subprocess
import time

from support import Case, DEEPER, SANITIZED, TIMEOUT, environment, main, write_idx

SEED = 20240607
NET = "input 8 8 1, linear 64, batchnorm, relu, dropout 0.2, linear classes"
MAPS = "conv 3x3 32, batchnorm, relu, residual { conv 3x3 32, batchnorm }, relu, conv 3x3 40 stride 2, batchnorm, relu"


class Stopped(Case):
    def setUp(self):
        super().setUp()
        write_idx(self.path("set"), train=3000, side=8)

    def arguments(self, epochs, *more):
        return ["train", "set", "--net", NET, "--batch", "4", "--optimizer", "adamw", "--epochs", str(epochs), "--json",
                "--ema", "0.99", "--group", "linear_1.*:freeze-until=2,lr=0.5",
                "--threads", "1", *more] # other tests run beside this one

    def start(self, arguments):
        return subprocess.Popen([DEEPER, *arguments], cwd=self.folder, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, env=environment())

    def started(self, process):
        """Waits until the first epoch is told; what it told."""
        line = process.stdout.readline()
        self.assertTrue(line, process.stderr.read() if process.poll() is not None else "no line")
        return json.loads(line)

    def finish(self, process):
        out, error = process.communicate(timeout=TIMEOUT)
        return process.returncode, out, error

    def resumed(self, arguments):
        """The weights of the run, taken up again."""
        result = self.ok(*arguments, *([] if "--resume" in arguments else ["--resume"]))
        return result.lines()[-1]["weights_sha256"]

    def test_ctrl_c(self):
        alone = self.ok(*self.arguments(4, "--out", "alone")).lines()[-1]["weights_sha256"]
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number):
                arguments = self.arguments(4, "--out", "run %d's" % number)
                process = self.start(arguments)
                self.started(process)
                process.send_signal(number)
                status, out, error = self.finish(process)
                self.assertEqual(status, 128 + number, error)
                self.assertNotIn('"done"', out)
                self.assertIn("interrupted after", error)
                self.assertIn("run %d's.checkpoint" % number, error)
                self.assertFalse(os.path.exists(self.path("run %d's" % number)))
                # The last line is the command that goes on, as a shell reads it.
                words = shlex.split(error.splitlines()[-1])
                self.assertEqual(words, [DEEPER, "train", "--resume", *arguments[1:]])
                self.assertEqual(self.resumed(words[1:]), alone)
                self.assertFalse(os.path.exists(self.path("run %d's.checkpoint" % number)))

    def test_ignored_hang_up(self):
        """Under nohup the run goes on."""
        process = subprocess.Popen(["nohup", DEEPER, *self.arguments(2)], cwd=self.folder,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   stdin=subprocess.DEVNULL, env=environment())
        self.started(process)
        process.send_signal(signal.SIGHUP)
        status, out, error = self.finish(process)
        self.assertEqual(status, 0, error)
        self.assertIn('"done"', out)

    def test_second_ctrl_c(self):
        """Ends at once, even where the first is still being obeyed; the run can go on."""
        process = self.start(self.arguments(1000))
        self.started(process)
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
        status, _, error = self.finish(process)
        self.assertEqual(status, 130, error)
        process = self.start(self.arguments(1000, "--resume"))
        self.started(process)
        process.send_signal(signal.SIGINT)
        self.assertEqual(self.finish(process)[0], 130)

    def kill(self, arguments, kills, lives):
        """Runs with these arguments, `lives` times each killed at random moments, from its first millisecond on."""
        draw = random.Random(SEED)
        arguments = [*arguments, "--no-report"] # whose time is no training
        start = time.monotonic()
        alone = self.ok(*arguments, "--out", "alone").lines()[-1]
        life = time.monotonic() - start
        killed, runs, taken_up = 0, 0, 0
        while killed < kills or taken_up <= kills // 8: # else runs only began anew
            self.assertLess(killed, 6 * kills, "hardly a run is taken up")
            runs += 1
            out = "run%d.safetensors" % runs
            run = [*arguments, "--out", out, "--resume"]
            for _ in range(lives):
                if killed >= kills and taken_up > kills // 8:
                    break
                process = self.start(run)
                try:
                    process.wait(timeout=draw.uniform(0, life * 0.6))
                except subprocess.TimeoutExpired:
                    process.kill()
                    killed += 1
                status, _, error = self.finish(process)
                self.assertIn(status, (0, -signal.SIGKILL), error)
                taken_up += re.search(r"goes on after [1-9]\d* epochs", error) is not None
            self.assertEqual(self.resumed(run), alone["weights_sha256"], "seed %d, kill %d" % (SEED, killed))
            told = self.ok("eval", out, "set", "--json").lines()[0]
            self.assertEqual(told["accuracy"], alone["test_accuracy"])

    def test_kills(self):
        self.kill(self.arguments(6 if SANITIZED else 25), kills=25, lives=6)

    def test_kills_of_convolutions(self):
        """In bf16, with what draws for each image, statistics, averages and Muon."""
        write_idx(self.path("set"), train=300, side=8)
        self.kill(["train", "set", "--net", "input 8 8 1, %s, global_avgpool, linear classes" % MAPS, "--batch", "50",
                   "--optimizer", "muon", "--lr", "0.05", "--augment", "crop=1,flip,cutout=2,mixup=0.2", "--ema", "0.9",
                   "--precision", "bf16", "--epochs", "4" if SANITIZED else "12", "--json", "--threads", "1"],
                  kills=8, lives=4)

    def test_stopped_muon(self):
        """Its momentum, the rest's, slow weights, gradients of some batches, and the mean of weights that a later epoch begins."""
        def arguments(*more):
            own = self.arguments(4, *more)
            own[own.index("adamw")] = "muon"
            own[own.index("--ema"):own.index("--ema") + 2] = ["--swa", "3", "--lookahead", "7", "--accumulate", "4"]
            return own
        alone = self.ok(*arguments("--out", "alone")).lines()[-1]["weights_sha256"]
        for epochs in (1, 3):
            run = arguments("--out", "run%d" % epochs)
            process = self.start(run)
            for _ in range(epochs):
                self.started(process)
            process.kill()
            self.finish(process)
            self.assertEqual(self.resumed(run), alone)

    def test_killed_over_an_older_model(self):
        """A new run does not continue the finished one that its model will replace."""
        self.ok(*self.arguments(1, "--out", "m.safetensors", "--schedule", "constant"))
        alone = self.ok(*self.arguments(3, "--out", "alone", "--schedule", "cosine"))
        arguments = self.arguments(3, "--out", "m.safetensors", "--schedule", "cosine")
        process = self.start(arguments)
        self.started(process)
        process.kill()
        self.finish(process)
        self.assertEqual(self.resumed(arguments), alone.lines()[-1]["weights_sha256"])


if __name__ == "__main__":
    main()
