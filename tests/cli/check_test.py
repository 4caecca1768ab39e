"""deeper data check: each fault that is put into a set is named, with its images, and nothing else; a clean set raises nothing."""

import json
import os
import shutil
import struct
import subprocess

from support import DEEPER, Case, Noise, environment, main, png, write_idx

CLASSES = ("ant", "bee", "cat")
SIDE = 24
GRID = 7  # random values on a side; between them pixels go linearly


def photo(label, noise, gain=1.0, side=SIDE):
    """RGB: some coarse texture, no two alike, and a third that is brighter, which says the class."""
    coarse = [[[noise(110) for _ in range(3)] for _ in range(GRID)] for _ in range(GRID)]
    pixels = bytearray()
    for y in range(side):
        v = y * (GRID - 1) / side
        for x in range(side):
            u = x * (GRID - 1) / side
            i, j, a, b = int(v), int(u), v % 1, u % 1
            bright = 100 if 3 * x // side == label else 0
            for k in range(3):
                value = ((1 - a) * ((1 - b) * coarse[i][j][k] + b * coarse[i][j + 1][k])
                         + a * ((1 - b) * coarse[i + 1][j][k] + b * coarse[i + 1][j + 1][k]))
                pixels.append(int(gain * (value + bright)))
    return bytes(pixels)


