"""Looking at models and data: eval, predict, summary, graph, data info, data letters."""

import os
import shutil
import struct
import subprocess

from support import Case, DEEPER, environment, main, png, write_idx, write_pictures

NET = "input 4 4 1, linear 9, relu, linear classes"
NAMES = ["cat", "dög", "red fox", "mouse"]


class Model(Case):
    """Tests that need a trained model."""

    def setUp(self):
        super().setUp()
        write_idx(self.path("set"), names=NAMES)
        self.ok("train", "set", "--net", NET, "--epochs", "3", "--batch", "32", "--out", "m")


class Eval(Model):
    def test_text(self):
        result = self.ok("eval", "m", "set")
        self.assertEqual(result.err, "")
        lines = result.out.splitlines()
        self.assertEqual(lines[0], "test half of set")
        self.assertRegex(lines[1], r"^accuracy \d+\.\d\d % \(\d+\.\d\d to \d+\.\d\d, 95 % interval\), "
                         r"\d+ of 100 right$")
        self.assertRegex(lines[2], r"^loss \d\.\d{4}$")
        table = lines[lines.index("", 3) + 1:]
        self.assertEqual(len(set(map(len, table[:5]))), 1, result.shown) # aligned
        self.assertEqual([line.split("  ")[0].strip() or line.strip().split("  ")[0]
                          for line in table[1:5]], NAMES)
        matrix = table[7:12]
        self.assertEqual(len(set(map(len, matrix))), 1, result.shown)

    def test_json(self):
        told = self.ok("eval", "m", "set", "--json").lines()
        self.assertEqual(len(told), 1)
        told = told[0]
        self.assertLessEqual({"n", "correct", "accuracy", "accuracy_low", "accuracy_high", "loss",
                              "classes", "confusion", "precision", "recall"}, set(told))
        self.assertEqual((told["n"], told["classes"]), (100, NAMES))
        self.assertEqual(sum(map(sum, told["confusion"])), 100)
        right = sum(told["confusion"][i][i] for i in range(4))
        self.assertEqual(told["correct"], right)
        self.assertNear(told["accuracy"], right / 100)
        self.assertTrue(told["accuracy_low"] < told["accuracy"] < told["accuracy_high"])
        for i in range(4):
            row, column = told["confusion"][i], [line[i] for line in told["confusion"]]
            self.assertNear(told["recall"][i], row[i] / sum(row))
            self.assertNear(told["precision"][i], column[i] / sum(column))
        # Wilson's interval at 95 %.
        z, n, p = 1.959963984540054, 100, right / 100
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
        self.assertAlmostEqual(told["accuracy_low"], middle - half, places=6)
        self.assertAlmostEqual(told["accuracy_high"], middle + half, places=6)

    def test_views(self):
        plain = self.ok("eval", "m", "set", "--json").lines()[0]
        self.assertEqual((plain["tta"], plain["accuracy_plain"], plain["loss_plain"]),
                         ("none", plain["accuracy"], plain["loss"]))
        both = self.ok("eval", "m", "set", "--tta", "flip,translate", "--json").lines()[0]
        self.assertEqual((both["tta"], both["accuracy_plain"], both["loss_plain"]),
                         ("flip,translate", plain["accuracy"], plain["loss"]))
        self.assertNotEqual(both["loss"], plain["loss"])
        lines = self.ok("eval", "m", "set", "--tta", "flip").out.splitlines()
        self.assertEqual(lines[3], "without test-time augmentation %.2f %%, %d right, loss %.4f" % (
            100 * plain["accuracy"], plain["correct"], plain["loss"]))
        self.assertNotIn("without", self.ok("eval", "m", "set").out)
        self.says(self.usage("eval", "m", "set", "--tta", "flop"), "did you mean 'flip'?")
        self.says(self.usage("eval", "m", "set", "--tta="), "--tta", "none, flip, translate")

    def test_halves(self):
        self.assertEqual(self.ok("eval", "m", "set", "--half", "train", "--json").lines()[0]["n"],
                         300)
        self.says(self.fails("eval", "m", "set", "--half", "validation"), "--val")
        told = self.ok("eval", "m", "set", "--half", "validation", "--val", "0.2", "--json")
        self.assertEqual(told.lines()[0]["n"], 60)
        self.assertIn("train half of set", self.ok("eval", "m", "set", "--half=train").out)

    def test_only_a_test_half(self):
        os.mkdir(self.path("half"))
        for name in os.listdir(self.path("set")):
            if not name.startswith("train"):
                shutil.copy(self.path("set", name), self.path("half", name))
        told = [self.ok("eval", "m", folder, "--json").lines()[0] for folder in ("set", "half")]
        self.assertEqual(told[0], told[1])

    def test_what_does_not_fit(self):
        write_idx(self.path("five"), classes=5, side=5)
        self.says(self.fails("eval", "m", "five"), "5")
        write_idx(self.path("names"), names=["cat", "dog", "red fox", "mouse"])
        self.says(self.fails("eval", "m", "names"), "'dog'", "'dög'")
        self.says(self.fails("eval", "m", "nothing"), "nothing")
        self.says(self.fails("eval", "nothing", "set"), "'nothing'")
        self.write("text", "x" * 100)
        self.says(self.fails("eval", "text", "set"), "text")

    def test_many_classes(self):
        write_idx(self.path("many"), train=120, test=60, classes=30, side=30)
        self.ok("train", "many", "--net", "input 30 30 1, linear classes", "--epochs", "1", "--out",
                "many.model")
        result = self.ok("eval", "many.model", "many")
        self.assertIn("mistaken most", result.out)
        self.assertNotIn("confusion", result.out)
        self.assertLessEqual(max(map(len, result.out.splitlines())), 100)

    def test_class_never_predicted(self):
        """Its precision is not a number: a dash, null in JSON."""
        self.ok("train", "set", "--net", NET, "--init", "zero", "--epochs", "1", "--out", "zero")
        told = self.ok("eval", "zero", "set", "--json").lines()[0]
        self.assertIn(None, told["precision"])
        self.assertRegex(self.ok("eval", "zero", "set").out, r"\n *[\w ]+ +- +0\.00 % ")


