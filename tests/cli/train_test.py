"""deeper train: its lines and JSON, names of files, resuming, logs, failures that leave what was good."""

import hashlib
import json
import os
import pty
import re
import select
import struct
import subprocess

from support import Case, DEEPER, TIMEOUT, environment, main, write_idx, write_pictures

NET = "input 4 4 1, linear 9, relu, linear classes"
FEW = ["--net", NET, "--epochs", "3", "--batch", "32"]
EPOCH_KEYS = {"epoch", "loss", "train_accuracy", "images_per_second", "lr", "seconds"}
DONE_KEYS = {"done", "model", "report", "test_accuracy", "test_accuracy_plain", "weights_sha256", "parameters",
             "seconds", "decode_seconds", "data_sha256", "device", "isa", "precision"}


def timeless(line):
    return {key: value for key, value in line.items() if not key.endswith("seconds")}


def weights_sha256(path):
    """Over the parameters' bytes in the file's order; state has names with '/' or of counters."""
    with open(path, "rb") as file:
        n, = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(n))
        body = file.read()
    places = sorted(entry["data_offsets"] for name, entry in header.items()
                    if re.fullmatch(r"\w+\.(weights|bias)", name))
    digest = hashlib.sha256()
    for begin, end in places:
        digest.update(body[begin:end])
    return digest.hexdigest()