class Check(Case):
    def make(self, train=30, test=10, classes=CLASSES):
        noise = Noise(11)
        for half, n in (("train", train), ("test", test)):
            for label, name in enumerate(classes):
                os.makedirs(self.path("set", half, name))
                for i in range(n):
                    png(self.path("set", half, name, "%d.png" % i), SIDE, SIDE, 3, photo(label, noise))
        return noise

    def found(self, *more, status=0):
        """What was found: its name → the object."""
        told = self.expect(status, "data", "check", "set", "--json", *more).lines()
        self.assertEqual(len(told), 1)
        for finding in told[0]["findings"]:
            self.assertEqual(finding["count"], len(finding["suspects"]) or len(finding.get("files", finding.get("classes"))))
            self.assertTrue(finding["what"] and finding["remedy"])
        return {finding["finding"]: finding for finding in told[0]["findings"]}

    def suspects(self, finding):
        return [suspect["path"][len("set/"):] for suspect in finding["suspects"]]

    def copy(self, source, target):
        shutil.copy(self.path("set", source), self.path("set", target))

    def test_a_clean_set(self):
        self.make()
        self.assertEqual(self.found(), {})
        result = self.ok("data", "check", "set", "--strict", "-o", "sheet.png")
        self.assertEqual(result.out, "set: 90 training, 0 validation and 30 test images of 3 classes\nnothing was found\n")
        self.assertIn("no suspect", result.err)
        self.assertFalse(os.path.exists(self.path("sheet.png")))

    def test_a_clean_set_of_noise(self):
        write_idx(self.path("set"), train=200, test=60, side=20)
        self.assertEqual(self.found(), {})

    def test_copies(self):
        self.make()
        self.copy("train/ant/1.png", "train/ant/again.png")
        self.copy("train/bee/2.png", "test/bee/leak.png")
        self.copy("train/cat/3.png", "train/ant/cat.png")
        found = self.found("--folds", "0")
        self.assertEqual(set(found), {"duplicate", "duplicate-across", "two-labels"})
        self.assertEqual(self.suspects(found["duplicate"]), ["train/ant/again.png"])
        self.assertEqual(found["duplicate"]["suspects"][0]["twin"]["path"], "set/train/ant/1.png")
        self.assertEqual(self.suspects(found["duplicate-across"]), ["test/bee/leak.png"])
        one = found["two-labels"]["suspects"][0]
        self.assertEqual({one["class"], one["twin"]["class"]}, {"ant", "cat"})

    def test_a_copy_across_with_another_label(self):
        self.make()
        self.copy("train/bee/2.png", "test/cat/leak.png")
        self.assertEqual(set(self.found("--folds", "0")), {"duplicate-across", "two-labels"})

    def test_almost_the_same(self):
        """Darker, larger, with another label, and ten copies of one, each a little darker."""
        self.make()
        for name, label, where, gain, side in (("dark", 0, "test/ant", 0.8, SIDE), ("large", 1, "train/bee", 1, 40),
                                               ("other", 2, "train/ant", 0.9, SIDE)):
            for to, factor, size in (("train/" + CLASSES[label], 1, SIDE), (where, gain, side)):
                png(self.path("set", to, name + to.replace("/", "-") + str(size) + ".png"), size, size, 3,
                    photo(label, Noise(77 + label), factor, size))
        for i in range(10):
            png(self.path("set", "train/cat", "row%d.png" % i), SIDE, SIDE, 3, photo(2, Noise(99), 1 - i / 40))
        found = self.found("--folds", "0")
        self.assertEqual(set(found), {"near-duplicate-across", "near-two-labels", "near-duplicate"})
        self.assertEqual(self.suspects(found["near-duplicate-across"]), ["test/ant/darktest-ant24.png"])
        self.assertEqual([os.path.basename(path) for path in self.suspects(found["near-two-labels"])], ["othertrain-cat24.png"])
        again = self.suspects(found["near-duplicate"])
        self.assertEqual(len(again), 1 + 9)
        self.assertEqual(sum("row" in path for path in again), 9)

    def test_almost_the_same_in_validation(self):
        """Which counts as training half: each pair once, whichever comes first in the set."""
        noise = self.make()
        os.makedirs(self.path("set/validation/ant"))
        for i in range(4):
            for half, gain in (("train", 1), ("validation", 0.8)):
                png(self.path("set", half, "ant", "twin%d.png" % i), SIDE, SIDE, 3, photo(0, Noise(300 + i), gain))
        for label in (1, 2):
            os.makedirs(self.path("set/validation", CLASSES[label]))
            png(self.path("set/validation", CLASSES[label], "0.png"), SIDE, SIDE, 3, photo(label, noise))
        found = self.found("--folds", "0")
        self.assertEqual(set(found), {"near-duplicate"})
        again = found["near-duplicate"]["suspects"]
        self.assertEqual(len(again), 4)
        self.assertEqual({one["half"] for one in again} | {one["twin"]["half"] for one in again}, {"train", "validation"})

    def test_almost_the_same_on_a_common_background(self):
        """A border that all share fills parts of all hashes with the same bits."""
        noise, side, border = Noise(21), 16, 8
        whole = side + 2 * border

        def picture(coarse, gain):
            rows = [bytes(whole)] * border
            for y in range(side):
                i, b = y // 4, y % 4
                line = [(4 - b) * p + b * q for p, q in zip(coarse[i], coarse[i + 1])]
                inner = bytes(int(gain * ((4 - x % 4) * line[x // 4] + x % 4 * line[x // 4 + 1]) / 16) for x in range(side))
                rows.append(bytes(border) + inner + bytes(border))
            return b"".join(rows + [bytes(whole)] * border)

        coarse = [[[noise(256) for _ in range(5)] for _ in range(5)] for _ in range(600)]
        os.mkdir(self.path("set"))
        for name, images in (("train", [picture(one, 1) for one in coarse]), ("t10k", [picture(one, 0.8) for one in coarse[::30]])):
            with open(self.path("set", name + "-images-idx3-ubyte"), "wb") as file:
                file.write(struct.pack(">IIII", 0x803, len(images), whole, whole) + b"".join(images))
            with open(self.path("set", name + "-labels-idx1-ubyte"), "wb") as file:
                file.write(struct.pack(">II", 0x801, len(images)) + bytes(i % 2 * (name == "train") for i in range(len(images))))
        found = self.found("--folds", "0")
        across = found["near-duplicate-across"]["suspects"]
        self.assertEqual([(one["index"], one["twin"]["index"]) for one in across], [(i, 30 * i) for i in range(20)])

    def test_labels(self):
        noise = self.make(train=40)
        wrong = []
        for i in range(6):
            label = i % 3
            to = "train/%s/wrong%d.png" % (CLASSES[(label + 1) % 3], i)
            png(self.path("set", to), SIDE, SIDE, 3, photo(label, noise))
            wrong.append(to)
        found = self.found("-o", "sheet.png")
        self.assertEqual(set(found), {"label"})
        named = self.suspects(found["label"])
        self.assertLessEqual(set(named), set(wrong))
        self.assertGreaterEqual(len(named), 4) # some the networks only doubt
        for suspect in found["label"]["suspects"]:
            i = int(suspect["path"][-5])
            self.assertEqual(suspect["guess"], CLASSES[i % 3])
            self.assertGreater(suspect["guess_probability"], 0.9)
            self.assertLess(suspect["class_probability"], 0.02)
        with open(self.path("sheet.png"), "rb") as file:
            self.assertEqual(struct.unpack(">II", file.read(24)[16:]), (1204, 122))
        text = self.ok("data", "check", "set", "--most", "3").out
        self.assertRegex(text, r"\n    3  set/train/\w+/wrong\d.png: \w+ \(\d.\d\d %\), rather \w+ \(\d+.\d\d %\)\n")
        self.assertIn("\n       and %d more\n" % (len(named) - 3), text)

    def test_labels_of_small_classes(self):
        """Nothing is said of labels that a network cannot have learned; of the others it is."""
        noise = self.make(train=40)
        os.mkdir(self.path("set/train/dog"))
        png(self.path("set/train/dog/1.png"), SIDE, SIDE, 3, photo(2, noise))  # as a cat
        for i in range(3):
            png(self.path("set/train/bee/wrong%d.png" % i), SIDE, SIDE, 3, photo(0, noise))
        told = self.ok("data", "check", "set", "--json").lines()[0]
        self.assertEqual((told["labels_checked"], told["classes_not_checked"]), (True, 1))
        label = [finding for finding in told["findings"] if finding["finding"] == "label"]
        self.assertEqual({suspect["class"] for suspect in label[0]["suspects"]}, {"bee"})
        self.assertIn("\nlabels of 1 class were not looked at: fewer than ten images\n", self.ok("data", "check", "set").out)
        for name in ("ant", "bee"):  # one class is large: nothing to tell it from
            shutil.rmtree(self.path("set/train", name))
            shutil.rmtree(self.path("set/test", name))
        told = self.ok("data", "check", "set", "--json").lines()[0]
        self.assertEqual((told["labels_checked"], told["classes_not_checked"]), (False, 0))
        self.assertIn("fewer than two classes have ten images", self.ok("data", "check", "set").out)

    def test_labels_of_equal_images(self):
        """One model judges all copies, and has seen none: it cannot be against two labels."""
        noise = self.make()
        for i in range(3):
            pixels = photo(-1, noise)
            for name in CLASSES[:2]:
                for k in range(12):
                    png(self.path("set", "train", name, "copy%d-%d.png" % (i, k)), SIDE, SIDE, 3, pixels)
        found = self.found()
        self.assertEqual(set(found) - {"label"}, {"duplicate", "two-labels"})
        against = {(os.path.basename(path).split("-")[0], path.split("/")[1]) for path in self.suspects(found["label"])} if "label" in found else set()
        self.assertEqual(len(against), len({copy for copy, _ in against}), against)

    def test_single_images(self):
        noise = self.make()
        png(self.path("set/train/ant/blank.png"), SIDE, SIDE, 3, bytes((200, 30, 30)) * SIDE * SIDE)
        png(self.path("set/train/bee/grey.png"), SIDE, SIDE, 1, photo(1, noise)[::3])
        png(self.path("set/test/cat/wide.png"), 4 * SIDE, SIDE, 3, photo(2, noise, side=2 * SIDE))
        png(self.path("set/test/cat/huge.png"), 5 * SIDE, 5 * SIDE, 3, photo(2, noise, side=5 * SIDE))
        self.write("set/train/cat/torn.png", "\x89PNG")
        self.write("set/train/cat/empty.jpg", "")
        found = self.found("--folds", "0", "-o", "sheet.png")
        self.assertEqual(set(found), {"blank", "grey", "size", "unreadable"})
        self.assertEqual(self.suspects(found["blank"]), ["train/ant/blank.png"])
        self.assertEqual(self.suspects(found["grey"]), ["train/bee/grey.png"])
        self.assertEqual(sorted(self.suspects(found["size"])), ["test/cat/huge.png", "test/cat/wide.png"])
        self.assertEqual(found["unreadable"]["count"], 2)
        self.assertIn("set/train/cat/empty.jpg: is empty", " ".join(found["unreadable"]["files"]))
        text = self.ok("data", "check", "set", "--folds", "0", "--most", "1").out
        self.assertIn("images of one colour: 1; take them away", text)
        self.assertIn("empty.jpg: is empty", text)
        self.assertIn("torn.png", text)  # all files that cannot be read
        self.says(self.fails("data", "check", "set", "--folds", "0", "--strict"), "4 kinds of finding")

    def test_classes(self):
        self.make(train=30, test=2)
        for i in range(3, 30):
            os.remove(self.path("set", "train", "bee", "%d.png" % i))
        shutil.rmtree(self.path("set", "test", "cat"))
        found = self.found("--folds", "0")
        self.assertEqual({name: finding["classes"] for name, finding in found.items()},
                         {"empty-class": ["cat"], "imbalance": ["bee"]})

    def test_coloured_among_grey(self):
        noise = self.make(train=4, test=1)
        for half, n in (("train", 4), ("test", 1)):
            for label, name in enumerate(CLASSES):
                for i in range(n):
                    png(self.path("set", half, name, "g%d.png" % i), SIDE, SIDE, 1, photo(label, noise)[::3])
                    png(self.path("set", half, name, "h%d.png" % i), SIDE, SIDE, 1, photo(label, noise)[::3])
        self.assertEqual(self.found("--folds", "0")["colour"]["count"], 15)

    def test_packed_sets(self):
        write_idx(self.path("set"), train=100, test=40, side=20)
        with open(self.path("set", "train-images-idx3-ubyte"), "rb") as file:
            first = file.read()[16:16 + 400]
        with open(self.path("set", "t10k-images-idx3-ubyte"), "r+b") as file:
            file.seek(16 + 4 * 400)
            file.write(first)
        found = self.found("--folds", "0", "-o", "sheet.png")
        self.assertEqual(set(found), {"duplicate-across"})
        one = found["duplicate-across"]["suspects"][0]
        self.assertEqual((one["half"], one["index"], one["twin"]["half"], one["twin"]["index"]), ("test", 4, "train", 0))
        self.assertNotIn("path", one)
        self.assertIn("    1  test image 4: 0, as train image 0: 0\n", self.ok("data", "check", "set").out)

    def test_the_same_for_any_number_of_threads(self):
        self.make(train=40)
        for i in range(3):
            shutil.move(self.path("set/train/ant/%d.png" % i), self.path("set/train/bee/moved%d.png" % i))
        out = {self.ok("data", "check", "set", "--json", "--threads", threads).out for threads in ("1", "3")}
        self.assertEqual(len(out), 1)

    def test_small_and_odd_sets(self):
        self.says(self.fails("data", "check", "set"), "set")
        os.mkdir(self.path("set"))
        self.says(self.fails("data", "check", "set"), "holds no images")
        os.mkdir(self.path("set", "one"))
        noise = Noise(5)
        png(self.path("set/one/1.png"), SIDE, SIDE, 3, photo(0, noise))
        png(self.path("set/one/2.png"), SIDE, SIDE, 3, photo(0, noise))
        self.assertEqual(set(self.found()), {"one-class"})
        self.assertIn("labels were not looked at: there is one class only", self.ok("data", "check", "set").out)
        os.mkdir(self.path("set", "two"))
        png(self.path("set/two/1.png"), 1, 1, 1, b"\x07")
        self.ok("data", "check", "set")
        shutil.rmtree(self.path("set"))
        os.makedirs(self.path("set", "torn"))
        self.write("set/torn/1.png", "\x89PNG\r\n\x1a\n")
        self.assertIn("unreadable", self.found())

    def test_all_the_same(self):
        """No fold is left to train on."""
        for name in ("a", "b"):
            os.makedirs(self.path("set", "train", name))
            for i in range(12):
                png(self.path("set", "train", name, "%d.png" % i), SIDE, SIDE, 3, photo(0, Noise(1)))
        self.assertEqual(set(self.found()), {"two-labels", "duplicate"})

    def test_many_classes(self):
        """As many as names may be: nothing is trained, and it ends."""
        for i in range(3000):
            os.makedirs(self.path("set", "%05d" % i))
        png(self.path("set/00001/1.png"), SIDE, SIDE, 1, bytes(range(192)) * 3)
        png(self.path("set/00002/1.png"), SIDE, SIDE, 1, bytes(range(1, 193)) * 3)
        self.assertIn("empty-class", self.found())
        self.assertIn("more than 1,000 classes", self.ok("data", "check", "set").out)

    def test_places(self):
        self.make(train=3, test=1)
        self.usage("data", "check", "set", "-o", "sheet.jpg")
        self.says(self.fails("data", "check", "set", "-o", "none/sheet.png"), "none/sheet.png", "--out")
        self.copy("train/ant/1.png", "train/ant/again.png")
        os.mkdir(self.path("s.png"))
        self.says(self.fails("data", "check", "set", "-o", "s.png"), "s.png")
        self.assertEqual(self.ok("data", "check", "set", "-o", "t.png", "--json").lines()[0]["out"], "t.png")
        with open(self.path("t.png"), "rb") as file:
            self.assertTrue(file.read().startswith(b"\x89PNG"))
        self.says(self.usage("data", "check", "set", "--folds", "1"), "--folds")
        self.says(self.usage("data", "check", "set", "--most", "101"), "--most")
        names = b"set/train/ant/\xff.png"
        shutil.copy(os.fsencode(self.folder) + b"/set/train/ant/1.png", os.fsencode(self.folder) + b"/" + names)
        done = subprocess.run([DEEPER, "data", "check", "set", "--json"], cwd=self.folder, capture_output=True, env=environment())
        self.assertEqual(done.returncode, 0, done.stderr)
        json.loads(done.stdout)


if __name__ == "__main__":
    main()
