"""deeper report, and the page that train leaves: its numbers are those of eval, to the last digit, and it is whole, small, and well formed."""

import base64
import json
import os
import re

from page import Page
from support import Case, main, write_idx, write_pictures

NET = "input 8 8 1, linear 12, relu, linear classes"
class Report(Case):
    def setUp(self):
        super().setUp()
        write_idx(self.path("set"), train=400, test=150, classes=4, side=8, contrast=60)
        self.told = self.ok("train", "set", "--net", NET, "--epochs", "4", "--val", "0.1", "--out", "m.safetensors",
                            "--json").lines()

    def page(self, name="m.report.html"):
        with open(self.path(name), encoding="utf-8") as file:
            text = file.read()
        self.assertLess(len(text), 2 << 20)
        self.assertNotIn("http://", re.sub(r'src="data:[^"]*"', "", text))
        page = Page(text)
        page.check(self)
        return page

    def test_numbers_are_those_of_eval(self):
        page = self.page()
        found = self.ok("eval", "m.safetensors", "set", "--json").lines()[0]
        self.assertEqual(page.values["accuracy"], [found["accuracy"], found["accuracy_low"], found["accuracy_high"], found["loss"]])
        self.assertIn("%d of %d images right" % (found["correct"], found["n"]), page.text)
        rows = page.table("Confusion")
        self.assertEqual([[int(cell) for cell in row[1:]] for row in rows[1:]], found["confusion"])
        of_classes = page.values["results"][:8]
        self.assertEqual(of_classes[0::2], found["precision"])
        self.assertEqual(of_classes[1::2], found["recall"])
        self.assertEqual(page.values["calibration"][1], found["accuracy"])

    def test_history_is_that_of_the_run(self):
        values = self.page().values["training"]
        for i, epoch in enumerate(self.told[:-1]):
            keys = ("loss", "train_accuracy", "val_loss", "val_accuracy", "lr", "seconds", "images_per_second")
            self.assertEqual(values[7 * i:7 * i + 7], [epoch[key] for key in keys])

    def test_how_to_make_it_again(self):
        text = self.page().text
        self.assertIn("deeper train set --net '%s' --epochs 4 --val 0.1 --out m.safetensors --json" % NET, text)
        self.assertIn(self.told[-1]["weights_sha256"], text)
        self.assertIn(self.told[-1]["data_sha256"], text)

    def test_the_command_makes_the_same_page(self):
        os.rename(self.path("m.report.html"), self.path("first.html"))
        self.assertEqual(self.told[-1]["report"], "m.report.html")
        self.assertEqual(self.ok("report", "m.safetensors", "set").out, "report m.report.html\n")
        self.assertEqual(self.ok("report", "m.safetensors", "set", "-o", "other.html", "--json").lines(), [{"out": "other.html"}])
        pages = []
        for name in ("first.html", "m.report.html", "other.html"):
            with open(self.path(name), encoding="utf-8") as file:
                before, layers, after = re.split(r"(<table class=\"plain\"><caption>Layers.*?</table>)", file.read(), flags=re.S)
            pages.append(before + re.sub("<data.*?</data>", "", layers) + after)  # steps take another time each time
        self.assertEqual(pages[0], pages[1])
        self.assertEqual(pages[0], pages[2])

    def test_time_by_layer(self):
        page = self.page()
        rows = page.table("Layers")
        self.assertEqual(rows[0][4:], ["forward, µs", "backward, µs", "of a step"])
        self.assertEqual([row[0] for row in rows[1:]], ["linear_1", "relu_1", "linear_2", "data, loss, the rest", "all"])
        times = [[float(cell.split()[0]) for cell in row[4:]] for row in rows[1:5]]
        self.assertAlmostEqual(sum(row[2] for row in times), 100, delta=0.05)
        for row in (times[0], times[2]):
            self.assertGreater(row[0], 0)
            self.assertGreater(row[1], 0)

    def test_mistakes_are_shown_surest_first(self):
        page = self.page()
        found = self.ok("eval", "m.safetensors", "set", "--json").lines()[0]
        wrong = found["n"] - found["correct"]
        self.assertGreater(wrong, 3)
        values = page.values["mistakes"][:min(wrong, 24)]
        self.assertEqual(values, sorted(values, reverse=True))
        pngs = [image["src"] for image in page.images if image["src"].startswith("data:image/png;base64,")]
        self.assertTrue(base64.b64decode(pngs[0].split(",")[1]).startswith(b"\x89PNG"))
        pairs = [link for link in page.links if link.startswith("#pair-")]
        self.assertTrue(pairs)

    def test_a_resumed_run_goes_on(self):
        arguments = ["train", "set", "--net", NET, "--epochs", "4", "--val", "0.1", "--out", "m.safetensors", "--json", "--resume"]
        before = self.page().values["training"]
        self.ok(*arguments)
        self.assertEqual(self.page().values["training"], before)
        self.assertNotIn("--resume", self.page().text)

    def test_names_are_text(self):
        classes = ['<b>&"', "ümlaut's", "c"]
        write_pictures(self.path("pictures"), classes, 30)
        self.ok("train", "pictures", "--net", NET, "--epochs", "1")
        page = self.page("pictures.report.html")
        self.assertEqual([row[0] for row in page.table("recall")[1:]], sorted(classes))

    def test_many_classes(self):
        write_idx(self.path("many"), train=600, test=180, classes=60, side=8)
        self.ok("train", "many", "--net", NET, "--epochs", "1")
        self.assertFalse(any("Confusion" in caption for caption in self.page("many.report.html").tables))

    def test_without_report(self):
        done = self.ok("train", "set", "--net", NET, "--epochs", "1", "--out", "n.safetensors", "--no-report", "--json").lines()[-1]
        self.assertNotIn("report", done)
        self.assertFalse(os.path.exists(self.path("n.report.html")))

    def test_a_place_that_cannot_be_written(self):
        self.says(self.fails("report", "m.safetensors", "set", "-o", "none/page.html"), "none/page.html")
        os.mkdir(self.path("k.report.html"))
        train = ["train", "set", "--net", NET, "--epochs", "1", "--out", "k.safetensors"]
        self.says(self.fails(*train), "k.report.html", "--no-report")
        self.assertFalse(os.path.exists(self.path("k.safetensors")))  # before it trained
        self.ok(*train, "--no-report")

    def test_one_image_and_views(self):
        write_idx(self.path("one"), train=40, test=4, side=8)
        self.ok("train", "one", "--net", NET, "--epochs", "1", "--tta", "flip")
        page = self.page("one.report.html")
        found = self.ok("eval", "one.safetensors", "one", "--json").lines()[0]
        self.assertEqual(page.values["accuracy"][-1], found["accuracy_plain"])


if __name__ == "__main__":
    main()