class Train(Case):
    def setUp(self):
        super().setUp()
        write_idx(self.path("set"))

    def train(self, *more, **options):
        return self.ok("train", "set", *FEW, *more, **options)

    def files(self):
        return sorted(os.listdir(self.folder))

    def test_lines(self):
        result = self.train("--val", "0.2")
        lines = result.out.splitlines()
        epochs = [line for line in lines if line.startswith("epoch ")]
        self.assertEqual(len(epochs), 3, result.shown)
        for i, line in enumerate(epochs):
            self.assertRegex(line, r"^epoch %d/3  loss \d\.\d{4}  train \d+\.\d\d %%  val \d+\.\d\d %% "
                             r"\(\d+\.\d\d to \d+\.\d\d\)  [\d,]+ images/s  lr \S+" % (i + 1))
            self.assertEqual("ETA" in line, i < 2, line)
        self.assertRegex(result.out, r"\ntest accuracy \d+\.\d\d % \(.* 100 images\)\n")
        self.assertIn("model set.safetensors: 193 parameters", result.out)
        self.assertIn("set: IDX, 4 classes, 240 images to train on, 60 to validate, 100 to test\n", result.err)
        self.assertNotIn("\r", result.err + result.out)
        self.assertEqual(self.files(), ["set", "set.report.html", "set.safetensors"])

    def test_quiet(self):
        result = self.train("--quiet")
        self.assertEqual(result.err, "")
        self.assertRegex(result.out, r"^test accuracy .*\nmodel .*\nreport .*\n$")

    def test_json(self):
        result = self.train("--json", "--out", "m.safetensors")
        lines = result.lines()
        self.assertEqual(len(lines), 4)
        for i, line in enumerate(lines[:3]):
            self.assertEqual(set(line), EPOCH_KEYS)
            self.assertEqual(line["epoch"], i + 1)
            self.assertTrue(0 <= line["train_accuracy"] <= 1 and line["loss"] > 0)
        done = lines[3]
        self.assertEqual(set(done), DONE_KEYS)
        self.assertIs(done["done"], True)
        self.assertEqual(done["model"], "m.safetensors")
        self.assertEqual(done["parameters"], 16 * 9 + 9 + 9 * 4 + 4)
        self.assertEqual(done["test_accuracy"], done["test_accuracy_plain"])
        self.assertEqual(done["weights_sha256"], weights_sha256(self.path("m.safetensors")))
        self.assertTrue(0 < done["decode_seconds"] < done["seconds"] + 1)
        told = self.ok("eval", "m.safetensors", "set", "--json").lines()[0]
        self.assertEqual(told["accuracy"], done["test_accuracy"])
        self.assertGreater(told["accuracy"], 0.4)

    def test_json_with_validation(self):
        lines = self.train("--json", "--val", "0.25").lines()
        for line in lines[:3]:
            self.assertLessEqual(EPOCH_KEYS | {"val_accuracy"}, set(line))
            self.assertTrue(line["val_accuracy_low"] <= line["val_accuracy"]
                            <= line["val_accuracy_high"])
            self.assertNotIn("test_accuracy", line)

    def test_same_seed_same_weights(self):
        hashes = [self.train("--json", "--seed", seed).lines()[-1]["weights_sha256"]
                  for seed in ("1", "1", "2")]
        self.assertEqual(hashes[0], hashes[1])
        self.assertNotEqual(hashes[0], hashes[2])

    def test_options_reach_the_trainer(self):
        plain = self.train("--json").lines()[-1]["weights_sha256"]
        for option in (["--lr", "0.01"], ["--momentum", "0.5"], ["--schedule", "step"],
                       ["--warmup", "1"], ["--optimizer", "adamw"], ["--weight-decay", "0.1"],
                       ["--label-smoothing", "0.1"], ["--clip-norm", "0.1"],
                       ["--init", "xavier"], ["--schedule", "step", "--step-epochs", "1"],
                       ["--schedule", "exponential", "--decay", "0.1"], ["--val", "0.5"],
                       ["--group", "vectors:lr=3"], ["--ema", "0.9"], ["--swa", "2"], ["--accumulate", "2"],
                       ["--lookahead", "5"], ["--lookahead", "5", "--lookahead-alpha", "0.25"],
                       ["--lookahead", "5", "--lookahead-power", "3"],
                       ["--group", "linear_1.*:freeze", "--group", "linear_1.bias:freeze-after=1"]):
            with self.subTest(option):
                other = self.train("--json", *option).lines()[-1]["weights_sha256"]
                self.assertNotEqual(plain, other)
        self.assertEqual(plain, self.train("--json", "--class-weights", "balanced").lines()[-1]
                         ["weights_sha256"]) # the set is balanced
        for option in (["--class-weights", "2=3"], ["--loss-reduction", "sum"]):
            self.assertNotEqual(plain, self.train("--json", *option).lines()[-1]["weights_sha256"])

    def test_class_weights_by_name(self):
        write_idx(self.path("named"), names=["ant", "bee", "cat", "dog"])
        def hash_of(weights):
            return self.ok("train", "named", *FEW, "--class-weights", weights,
                           "--json").lines()[-1]["weights_sha256"]
        self.assertEqual(hash_of("cat=2,ant=0.5"), hash_of("ant=0.5,bee=1,cat=2"))
        self.assertNotEqual(hash_of("cat=2"), hash_of("ant=2"))
        self.says(self.fails("train", "named", *FEW, "--class-weights", "ctt=2"),
                  "class_weights", "no class 'ctt'; did you mean 'cat'?")
        self.says(self.fails("train", "named", *FEW, "--class-weights", "balnced"),
                  "did you mean 'balanced'?")
        self.says(self.usage("train", "named", "--class-weights"), "--class-weights needs a value")
        self.says(self.usage("train", "named", "--loss-reduction", "smu"), "did you mean 'sum'?")

    def test_muon(self):
        muon = ["--optimizer", "muon"]
        hashes = [self.train("--json", *muon, *more).lines()[-1]["weights_sha256"]
                  for more in ([], ["--rest-optimizer", "sgd"], ["--rest-lr", "0.01"],
                               ["--rest-momentum", "0.5"], ["--muon-steps", "3"],
                               ["--muon-renormalise"], ["--lr", "0.1"])]
        self.assertEqual(len(set(hashes)), len(hashes))
        self.says(self.usage("train", "set", *FEW, "--rest-optimizer", "muon"), "--rest-optimizer",
                  "one of sgd, momentum, nesterov, adamw")
        self.says(self.fails("train", "set", *FEW, *muon, "--group", "vectors:optimizer=muon"),
                  "'linear_1.bias' is a vector")

    def test_groups(self):
        self.says(self.fails("train", "set", *FEW, "--group", "liner_1.*:lr=1"), "'liner_1.*:lr=1'",
                  "there are linear_1.weights, linear_1.bias, linear_2.weights, linear_2.bias")
        self.train("--group", "*1.bias:lr=2")
        self.train("--group", "*1.bias:lr=2", "--resume")
        self.says(self.fails("train", "set", *FEW, "--group", "*1.bias:lr=3", "--resume"),
                  'groups is ["*1.bias:lr=3"] here', "--resume")

    def test_default_network_and_name(self):
        lines = self.ok("train", "./set/", "--epochs", "1", "--json").lines()
        self.assertEqual(lines[-1]["model"], "set.safetensors")
        self.assertEqual(lines[-1]["parameters"], 17 * 1024 + 1025 * 4)
        inside = self.run_in("set", "train", ".", "--epochs", "1", "--json")
        self.assertEqual(inside["model"], "model.safetensors")

    def run_in(self, folder, *arguments):
        done = subprocess.run([DEEPER, *arguments], capture_output=True, text=True, check=True,
                              cwd=self.path(folder), env=environment())
        return json.loads(done.stdout.splitlines()[-1])

    def test_net_file(self):
        self.write("my.net", "input 4 4 1\nlinear 9\nrelu # a comment\nlinear classes\n")
        one = self.ok("train", "set", "--net", "my.net", "--epochs", "3", "--batch", "32", "--json")
        two = self.train("--json")
        self.assertEqual(one.lines()[-1]["weights_sha256"], two.lines()[-1]["weights_sha256"])

    def test_preset(self):
        result = self.ok("train", "set", "--net", "preset:mlp", "--epochs", "1")
        self.says(result, "preset:mlp is made for images of 28 × 28 × 1; here it takes the data's "
                  "4 × 4 × 1")
        shown = self.ok("summary", "set.safetensors", "--json").lines()[0]
        self.assertEqual(shown["parameters"], 17 * 1024 + 1025 * 4)
        self.ok("eval", "set.safetensors", "set")

    def test_net_that_does_not_fit(self):
        result = self.fails("train", "set", "--net", "input 5 5 1, linear 3")
        self.says(result, "3", "4")

    def test_patience(self):
        result = self.ok("train", "set", "--net", NET, "--epochs", "200", "--patience", "2",
                         "--json")
        lines = result.lines()
        self.assertLess(len(lines), 201)
        self.assertIn("val_accuracy", lines[0])
        best = max(line["val_accuracy"] for line in lines[:-1])
        told = self.ok("eval", "set.safetensors", "set", "--half", "validation", "--val", "0.1",
                       "--json").lines()[0]
        self.assertEqual(told["accuracy"], best)
        at = 1 + [line.get("val_accuracy") for line in lines].index(best)
        self.says(result, "no better validation accuracy since epoch %d" % at)

    def test_views_are_kept(self):
        plain = self.train("--json").lines()[-1]
        done = self.train("--json", "--tta", "flip").lines()[-1]
        self.assertEqual(done["test_accuracy_plain"], plain["test_accuracy"])
        self.assertEqual(done["weights_sha256"], plain["weights_sha256"])
        told = self.ok("eval", "set.safetensors", "set", "--json").lines()[0]
        self.assertEqual((told["tta"], told["accuracy"], told["accuracy_plain"]),
                         ("flip", done["test_accuracy"], done["test_accuracy_plain"]))
        self.assertEqual(self.ok("eval", "set.safetensors", "set", "--tta", "none",
                                 "--json").lines()[0]["accuracy"], plain["test_accuracy"])
        lines = self.train("--tta", "flip").out.splitlines()
        self.assertEqual(lines[-3], "without test-time augmentation %.2f %%" % (
            100 * plain["test_accuracy"]))
        self.says(self.fails("train", "set", *FEW, "--resume"), "tta is 'none' here, but 'flip'")
        self.says(self.usage("train", "set", "--tta", "flip,flip"), "--tta", "flip,translate")

    def test_split_is_said(self):
        """Without a test half a part of each class becomes one."""
        write_idx(self.path("half"), test=0)
        result = self.ok("train", "half", *FEW, "--json")
        self.says(result, "a fifth of each class")
        self.assertIsNotNone(result.lines()[-1]["test_accuracy"])

    def test_pictures_of_many_sizes(self):
        write_pictures(self.path("pictures"), ["cat", "dög", "red fox"], 6)
        write_pictures(self.path("pictures"), ["cat"], 1, side=11)
        result = self.ok("train", "pictures", "--epochs", "1")
        self.says(result, "32 × 32")
        self.fails("train", "pictures", "--epochs", "1", "--net", "input 8 8 1, linear 2")
        self.ok("train", "pictures", "--epochs", "1", "--net", "input 8 8 1, linear classes",
                "--fit", "crop")

    def choice(self, folder, *options):
        """What train says that it chose: (pictures, grey or colour, net, size, epochs, batch, augmentation)."""
        result = self.ok("train", folder, *options)
        found = re.search(r"deeper: (\d+) (grey|colour) pictures to train on, median side \d+: --net "
                          r"preset:(\S+) at (\d+ × \d+), --epochs (\d+) --batch (\d+) --weight-decay "
                          r"(?:0.005|0.0005|0.25) --label-smoothing (?:0|0.1) --augment (\S+); what is "
                          r"given wins\n",
                          result.err)
        return found.groups() if found else None

    def test_pictures_choose_the_network(self):
        write_pictures(self.path("grey"), ["a", "b"], 5, side=28)
        self.assertEqual(self.choice("grey", "--epochs", "1"),
                         ("10", "grey", "small-cnn", "28 × 28", "1", "16", "crop=2,pad=reflect"))
        write_pictures(self.path("colour"), ["a", "b"], 5, side=12, channels=3)
        self.assertEqual(self.choice("colour", "--batch", "5"),
                         ("10", "colour", "small-cnn", "12 × 12", "80", "5",
                          "crop=1,pad=reflect,flip"))
        result = self.ok("train", "colour", "--epochs", "1", "--weight-decay", "0.25")
        self.says(result, "--weight-decay 0.25 --label-smoothing 0.1 --augment crop=1,")
        result = self.ok("train", "colour", "--epochs", "1", "--augment", "cutout=3")
        self.says(result, "--augment cutout=3;")
        write_pictures(self.path("many"), ["a", "b", "c"], 167, side=8, halves=["train"], channels=3)
        write_pictures(self.path("many"), ["a", "b", "c"], 1, side=8, halves=["test"], channels=3)
        self.assertEqual(self.choice("many", "--epochs", "1")[2:],
                         ("small-cnn", "8 × 8", "1", "32", "crop=1,pad=reflect,flip"))
        write_pictures(self.path("middle"), ["a", "b"], 3, side=48)
        self.assertEqual(self.choice("middle", "--epochs", "1")[2:],
                         ("photo-cnn", "48 × 48", "1", "16", "crop=3,pad=reflect"))
        write_pictures(self.path("large"), ["a", "b"], 2, side=150)
        self.assertEqual(self.choice("large", "--epochs", "1")[2:4], ("photo-cnn", "128 × 128"))
        write_pictures(self.path("large"), ["a", "b"], 4, side=40)
        self.assertEqual(self.choice("large", "--epochs", "1")[2:4], ("photo-cnn", "64 × 64"))
        self.assertEqual(self.choice("large", "--epochs", "1", "--input-size", "16")[2:4],
                         ("small-cnn", "16 × 16"))

    def test_pictures_that_leave_no_choice(self):
        write_pictures(self.path("tiny"), ["a", "b"], 4, side=6)
        self.assertIsNone(self.choice("tiny", "--epochs", "1"))
        self.assertIsNone(self.choice("set", "--epochs", "1"))
        write_pictures(self.path("pictures"), ["a", "b"], 4, side=12)
        self.assertIsNone(self.choice("pictures", "--epochs", "1", "--net", "preset:mlp"))
        self.says(self.fails("train", "nowhere"), "does not exist")

    def test_chosen_network_is_learnt_and_resumed(self):
        write_pictures(self.path("pictures"), ["a", "b", "c"], 12, side=12)
        one = self.ok("train", "pictures", "--json", "--augment", "crop=0").lines() # classes are places
        self.assertEqual(len(one), 81)
        self.assertGreater(one[-1]["test_accuracy"], 0.9)
        again = self.ok("train", "pictures", "--json", "--augment", "crop=0", "--resume").lines()
        self.says(self.fails("train", "pictures", "--resume"), 'augment is "crop=1,pad=reflect" here')
        self.assertEqual(again[-1]["weights_sha256"], one[-1]["weights_sha256"])
        self.assertEqual(self.ok("eval", "pictures.safetensors", "pictures",
                                 "--json").lines()[0]["accuracy"], one[-1]["test_accuracy"])

    def test_input_size(self):
        write_pictures(self.path("pictures"), ["a", "b"], 3, side=9)
        self.ok("train", "pictures", "--net", "input data, linear classes", "--input-size", "5",
                "--epochs", "1")
        shown = self.ok("summary", "pictures.safetensors", "--json").lines()[0]
        self.assertEqual(shown["parameters"], 26 * 2)
        self.says(self.usage("train", "pictures", "--net", "input 9 9 1, linear classes",
                             "--input-size", "5"), "--input-size", "'input data'")
        self.says(self.usage("train", "pictures", "--input-size", "0"), "--input-size")

    def test_log(self):
        result = self.train("--log", "log.jsonl", "--json")
        with open(self.path("log.jsonl"), encoding="utf-8") as file:
            logged = [json.loads(line) for line in file]
        self.assertEqual([timeless(line) for line in logged],
                         [timeless(line) for line in result.lines()])
        # A longer run's log holds the earlier epochs, too, each once.
        self.ok("train", "set", "--net", NET, "--batch", "32", "--epochs", "5", "--resume", "--log",
                "log.jsonl")
        with open(self.path("log.jsonl"), encoding="utf-8") as file:
            logged = [json.loads(line) for line in file]
        self.assertEqual([line.get("epoch") for line in logged], [1, 2, 3, 4, 5, None])

    def test_replaces_a_model_only_when_complete(self):
        self.train()
        with open(self.path("set.safetensors"), "rb") as file:
            before = file.read()
        result = self.fails("train", "set", "--net", NET, "--lr", "1000", "--epochs", "50",
                            "--optimizer", "sgd", "--schedule", "constant")
        self.says(result, "not finite", "learning rate", "set.checkpoint.safetensors")
        with open(self.path("set.safetensors"), "rb") as file:
            self.assertEqual(file.read(), before)
        self.says(result, "'set.safetensors', a model that is there already, is replaced when")

    def test_replaces_nothing_but_models(self):
        self.write("notes", "of value")
        self.says(self.fails("train", "set", *FEW, "--out", "notes"), "'notes': it is there, and no model")
        with open(self.path("notes"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "of value")

    def test_keeps_what_is_no_lock_and_no_checkpoint(self):
        self.write("notes.lock", "of value")
        self.says(self.fails("train", "set", *FEW, "--out", "notes"), "'notes.lock': it is there, and no lock of a training")
        self.write("other.checkpoint.safetensors", "of value")
        self.says(self.fails("train", "set", *FEW, "--out", "other.safetensors"),
                  "'other.checkpoint.safetensors': it is there, and no model")
        for name in ("notes.lock", "other.checkpoint.safetensors"):
            with open(self.path(name), encoding="utf-8") as file:
                self.assertEqual(file.read(), "of value")

    def test_one_training_at_a_time(self):
        process = subprocess.Popen([DEEPER, "train", "set", "--net", NET, "--epochs", "1000000", "--json"],
                                   cwd=self.folder, stdout=subprocess.PIPE, env=environment())
        try:
            process.stdout.readline()
            self.says(self.fails("train", "set", *FEW), "another training writes it now")
            self.train("--out", "other.safetensors")
        finally:
            process.kill() # which leaves the lock's file, held by nobody
            process.communicate()
        self.train()
        self.assertEqual(self.files(), ["other.report.html", "other.safetensors", "set", "set.report.html", "set.safetensors"])

    def test_limit_of_the_size_of_files(self):
        import resource
        done = subprocess.run([DEEPER, "train", "set", *FEW], cwd=self.folder, capture_output=True, text=True,
                              env=environment(),
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("File too large", done.stderr)
        self.assertEqual(self.files(), ["set"])

    def test_networks_and_models_in_the_wrong_place(self):
        self.train("--out", "m")
        self.says(self.usage("train", "set", "preset:mlp"), "--net 'preset:mlp'")
        self.says(self.usage("train", NET, "set"), "--net '%s'" % NET)
        self.says(self.usage("train", "m", "set"), "'m' is a model")
        self.says(self.fails("train", "set", "--net", "m"), "'m' is a model", "--out MODEL --resume")
        self.says(self.fails("train", "set", "--net", "set"), "'set' is a directory")

    def test_non_finite(self):
        result = self.fails("train", "set", "--net", NET, "--lr", "1000", "--epochs", "50",
                            "--optimizer", "sgd", "--schedule", "constant", "--json")
        self.assertRegex(result.err, r"step \d+")
        self.assertRegex(result.err, r"'set\.checkpoint\.safetensors'")
        self.assertFalse(any("done" in line for line in result.lines()))
        # The checkpoint is a model that can be used.
        self.ok("eval", "set.checkpoint.safetensors", "set")
        self.assertFalse(os.path.exists(self.path("set.safetensors")))

    def test_bad_data(self):
        self.says(self.fails("train", "nothing"), "nothing", "does not exist")
        os.mkdir(self.path("empty"))
        self.says(self.fails("train", "empty"), "empty")
        with open(self.path("set", "train-images-idx3-ubyte"), "r+b") as file:
            file.truncate(100)
        self.says(self.fails("train", "set", *FEW), "train-images-idx3-ubyte")

    def test_full_disk_for_the_output(self):
        """The model is made all the same; the status tells."""
        with open("/dev/full", "w", encoding="utf-8") as full:
            result = self.run_deeper("train", "set", *FEW, "--json", stdout=full)
        self.assertEqual(result.status, 1, result.err)
        self.says(result, "cannot write the output")
        self.ok("eval", "set.safetensors", "set")

    def test_full_disk_for_the_log(self):
        result = self.fails("train", "set", *FEW, "--log", "/dev/full")
        self.says(result, "--log '/dev/full'")

    def test_closed_pipe(self):
        """A reader that goes away (| head -1) costs neither the run nor the model."""
        process = subprocess.Popen([DEEPER, "train", "set", *FEW, "--json"], cwd=self.folder,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=environment())
        process.stdout.close()
        error = process.stderr.read()
        process.stderr.close()
        self.assertEqual(process.wait(timeout=TIMEOUT), 1, error)
        self.assertIn("cannot write the output", error)
        self.ok("eval", "set.safetensors", "set")


class Resume(Case):
    def setUp(self):
        super().setUp()
        write_idx(self.path("set"))

    def train(self, *more):
        return self.ok("train", "set", "--net", NET, "--batch", "32", "--json", *more)

    def test_nothing_to_resume(self):
        result = self.train("--epochs", "3", "--resume")
        self.says(result, "no run to resume")
        self.assertEqual(len(result.lines()), 4)

    def test_finished(self):
        first = self.train("--epochs", "3")
        with open(self.path("set.safetensors"), "rb") as file:
            before = file.read()
        again = self.train("--epochs", "3", "--resume")
        self.assertEqual(len(again.lines()), 1)
        self.assertEqual(timeless(again.lines()[0]), timeless(first.lines()[-1]))
        with open(self.path("set.safetensors"), "rb") as file:
            self.assertEqual(file.read(), before)
        self.assertEqual(sorted(os.listdir(self.folder)), ["set", "set.report.html", "set.safetensors"])

    def test_more_epochs(self):
        """Under a schedule that does not depend on the number of epochs: as if asked at once."""
        self.train("--epochs", "2", "--schedule", "constant")
        more = self.train("--epochs", "4", "--schedule", "constant", "--resume").lines()
        self.assertEqual([line.get("epoch") for line in more], [3, 4, None])
        whole = self.train("--epochs", "4", "--schedule", "constant", "--out", "b").lines()
        self.assertEqual(more[-1]["weights_sha256"], whole[-1]["weights_sha256"])

    def test_what_differs_is_named(self):
        self.train("--epochs", "2")
        for option, word in ((["--epochs", "2", "--lr", "0.25"], "0.25"),
                             (["--epochs", "2", "--momentum", "0.25"], "momentum"),
                             (["--epochs", "2", "--seed", "9"], "seed"),
                             (["--epochs", "2", "--batch", "16"], "batch"),
                             (["--epochs", "2", "--init", "zero"], "init"),
                             (["--epochs", "1"], "epochs")):
            with self.subTest(option):
                net = ["--net", NET] + ([] if "--batch" in option else ["--batch", "32"])
                result = self.fails("train", "set", *net, *option, "--resume")
                self.says(result, word, "set.safetensors", "--resume")
        result = self.fails("train", "set", "--net", "input 4 4 1, linear classes", "--batch", "32",
                            "--epochs", "2", "--resume")
        self.says(result, "net is")
        again = "input 4 4 1\nblock hidden(n) { linear $n, relu } # another text, the same layers\nhidden(9)\nlinear classes"
        told = self.ok("train", "set", "--net", again, "--batch", "32", "--epochs", "2", "--resume")
        self.says(told, "was finished after 2 epochs")
        write_idx(self.path("set"), train=304)
        self.fails("train", "set", "--net", NET, "--batch", "32", "--epochs", "2", "--resume")

    def test_what_may_differ(self):
        first = self.train("--epochs", "2", "--threads", "1").lines()[-1]
        for more in (["--threads", "2"], ["--log", "l"], ["--quiet"]):
            again = self.train("--epochs", "2", "--resume", *more).lines()[-1]
            self.assertEqual(again["weights_sha256"], first["weights_sha256"])

    def test_not_a_run(self):
        self.write("set.safetensors", "nonsense")
        self.says(self.fails("train", "set", "--net", NET, "--resume"), "set.safetensors")

    def test_an_earlier_checkpoint(self):
        """Without --resume it is replaced, and that is said."""
        self.train("--epochs", "1")
        os.rename(self.path("set.safetensors"), self.path("set.checkpoint.safetensors"))
        self.says(self.train("--epochs", "1"), "'set.checkpoint.safetensors'", "replaced")
        self.assertFalse(os.path.exists(self.path("set.checkpoint.safetensors")))

    def test_other_endings(self):
        self.write("model.checkpoint", "nonsense")
        self.says(self.fails("train", "set", "--net", NET, "--out", "model", "--resume"),
                  "model.checkpoint")


class Terminal(Case):
    def setUp(self):
        super().setUp()
        write_idx(self.path("set"), train=2000, side=8)

    def on_terminal(self, columns, **changes):
        """What a terminal gets on stderr, and stdout."""
        outer, inner = pty.openpty()
        import fcntl, termios
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen([DEEPER, "train", "set", "--epochs", "4", "--batch", "8"],
                                   stdout=subprocess.PIPE, stderr=inner, text=True,
                                   cwd=self.folder, env=environment(**changes))
        os.close(inner)
        seen = b""
        while True:
            ready, _, _ = select.select([outer], [], [], TIMEOUT)
            self.assertTrue(ready, "the command hangs")
            try:
                piece = os.read(outer, 65536)
            except OSError: # the other side is closed
                break
            if not piece:
                break
            seen += piece
        out = process.stdout.read()
        process.stdout.close()
        self.assertEqual(process.wait(timeout=TIMEOUT), 0, seen)
        os.close(outer)
        return seen.decode(), out

    def test_bar(self):
        for columns in (30, 60, 200):
            with self.subTest(columns):
                seen, out = self.on_terminal(columns, TERM="xterm", NO_COLOR="1")
                bars = [text for text in re.split(r"\r\x1b\[K|\r\n", seen)
                        if text.startswith("epoch ")]
                self.assertTrue(bars, seen)
                self.assertLess(max(len(bar) for bar in bars), columns)
                self.assertNotRegex(seen, r"\x1b\[[0-9;]*m")
                self.assertEqual(out.count("epoch "), 4)
                if columns == 200:
                    self.assertRegex(bars[-1], r"^epoch \d/4 \[[#.]{40}\] loss .* ETA ")

    def test_plain_lines_elsewhere(self):
        seen, _ = self.on_terminal(80, TERM="dumb")
        self.assertNotIn("\x1b", seen)


if __name__ == "__main__":
    main()