class Predict(Model):
    def setUp(self):
        super().setUp()
        with open(self.path("set", "t10k-images-idx3-ubyte"), "rb") as file:
            self.pixels = file.read()[16:32]
        png(self.path("one.png"), 4, 4, 1, self.pixels)

    def test_text(self):
        result = self.ok("predict", "m", "one.png")
        self.assertRegex(result.out, r"^one\.png: (cat|dög|red fox|mouse) \d+\.\d\d %(, [\w ]+ "
                         r"\d+\.\d\d %){3}\n$")
        self.assertRegex(self.ok("predict", "m", "one.png", "--top", "1").out,
                         r"^one\.png: [\w ]+ \d+\.\d\d %\n$")

    def test_json(self):
        told = self.ok("predict", "m", "one.png", "one.png", "--json", "--top", "3").lines()
        self.assertEqual(told[0], told[1])
        self.assertLessEqual({"image", "class", "probability", "top"}, set(told[0]))
        self.assertEqual(told[0]["image"], "one.png")
        top = told[0]["top"]
        self.assertEqual(len(top), 3)
        self.assertEqual((top[0]["class"], top[0]["probability"]),
                         (told[0]["class"], told[0]["probability"]))
        values = [entry["probability"] for entry in top]
        self.assertEqual(values, sorted(values, reverse=True))
        every = self.ok("predict", "m", "one.png", "--json", "--top", "99").lines()[0]["top"]
        self.assertAlmostEqual(sum(entry["probability"] for entry in every), 1, places=5)

    def test_views(self):
        def probability(*options):
            return self.ok("predict", "m", "one.png", "--json", *options).lines()[0]["probability"]
        self.assertEqual(probability(), probability("--tta", "none"))
        self.assertEqual(len({probability("--tta", tta) for tta in
                              ("none", "flip", "translate", "flip,translate")}), 4)

    def test_agrees_with_eval(self):
        """Image by image, predict says what eval counts."""
        with open(self.path("set", "t10k-images-idx3-ubyte"), "rb") as file:
            pixels = file.read()[16:]
        files = []
        for i in range(100):
            files.append("t%d.png" % i)
            png(self.path(files[-1]), 4, 4, 1, pixels[16 * i:16 * i + 16])
        told = self.ok("predict", "m", *files, "--json").lines()
        right = sum(told[i]["class"] == NAMES[i % 4] for i in range(100))
        self.assertEqual(right, self.ok("eval", "m", "set", "--json").lines()[0]["correct"])

    def test_standard_input(self):
        with open(self.path("one.png"), "rb") as file:
            bytes_ = file.read()
        done = subprocess.run([DEEPER, "predict", "m", "-", "--json"], input=bytes_,
                              capture_output=True, cwd=self.folder, env=environment())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b'"image":"-"', done.stdout)

    def test_goes_on_after_a_bad_file(self):
        self.write("bad.png", "no image")
        with open(self.path("one.png"), "rb") as file:
            half = file.read()[:40]
        with open(self.path("half.png"), "wb") as file:
            file.write(half)
        result = self.fails("predict", "m", "bad.png", "nofile.png", "half.png", "one.png", "--json")
        self.says(result, "bad.png", "nofile.png", "half.png")
        self.assertEqual([line["image"] for line in result.lines()], ["one.png"])

    def test_folders(self):
        """Their pictures in all depths, by name; nothing else that lies there."""
        os.makedirs(self.path("photos", "b c"))
        for name in ("photos/z.png", "photos/b c/a.png", "photos/a.png"):
            shutil.copy(self.path("one.png"), self.path(name))
        self.write("photos/notes.txt", "no image")
        result = self.ok("predict", "m", "photos", "one.png", "--json")
        self.assertEqual([line["image"] for line in result.lines()],
                         ["photos/a.png", "photos/b c/a.png", "photos/z.png", "one.png"])
        self.write("photos/bad.png", "no image")
        os.symlink("nowhere", self.path("photos/lost.png"))
        result = self.fails("predict", "m", "photos", "--json")
        self.says(result, "photos/bad.png", "photos/lost.png")
        self.assertEqual(len(result.lines()), 3)
        os.mkdir(self.path("empty"))
        self.says(self.fails("predict", "m", "empty"), "empty: holds no PNG or JPEG files")

    def test_the_model_comes_first(self):
        self.says(self.usage("predict", "one.png", "m"), "'one.png' is no model, but 'm' is")
        self.says(self.usage("eval", "set", "m"), "'set' is no model, but 'm' is")

    def test_other_sizes_and_colours(self):
        png(self.path("big.png"), 20, 11, 3, bytes(range(220)) * 3)
        self.ok("predict", "m", "big.png")

    def test_names_that_are_no_utf8(self):
        name = os.fsencode(self.folder) + b"/\xff.png"
        shutil.copy(self.path("one.png"), name)
        done = subprocess.run([os.fsencode(DEEPER), b"predict", b"m", name, b"--json"],
                              capture_output=True, cwd=self.folder, env=environment())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b'/?.png"', done.stdout)


