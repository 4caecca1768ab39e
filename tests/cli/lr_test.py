"""deeper lr, and train --overfit-one-batch: what they print and write, and what they say where nothing can be learnt."""

import os
import re

from support import Case, main, write_idx, write_pictures

NET = "input 8 8 1, linear 12, relu, linear classes"


class Rates(Case):
    def setUp(self):
        super().setUp()
        write_idx(self.path("set"), train=400, test=100, classes=4, side=8)

    def test_json_and_the_page_say_the_same(self):
        found = self.ok("lr", "set", "--net", NET, "--json", "-o", "lr.html").lines()
        self.assertEqual(len(found), 1)
        found = found[0]
        self.assertEqual(found["out"], "lr.html")
        n = len(found["rates"])
        self.assertEqual((len(found["losses"]), len(found["smoothed"])), (n, n))
        self.assertEqual(found["lowest"], found["rates"][found["smoothed"].index(min(found["smoothed"]))])
        self.assertAlmostEqual(found["lr"] / min(3 * found["fallen"], found["lowest"]), 1, delta=0.05)
        with open(self.path("lr.html"), encoding="utf-8") as file:
            page = file.read()
        for key in ("lr", "fallen", "lowest"):
            self.assertIn('<data value="%.15g">%.2g</data>' % (found[key], found[key]), page)
        told = [float(value) for value in re.findall(r'<td><data value="([^"]*)"', page)]
        self.assertEqual(told[0::3], found["rates"])
        self.assertEqual(told[1::3], found["losses"])
        self.assertEqual(told[2::3], found["smoothed"])
        self.assertEqual(sorted(os.listdir(self.folder)), ["lr.html", "set"])

    def test_words(self):
        found = self.ok("lr", "set", "--net", NET, "--json").lines()[0]
        result = self.ok("lr", "set", "--net", NET)
        self.assertTrue(result.out.splitlines()[0].split(), ["rate", "loss"])
        self.assertIn("train with --lr %.2g\n" % found["lr"], result.out)
        self.assertIn("####", result.out)
        self.assertEqual(os.listdir(self.folder), ["set"])
        muon = self.ok("lr", "set", "--net", NET, "--optimizer", "muon", "--rest-lr", "0.2")
        self.assertRegex(muon.out, r"train with --lr [\d.e-]+ --rest-lr [\d.e-]+\n")

    def test_the_rate_trains(self):
        found = self.ok("lr", "set", "--net", NET, "--json").lines()[0]
        done = self.ok("train", "set", "--net", NET, "--lr", "%g" % found["lr"], "--json", "--out", "m.safetensors").lines()[-1]
        self.assertGreater(done["test_accuracy"], 0.9)

    def test_bounds(self):
        found = self.ok("lr", "set", "--net", NET, "--from", "0.001", "--to", "0.1", "--updates", "50", "--json").lines()[0]
        self.assertEqual(len(found["rates"]), 50)
        self.assertEqual(found["rates"][0], 0.001)
        self.assertAlmostEqual(found["rates"][-1], 0.1)
        self.says(self.fails("lr", "set", "--net", NET, "--from", "1", "--to", "0.1"), "rates from 1 to 0.1")

    def test_nothing_falls(self):
        result = self.fails("lr", "set", "--net", NET, "--to", "1e-7", "--from", "1e-8")
        self.says(result, "the loss has not fallen", "--overfit-one-batch")
        self.assertEqual(result.out, "")

    def test_a_page_that_cannot_be_written(self):
        self.says(self.fails("lr", "set", "--net", NET, "-o", "no/where.html"), "no/where.html")

    def test_pictures_choose_as_in_train(self):
        write_pictures(self.path("pictures"), ["a", "b"], 20, channels=3)
        result = self.ok("lr", "pictures", "--updates", "30")
        self.says(result, "--net preset:")


class OneBatch(Case):
    def setUp(self):
        super().setUp()
        write_idx(self.path("set"), train=400, test=100, classes=4, side=8)

    def test_passes(self):
        result = self.ok("train", "set", "--net", NET, "--overfit-one-batch")
        self.assertRegex(result.out, r"passed: 128 images learnt by heart in \d+ steps, loss 0\.\d+\n$")
        found = self.ok("train", "set", "--net", NET, "--overfit-one-batch", "--batch", "30", "--json", "--weight-decay", "1",
                        "--label-smoothing", "0.3", "--augment", "translate=3", "--ema", "0.999").lines()
        self.assertEqual(len(found), 1)
        self.assertEqual((found[0]["passed"], found[0]["images"], found[0]["accuracy"]), (True, 30, 1.0))
        self.assertLess(found[0]["loss"], 0.07)
        self.assertEqual(os.listdir(self.folder), ["set"])

    def test_dropout_does_not_hinder(self):
        self.ok("train", "set", "--net", "input 8 8 1, linear 40, relu, dropout 0.5, linear classes", "--overfit-one-batch")

    def test_fails(self):
        result = self.fails("train", "set", "--net", NET, "--overfit-one-batch", "--lr", "1e-9")
        self.says(result, "warning: the learning rate is far too low", "failed: after 500 steps on the same 128 images")
        self.assertNotIn("passed", result.out)
        found = self.fails("train", "set", "--net", NET, "--overfit-one-batch", "--lr", "1e-9", "--json").lines()
        self.assertEqual((found[0]["passed"], found[0]["steps"]), (False, 500))

    def test_equal_images_with_different_labels(self):
        write_idx(self.path("odd"), train=40, test=10, classes=2, side=8)
        path = self.path("odd", "train-images-idx3-ubyte")
        with open(path, "rb") as file:
            whole = file.read()
        with open(path, "wb") as file:
            file.write(whole[:16] + whole[16:80] * 40)
        result = self.fails("train", "odd", "--net", NET, "--overfit-one-batch")
        self.says(result, "all images get the same answer", "50.00 % are right")

    def test_a_loss_that_is_not_finite(self):
        result = self.fails("train", "set", "--net", "input 8 8 1, linear 9, linear 9, linear classes", "--lr", "1000",
                            "--overfit-one-batch")
        self.says(result, "not finite", "matmul 'linear_")

    def test_what_it_does_not_go_with(self):
        for option in (["--out", "m.safetensors"], ["--resume"], ["--log", "log"], ["--serve", "0"]):
            self.expect(2, "train", "set", "--net", NET, "--overfit-one-batch", *option)


if __name__ == "__main__":
    main()
