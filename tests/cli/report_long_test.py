"""The report's page in a real browser: nothing complains, nothing keeps people out, and it works by mouse, by keyboard, without scripts and on paper."""

import os
import re
import tempfile

from browser import Browser, need_browser
from support import Case, main, write_idx

NET = "input 12 12 1, linear 24, relu, linear classes"
NAMES = ["antelope", "bumblebee", "cormorant", "dragonfly", "earwig", "flamingo", "grasshopper", "hummingbird", "ibex", "jackdaw"]
PAPER = 718  # CSS pixels of A4's 210 mm between margins of 10 mm
WIDTHS = (1100, 380)


class ReportPage(Case):
    """Of one trained model, whose page all tests read."""

    @classmethod
    def setUpClass(cls):
        place = tempfile.TemporaryDirectory()
        cls.addClassCleanup(place.cleanup)
        cls.place = place.name
        cls.browser = Browser().__enter__()
        cls.addClassCleanup(cls.browser.__exit__)

    def setUp(self):
        super().setUp()
        self.report = os.path.join(self.place, "m.report.html")
        if not os.path.exists(self.report):
            write_idx(os.path.join(self.place, "set"), train=800, test=300, classes=10, side=12, names=NAMES, contrast=40)
            self.ok("train", os.path.join(self.place, "set"), "--net", NET, "--epochs", "3", "--val", "0.1",
                    "--out", os.path.join(self.place, "m.safetensors"))
        del self.browser.errors[:]

    def tearDown(self):
        self.assertEqual(self.browser.errors, [])

    def test_nothing_keeps_people_out(self):
        for dark in (False, True):
            for width in WIDTHS:
                page = self.browser.open(self.report, dark=dark, width=width)
                for part in page.query_selector_all("details"):
                    part.evaluate("part => part.open = true")
                self.assertEqual(self.browser.barriers(page), [], (dark, width))

    def test_what_axe_looks_for_is_found(self):
        page = self.browser.open(self.report)
        page.evaluate("() => document.querySelectorAll('img').forEach(image => image.removeAttribute('alt'))")
        self.assertIn("image-alt", " ".join(self.browser.barriers(page)))

    def test_the_page_is_as_wide_as_the_window(self):
        for width in WIDTHS:
            page = self.browser.open(self.report, width=width)
            self.assertEqual(page.evaluate("document.documentElement.scrollWidth"), width)

    def lands(self, page, link):
        """The images that the link names are in sight."""
        self.assertEqual(page.evaluate("location.hash"), link)
        box = page.locator(link).bounding_box()
        self.assertTrue(-1 <= box["y"] < 900, box)

    def test_cells_by_mouse(self):
        for width in WIDTHS:
            page = self.browser.open(self.report, width=width)
            cell = page.locator(".matrix a").last
            link = cell.get_attribute("href")
            cell.click()
            self.lands(page, link)

    def test_cells_by_keyboard(self):
        page = self.browser.open(self.report)
        for _ in range(100):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.closest('.matrix a') !== null"):
                break
        active = page.locator(":focus")
        self.assertNotEqual(active.evaluate("cell => getComputedStyle(cell).outlineStyle"), "none")
        link = active.get_attribute("href")
        self.assertRegex(link, "^#pair-")
        page.keyboard.press("Enter")
        self.lands(page, link)

    def test_whole_without_scripts(self):
        shown = [self.browser.open(self.report, scripts=scripts) for scripts in (True, False)]
        texts = [page.inner_text("body") for page in shown]
        self.assertEqual(texts[0], texts[1])
        for word in ("Training", "Results", "Mistakes", "Network", "Reproduce", "Test accuracy"):
            self.assertIn(word, texts[1])
        for page in shown:
            self.assertEqual([image.get_attribute("alt") for image in page.query_selector_all("img")
                              if image.bounding_box() and image.bounding_box()["width"] < 8], [])

    def test_on_paper(self):
        page = self.browser.open(self.report, width=PAPER)
        page.emulate_media(media="print")
        self.assertEqual(self.browser.cut_off(page), [])
        paper = page.pdf(format="A4", margin={side: "10mm" for side in ("top", "right", "bottom", "left")})
        self.assertTrue(paper.startswith(b"%PDF"))
        self.assertGreater(len(re.findall(rb"/Type\s*/Page\b", paper)), 1)

    def test_what_is_cut_off_is_found(self):
        page = self.browser.open(self.report, width=PAPER)
        page.emulate_media(media="print")
        page.evaluate("() => { document.querySelector('table').style.width = '2000px'; }")
        self.assertNotEqual(self.browser.cut_off(page), [])


if __name__ == "__main__":
    need_browser()
    main()
