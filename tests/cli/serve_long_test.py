"""The page of deeper serve in a real browser, headless: a digit that is drawn is known, nothing is complained of, axe finds nothing serious;
and every answer agrees with the OpenAPI description, which a schema-driven tester tries. The model is trained on MNIST where that lies beside
the checkout (or in DEEPER_MNIST), in some seconds. DEEPER_SCREENSHOTS=DIR keeps pictures of the page."""

import os
import pathlib
import subprocess
import sys
import textwrap
import time

from browser import Browser, need_browser
from environment import python_with, skip
from serving import Server, need_server
from support import Case, main, png

SOURCE = pathlib.Path(os.environ["DEEPER_SOURCE"])
MNIST = pathlib.Path(os.environ.get("DEEPER_MNIST", SOURCE.parent / "shared" / "data" / "mnist"))
NET = "input 28 28 1, linear 128, relu, linear classes"
SEVEN, ONE = [[(-60, -80), (110, 0), (-60, 160)]], [[(0, -90), (0, 180)]]
FOUR = [[(-30, -90), (-40, 90), (120, 0)], [(30, -40), (0, 150)]]
SMALL_SEVEN = [[(-120, -120), (60, 0), (-33, 90)]]


class Hand:
    """Who draws on the page. Places are pixels from the canvas's middle, steps from where the pen is."""

    def __init__(self, page):
        self.page = page

    def settled(self):
        """The status, once nothing is asked any more."""
        since = time.monotonic()
        while time.monotonic() < since + 0.3:
            time.sleep(0.05)
            if self.page.get_attribute("#serve", "aria-busy") == "true":
                since = time.monotonic()
        return self.page.inner_text("#status")

    def stroke(self, points):
        box = self.page.locator("#draw").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for n, (dx, dy) in enumerate(points):
            x, y = x + dx, y + dy
            self.page.mouse.move(x, y, steps=1 if n == 0 else 8)
            if n == 0:
                self.page.mouse.down()
        self.page.mouse.up()

    def draw(self, strokes):
        self.page.locator("#draw").scroll_into_view_if_needed()
        self.page.click("#clear")
        for points in strokes:
            self.stroke(points)
        return self.settled()

    def give(self, path):
        self.page.set_input_files("#file", path)
        return self.settled()


SCHEMA = textwrap.dedent('''
    import sys
    import hypothesis, schemathesis
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    schema = schemathesis.openapi.from_url(sys.argv[1] + "openapi.json")
    pictures = [open(path, "rb").read() for path in sys.argv[2:]]

    @schema.parametrize()
    @hypothesis.settings(max_examples=60, deadline=None, derandomize=True, database=None,
                         suppress_health_check=list(hypothesis.HealthCheck))
    def test_agrees(case):
        case.call_and_validate(excluded_checks=[positive_data_acceptance]) # to a schema, any bytes are a picture

    def test_answers_to_pictures():
        for path in ("/predict", "/explain"):
            operation = schema[path]["POST"]
            for body in pictures:
                for top in ({}, {"top": 3}):
                    case = operation.Case(body=body, media_type="image/png", query=top)
                    answer = case.call_and_validate()
                    assert answer.status_code == 200, answer.text
        case = schema["/predict"]["POST"].Case(body={"image": pictures}, media_type="multipart/form-data")
        answer = case.call_and_validate()
        assert answer.status_code == 200, answer.text
''')


