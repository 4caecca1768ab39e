"""Folders whose pictures do not all fit in the memory that they may take: the same weights, a run that goes on under another limit, and files
that are gone in the middle."""

import json
import os
import subprocess

from support import DEEPER, Case, Noise, environment, main, picture, png, write_pictures

CLASSES = ("cat", "dog", "owl")
EACH = 110  # of three classes: more than the 256 pictures that always have room
NET = ("--net", "input data, linear 9, relu, linear classes", "--batch", "32")


class Stream(Case):
    def setUp(self):
        super().setUp()
        write_pictures(self.path("set"), CLASSES, EACH)

    def train(self, *more, **options):
        return self.ok("train", "set", *NET, "--json", *more, **options)

    def weights(self, *more):
        return self.train(*more).lines()[-1]["weights_sha256"]

    def test_same_weights(self):
        for augment in ((), ("--augment", "crop=1,flip,mixup=0.5")):
            every = self.train("--epochs", "3", "--val", "0.1", *augment)
            some = self.train("--epochs", "3", "--val", "0.1", *augment, "--data-memory", "1")
            self.says(every, "set: image folder, 3 classes, 297 images to train on, 33 to validate, 330 to "
                      "test; all 20 kB in memory\n")
            self.says(some, "330 to test; 17 of 20 kB in memory, the rest is decoded when it is needed",
                      "set: test half; 17 of 22 kB in memory")
            for line in ("loss", "val_accuracy"):
                self.assertEqual([epoch[line] for epoch in every.lines()[:3]],
                                 [epoch[line] for epoch in some.lines()[:3]])
            for key in ("weights_sha256", "test_accuracy"):
                self.assertEqual(every.lines()[-1][key], some.lines()[-1][key])
        told = [self.ok("eval", "set.safetensors", "set", "--json", *memory).lines()[0]
                for memory in ((), ("--data-memory", "1K"))]
        self.assertEqual(told[0], told[1])

    def test_goes_on_under_another_limit(self):
        whole = self.weights("--epochs", "4", "--schedule", "constant")
        self.weights("--epochs", "2", "--schedule", "constant", "--data-memory", "1")
        self.assertEqual(whole, self.weights("--epochs", "4", "--schedule", "constant", "--resume"))

    def begin(self, *more):
        """A run in the background, after its first epoch."""
        run = subprocess.Popen([DEEPER, "train", "set", *NET, "--json", "--epochs", "4000", *more],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               cwd=self.folder, env=environment())
        self.addCleanup(run.kill)
        self.assertIn("epoch", json.loads(run.stdout.readline()))
        return run

    def test_a_file_that_is_gone(self):
        run = self.begin("--data-memory", "1")
        lost = self.path("set", "train", "owl", "8-50.png")
        os.rename(lost, self.path("kept"))
        err = run.communicate(timeout=60)[1]
        self.assertEqual(run.returncode, 1, err)
        self.assertIn("cannot open 'set/train/owl/8-50.png': No such file", err)
        self.assertIn("the last good checkpoint, 'set.checkpoint.safetensors', stays", err)
        os.rename(self.path("kept"), lost)
        going = self.begin("--resume")
        going.kill()
        going.communicate()

    def test_a_file_that_breaks(self):
        run = self.begin("--data-memory", "1")
        with open(self.path("set", "train", "cat", "8-0.png"), "r+b") as file:
            file.truncate(50)
        err = run.communicate(timeout=60)[1]
        self.assertEqual(run.returncode, 1, err)
        self.assertIn("set/train/cat/8-0.png: no readable PNG", err)

    def test_sizes(self):
        for good in ("1", "300", "1.5K", "2M", "4G", "0.5T"):
            self.train("--epochs", "1", "--data-memory", good)
        for bad in ("", "0", "-1", "M", "4X", "4GB", "1e3", "99999999T", "0.5"):
            self.says(self.usage("train", "set", "--data-memory", bad), "--data-memory")


class Words(Case):
    """What train says of folders that are not as they should be."""

    FEW = (*NET, "--epochs", "1")

    def folder_of(self, name, **halves):
        noise = Noise(len(name))
        for half, classes in halves.items():
            for label, one in enumerate(classes):
                os.makedirs(self.path(name, half, one))
                for i in range(10):
                    png(self.path(name, half, one, "%d.png" % i), 8, 8, 1, picture(label, 8, noise))

    def test_one_class(self):
        self.folder_of("one", train=["cat"], test=["cat"])
        self.says(self.ok("train", "one", *self.FEW), "warning: one: has one class only")
        self.folder_of("two", train=["cat", "dog"], test=["cat", "dog"])
        self.assertNotIn("warning", self.ok("train", "two", *self.FEW).err)

    def test_a_test_half_that_repeats_the_training_half(self):
        self.folder_of("set", train=["cat", "dog"], test=["cat", "dog"])
        for i in range(3):
            os.replace(self.path("set", "test", "cat", "%d.png" % i), self.path("set", "x"))
            os.link(self.path("set", "train", "cat", "%d.png" % i),
                    self.path("set", "test", "cat", "%d.png" % i))
        os.remove(self.path("set", "x"))
        self.says(self.ok("train", "set", *self.FEW),
                  "warning: 3 of the 20 test images are training images, too")

    def test_a_model_in_the_folder_is_not_foreign(self):
        self.folder_of("set", train=["cat", "dog"], test=["cat", "dog"])
        for place in ("set/m.safetensors", "set/train/m.safetensors", "set/train/cat/m.safetensors"):
            self.ok("train", "set", *self.FEW, "--out", place)
        self.assertNotIn("foreign", self.ok("train", "set", *self.FEW).err)
        self.write("set/notes.txt", "notes")
        self.says(self.ok("train", "set", *self.FEW), "; 1 hidden or foreign files ignored")

    def test_files_that_cannot_be_read(self):
        self.folder_of("set", train=["cat", "dog"], test=["cat", "dog"])
        listed = "all files that cannot be read are listed by: deeper data info set"
        self.write("set/train/cat/empty.png", "")
        self.says(self.fails("train", "set", *self.FEW), "set/train/cat/empty.png: is empty", listed)
        os.remove(self.path("set/train/cat/empty.png"))
        os.symlink("nowhere", self.path("set/test/dog/lost.JPG"))
        self.says(self.fails("train", "set", *self.FEW),
                  "set/test/dog/lost.JPG: is a link to a file that is not there", listed)
        self.write("set/test/cat/x.png", "")
        survey = self.fails("data", "info", "set", "--json")
        self.assertEqual(len(json.loads(survey.out)["unreadable"]), 2)
        self.assertNotIn(listed, self.fails("train", "nothing", *self.FEW).err)


if __name__ == "__main__":
    main()