class Summary(Model):
    def test_text(self):
        result = self.ok("summary", "--net", "input 30 30 1, linear classes", "--classes", "5")
        self.assertIn("4,505", result.out)
        self.assertEqual(result.err, "")
        lines = result.out.splitlines()
        self.assertRegex(lines[0], r"^layer +operation +output +parameters +flops an image$")
        self.assertRegex(lines[1], r"^input +30 × 30 × 1$")
        self.assertRegex(lines[2], r"^linear_1 +linear +5 +4,505 +[\d,]+$")
        self.assertRegex(lines[3], r"^total +4,505 +[\d,]+$")
        self.assertEqual(len(set(map(len, [lines[0], lines[2], lines[3]]))), 1)
        self.assertEqual(len(lines), 4)

    def test_json(self):
        told = self.ok("summary", "input 28 28 1, linear 1024, relu, linear 10", "--json").lines()[0]
        self.assertEqual(told["parameters"], 785 * 1024 + 1025 * 10)
        self.assertEqual([layer["op"] for layer in told["layers"]], ["linear", "relu", "linear"])
        for layer in told["layers"]:
            self.assertLessEqual({"name", "op", "output", "parameters", "flops"}, set(layer))
        self.assertEqual(told["layers"][0]["output"], [1024])
        self.assertEqual(sum(layer["parameters"] for layer in told["layers"]), told["parameters"])

    def test_residuals_and_branches(self):
        net = "input 8 8 3, residual { conv 3x3 3, residual { relu } }, branch { } { relu } { relu, relu }, linear 2"
        lines = self.ok("summary", net).out.splitlines()
        self.assertEqual([line[:len("│ └ residual_2")].rstrip() for line in lines[2:-1]],
                         ["┌ conv_1", "│ ┌ relu_1", "│ └ residual_2", "└ residual_1", "┌ relu_2", "├ relu_3",
                          "│ relu_4", "└ branch_1", "linear_1"])
        self.assertEqual(len(set(map(len, lines))), 2) # aligned; the second is shorter
        layers = self.ok("summary", net, "--json").lines()[0]["layers"]
        self.assertEqual([layer["depth"] for layer in layers], [1, 2, 1, 0, 1, 1, 1, 0, 0])

    def test_the_same_everywhere(self):
        """A file, the text, --net, a model: one network."""
        self.write("my.net", "input 4 4 1\nlinear 9\nrelu\nlinear classes\n")
        shown = {self.ok("summary", *arguments).out for arguments in
                 ([NET, "--classes", "4"], ["--net", NET, "--classes", "4"],
                  ["my.net", "--classes", "4"], ["--net", "my.net", "--classes", "4"],
                  ["m"], ["--net", "m"])}
        self.assertEqual(len(shown), 1, shown)

    def test_presets(self):
        told = self.ok("summary", "preset:resnet20", "--classes", "10", "--json").lines()[0]
        self.assertEqual(told["parameters"], 269722)
        self.assertEqual(sum(layer["parameters"] for layer in told["layers"]), 269722)
        layers = {layer["name"]: layer for layer in told["layers"]}
        self.assertEqual(layers["residual_4"]["output"], [16, 16, 32])
        self.assertEqual(layers["conv_2"]["flops"], 2 * 9 * 16 * 16 * 32 * 32)
        self.assertEqual(layers["global_avgpool_1"]["output"], [64])
        self.says(self.fails("summary", "preset:resnt20"), "did you mean 'resnet20'?")
        self.assertIn("resnet20", self.ok("help").out)
        self.ok("graph", "--net", "preset:lenet5", "--classes", "10", "--backward")

    def test_mistakes(self):
        self.says(self.fails("summary", NET), "--classes")
        result = self.fails("summary", "input 3 3 1, liner 4")
        self.says(result, "1:14", "input 3 3 1, liner 4", "did you mean 'linear'?")
        self.says(self.fails("summary", "nofile"), "'nofile'")
        self.says(self.fails("summary", "resnet20"), "did you mean preset:resnet20?")
        self.says(self.fails("summary", "lenet5.net"), "did you mean preset:lenet5?")
        self.says(self.usage("summary", "m", "--classes", "7"), "--classes", "'m' is a model")
        self.says(self.fails("summary", "."), "'.'")
        with open(self.path("m"), "r+b") as file:
            file.truncate(400)
        self.says(self.fails("summary", "m"), "m: ")


