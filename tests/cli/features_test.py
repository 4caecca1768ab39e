"""deeper features: the page's numbers are those of --json, it says which units are dead and alike, and what is wrong with what it is given."""

import os

from page import Page
from support import Case, main, write_idx, write_pictures

NET = "input 8 8 1, conv 3x3 6, relu, maxpool 2, linear 12, relu, linear classes"


class Features(Case):
    def setUp(self):
        super().setUp()
        write_idx(self.path("set"), train=200, test=90, classes=4, side=8, contrast=60)
        self.ok("train", "set", "--net", NET, "--epochs", "2", "--out", "m.safetensors", "--no-report", "--quiet")

    def features(self, *more):
        return self.ok("features", "m.safetensors", "set", "--steps", "8", "--json", *more).lines()[0]

    def bytes_of(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def page(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            page = Page(file.read())
        page.check(self)
        return page

    def test_numbers_are_those_of_json(self):
        told = self.features("--units", "5")
        page = self.page(told["out"])
        self.assertEqual(told["out"], "m.features.html")
        self.assertEqual([layer["name"] for layer in told["layers"]], ["relu_1", "relu_2", "linear_2"])
        wanted = [[layer["name"], str(layer["units"]), "%d × %d" % tuple(layer["receptive_field"]),
                   str(layer.get("dead", "–")), str(layer["alike"])] for layer in told["layers"]]
        self.assertEqual(page.table("Units by layer")[1:], wanted)
        shares = []
        for layer in told["layers"]:
            self.assertEqual(layer["images"], 90)
            self.assertEqual(len(layer["active"]), layer["units"])
            self.assertEqual(layer.get("dead", 0), layer["active"].count(0) if "dead" in layer else 0)
            self.assertEqual(layer["alike"], sum(likeness > 0.95 for likeness in layer["likeness"]))
            for unit in layer["shown"]:
                if "dead" in layer and layer["active"][unit] > 0:
                    shares.append(layer["active"][unit] / 90)
                if layer["likeness"][unit] > 0.95:
                    shares.append(layer["likeness"][unit])
        self.assertEqual([round(value, 6) for value in page.values["features"]], [round(share, 6) for share in shares])
        made = [image for image in page.images if image["alt"].startswith("input made for unit")]
        self.assertEqual(len(made), 5 + 5 + 4)
        seen = [image for image in page.images if image["alt"].startswith("image ")]
        self.assertEqual(len(seen), 9 * len(made))

    def test_the_same_seed_gives_the_same_page(self):
        pages = []
        for name, more in (("a.html", []), ("b.html", ["--threads", "1"]), ("c.html", ["--seed", "2"])):
            self.features("-o", name, "--units", "3", *more)
            pages.append(self.bytes_of(name))
        self.assertEqual(pages[0], pages[1])
        self.assertNotEqual(pages[0], pages[2])

    def test_an_image(self):
        write_pictures(self.path("photos"), ["a"], 1, halves=("train",))
        photo = os.path.join("photos", "train", "a", "8-0.png")
        self.ok("features", "m.safetensors", "--steps", "2", "--image", photo)
        page = self.page("m.features.html")
        top = self.ok("predict", "m.safetensors", photo, "--json").lines()[0]["top"]
        told = page.values["prediction"]
        self.assertEqual(["%.6g" % share for share in told], ["%.6g" % one["probability"] for one in top][:len(told)])
        words = " ".join(image["alt"] for image in page.images)
        for word in ("Saliency", "Occlusion", "Grad-CAM", "relu_1: 6 of 6 units", "linear_2: 4 of 4 units"):
            self.assertIn(word, words)
        self.assertNotIn("image 0", words)  # no set was given

    def test_a_sheet(self):
        told = self.features("-o", "sheet.png", "--layers", "2")
        self.assertEqual([len(layer["shown"]) for layer in told["layers"]], [6, 0, 4])
        self.assertEqual(self.bytes_of("sheet.png")[:8], b"\x89PNG\r\n\x1a\n")

    def test_mistakes(self):
        before = self.bytes_of("m.safetensors")
        self.says(self.fails("features", "m.safetensors", "-o", "m.safetensors"), "is a model")
        self.assertEqual(self.bytes_of("m.safetensors"), before)
        self.says(self.usage("features", "m.safetensors", "-o", "page.pdf"), ".html", ".png")
        self.says(self.usage("features", "m.safetensors", "--unit", "3"), "--units")
        self.says(self.fails("features", "m.safetensors", "--image", "none.png"), "none.png")
        self.says(self.fails("features", "m.safetensors", "nowhere"), "nowhere")
        self.says(self.fails("features", "m.safetensors", "--steps", "1", "-o", "no/where.html"), "no/where.html")
        self.says(self.usage("features", "m.safetensors", "--image", "x.png", "-o", "y.png"), "--image", ".html")
        os.makedirs(self.path("bare", "a"))
        self.says(self.fails("features", "m.safetensors", "bare"), "'a'", "no PNG or JPEG")
        write_idx(self.path("other"), train=20, test=9, classes=3, side=8)
        self.says(self.fails("features", "m.safetensors", "other"), "classes")


if __name__ == "__main__":
    main()