class Page(Case):
    def setUp(self):
        super().setUp()
        self.ok("train", str(MNIST), "--net", NET, "--epochs", "3", "--no-report", "--out", "m.safetensors", "--quiet")
        need_server(self)
        self.server = Server(self, "m.safetensors")

    def picture(self, name):
        """A seven, dark on light, which as a file is taken as it is."""
        rows = [[0] * 28 for _ in range(28)]
        for i in range(18):
            for j in range(3):
                rows[6 + j][5 + i] = 255
                rows[6 + i][20 - i // 2 + j] = 255
        png(self.path(name), 28, 28, 1, bytes(sum(rows, [])))
        return self.path(name)

    def no_barriers(self, browser, page, name):
        self.assertEqual(browser.barriers(page), [], name)
        kept = os.environ.get("DEEPER_SCREENSHOTS")
        if kept:
            page.screenshot(path=os.path.join(kept, "serve-%s.png" % name), full_page=True)

    def test_drawing(self):
        with Browser() as browser:
            page = browser.open(self.server.url, height=1250)
            hand = Hand(page)
            self.no_barriers(browser, page, "empty")
            for digit, strokes in (("7", SEVEN), ("1", ONE), ("7", SMALL_SEVEN), ("4", FOUR)):
                told = hand.draw(strokes)
                self.assertTrue(told.startswith(digit + ", "), (strokes, told))
            rows = page.locator("#classes tr").all_inner_texts()
            self.assertEqual(len(rows), 10)
            self.assertRegex(rows[0], r"^4\s+\d+\.\d\d %$")
            for one in ("#input", "#saliency"):
                self.assertEqual(page.evaluate("one => document.querySelector(one).naturalWidth", one), 28)
            self.assertRegex(page.inner_text("#layers"), r"relu_1: \d+ of 128 units fired; strongest \d+")
            self.no_barriers(browser, page, "light")
            page.click("#light")
            dark_ink = hand.settled()
            page.click("#light")
            light_ink = hand.settled()
            self.assertTrue(light_ink.startswith("4, "), light_ink)
            self.assertNotEqual(dark_ink, light_ink)
            page.emulate_media(color_scheme="dark")
            self.no_barriers(browser, page, "dark")
            self.assertEqual(browser.errors, [])

    def test_cleared_before_the_answer(self):
        """What comes late is not shown; what was cleared is not asked about."""
        with Browser() as browser:
            page = browser.open(self.server.url, height=1250)
            hand = Hand(page)
            page.evaluate("() => { const ask = window.fetch; window.fetch = (...all) => new Promise(done => setTimeout(done, 500)).then(() => ask(...all)); }")
            hand.draw(ONE)
            hand.stroke([(0, 0)])
            page.click("#clear")
            self.assertEqual(hand.settled(), "Nothing is drawn.")
            self.assertEqual((page.inner_text("#classes"), page.inner_text("#layers")), ("", ""))
            self.assertFalse(page.get_attribute("#saliency", "src"))
            self.assertEqual(browser.errors, [])

    def test_files_on_a_phone(self):
        with Browser() as browser:
            page = browser.open(self.server.url, width=380, height=2100)
            hand = Hand(page)
            self.assertEqual(page.evaluate("document.documentElement.scrollWidth"), 380)
            self.no_barriers(browser, page, "phone")
            told = hand.give(self.picture("seven.png"))
            self.assertTrue(told.startswith("7, "), told)
            self.assertEqual(browser.errors, [])
            self.assertIn("neither a PNG nor a JPEG", hand.give(self.path(self.write("junk.png", "junk"))))
            self.assertEqual([line for line in browser.errors if "400" not in line], [])  # the browser's own notes of the refusal

    def test_description(self):
        python = python_with("schemathesis")
        self.write("schema.py", SCHEMA.replace("sys.argv[1]", repr(self.server.url)).replace("sys.argv[2:]", repr([self.picture("a.png"),
                                                                                                                  self.picture("b.png")])))
        done = subprocess.run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "schema.py"], cwd=self.folder, capture_output=True,
                              text=True)
        self.assertEqual(done.returncode, 0, done.stdout[-6000:] + done.stderr[-2000:])
        print(done.stdout.strip().splitlines()[-1], file=sys.stderr)
        self.assertEqual(self.server.end(), 0, self.server.err)


if __name__ == "__main__":
    if not MNIST.is_dir():
        skip("no MNIST at %s" % MNIST)
    need_browser()
    main()