class Graph(Model):
    def test_dot(self):
        for more in ([], ["--backward"]):
            result = self.ok("graph", NET, "--classes", "3", *more)
            self.assertTrue(result.out.startswith("digraph "), result.shown)
            self.assertTrue(result.out.rstrip().endswith("}"))
            self.assertIn("relu", result.out)
        forward = self.ok("graph", NET, "--classes", "3").out
        self.assertGreater(len(self.ok("graph", NET, "--classes", "3", "--backward").out),
                           len(forward))
        self.assertEqual(self.ok("graph", NET, "--classes", "3", "-o", "-").out, forward)
        drawn = self.ok("graph", "input 4 4 1, conv 3x3 2, batchnorm, linear 3", "--backward").out
        self.assertNotIn('label="rows', drawn) # but in the labels of those that read it
        self.assertIn('label="cast rows\\n', drawn)
        told = self.ok("graph", NET, "--classes", "3", "--json").lines()[0]
        self.assertEqual(told["text"], forward)
        self.ok("graph", NET, "--classes", "3", "-o", "g.dot")
        with open(self.path("g.dot"), encoding="utf-8") as file:
            self.assertEqual(file.read(), forward)

    def test_pictures(self):
        if shutil.which("dot") is None:
            result = self.fails("graph", "m", "-o", "g.svg")
            self.says(result, "graphviz")
            return
        for name, magic in (("g.svg", b"<?xml"), ("g.png", b"\x89PNG")):
            result = self.ok("graph", "m", "--backward", "-o", name)
            self.assertEqual(result.out, "")
            self.says(result, name)
            with open(self.path(name), "rb") as file:
                self.assertTrue(file.read().startswith(magic))
        told = self.ok("graph", "m", "-o", "g.svg", "--json").lines()[0]
        self.assertEqual(told, {"out": "g.svg"})

    def test_without_graphviz(self):
        self.says(self.fails("graph", "m", "-o", "g.svg", PATH=self.folder), "graphviz", ".dot")

    def test_places(self):
        self.says(self.fails("graph", "m", "-o", "no/folder/g.dot"), "no/folder/g.dot")
        self.says(self.fails("graph", "m", "-o", "g.jpeg"), "g.jpeg", ".svg")
        self.usage("graph", "m", "--plan", "-o", "x.dot")
        self.usage("graph", "m", "--predict")

    def test_plan(self):
        self.assertIn("linear_1", self.ok("graph", "m", "--plan").out)
        self.assertIn("linear_1", self.ok("graph", "m", "--plan", "--json").lines()[0]["text"])
        self.assertNotEqual(self.ok("graph", "m", "--plan").out,
                            self.ok("graph", "m", "--plan", "--batch", "7").out)
        self.assertIn("gradient of", self.ok("graph", "m", "--plan").out)
        self.assertNotIn("gradient of", self.ok("graph", "m", "--plan", "--predict").out)


class Info(Case):
    def test_idx(self):
        write_idx(self.path("set"), names=NAMES)
        result = self.ok("data", "info", "set")
        self.assertRegex(result.out, r"^set: IDX\n")
        self.assertIn("4 × 4 × 1", result.out)
        self.assertRegex(result.out, r"\nred fox +75 +25\n")
        self.assertRegex(result.out, r"\nall +300 +100\n")
        self.assertEqual(result.err, "")

    def test_json(self):
        write_idx(self.path("set"), names=NAMES)
        told = self.ok("data", "info", "set", "--json").lines()
        self.assertEqual(len(told), 1)
        self.assertEqual((told[0]["train"], told[0]["test"], told[0]["classes"], told[0]["shape"]),
                         (300, 100, NAMES, [4, 4, 1]))
        self.assertEqual(told[0]["train_per_class"], [75] * 4)
        self.assertEqual(told[0]["unreadable"], [])

    def test_sizes_and_duplicates(self):
        write_pictures(self.path("set"), NAMES, 3)
        write_pictures(self.path("set"), NAMES, 1, side=11)
        source = self.path("set", "train", "cat", "8-0.png")
        shutil.copy(source, self.path("set", "train", "cat", "again.png"))
        shutil.copy(source, self.path("set", "test", "cat", "across.png"))
        self.write("set/train/cat/.DS_Store", "x")
        told = self.ok("data", "info", "set", "--json").lines()[0]
        self.assertEqual((told["duplicates_train"], told["duplicates_test"],
                          told["duplicates_across"]), (1, 0, 1))
        self.assertEqual((told["shape"], told["sizes"], told["ignored"]), ([], 2, 1))
        self.assertIn("8 to 11 high", self.ok("data", "info", "set").out)

    def test_unreadable(self):
        """All is printed, then the status is 1."""
        write_pictures(self.path("set"), NAMES, 3)
        self.write("set/train/cat/bad.png", "\x89PNG no image")
        result = self.fails("data", "info", "set")
        self.assertIn("bad.png", result.out)
        self.assertRegex(result.out, r"\nall +1[23] +12\n")
        told = self.fails("data", "info", "set", "--json").lines()[0]
        self.assertEqual(len(told["unreadable"]), 1)
        self.assertIn("bad.png", told["unreadable"][0])

    def test_empty_class(self):
        write_pictures(self.path("set"), NAMES, 2)
        shutil.rmtree(self.path("set", "test", "cat"))
        os.mkdir(self.path("set", "test", "cat"))
        result = self.fails("data", "info", "set")
        self.says(result, "empty")
        self.assertRegex(result.out, r"\ncat .* empty\n")

    def test_nothing(self):
        self.says(self.fails("data", "info", "nothing"), "nothing")
        os.mkdir(self.path("empty"))
        self.says(self.fails("data", "info", "empty"), "empty")
        png(self.path("empty", "1.png"), 4, 4, 1, bytes(16))
        self.says(self.fails("data", "info", "empty"), "1 picture lies in it, and none in a class's folder")


class Letters(Case):
    def test_no_fonts(self):
        os.mkdir(self.path("fonts"))
        result = self.fails("data", "letters", "--out", "set", "--fonts", "fonts")
        self.says(result, "font")
        self.says(self.fails("data", "letters", "--out", "set", "--fonts", "nowhere"), "nowhere")

    def test_same_bytes(self):
        """With the fonts that the machine or the build folder has, if they are enough."""
        fonts = os.path.join(os.environ.get("DEEPER_SOURCE", ""), "build", "fonts")
        more = ["--fonts", fonts] if os.path.isdir(fonts) else []
        one = self.run_deeper("data", "letters", "--out", "a", "--train", "50", "--test", "20",
                              "--json", *more)
        if one.status != 0:
            self.says(one, "font")
            self.skipTest(one.err)
        told = one.lines()[0]
        self.assertEqual((told["train"], told["test"]), (50, 20))
        self.assertEqual(told["families"], told["train_families"] + told["test_families"])
        two = self.ok("data", "letters", "--out", "b", "--train", "50", "--test", "20", *more)
        self.assertIn("contact-sheet.png", two.out)
        for name in os.listdir(self.path("a")):
            if os.path.isfile(self.path("a", name)):
                with open(self.path("a", name), "rb") as a, open(self.path("b", name), "rb") as b:
                    self.assertEqual(a.read(), b.read(), name)
        with open(self.path("a", "train-images-idx3-ubyte"), "rb") as file:
            self.assertEqual(struct.unpack(">IIII", file.read(16)), (0x803, 50, 28, 28))
        self.assertEqual(self.ok("data", "info", "a", "--json").lines()[0]["classes"],
                         list("ABCDEFGHIJ"))


if __name__ == "__main__":
    main()
