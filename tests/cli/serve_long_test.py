"""The page of deeper serve in a real browser, headless: a digit that is drawn is known, nothing is complained of, axe finds nothing serious;
and every answer agrees with the OpenAPI description, which a schema-driven tester tries. The model is trained on MNIST where that lies beside
the checkout (or in DEEPER_MNIST), in some seconds. DEEPER_SCREENSHOTS=DIR keeps pictures of the page."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import textwrap

from environment import python_with, skip
from serving import Server, has_server
from support import Case, main

SOURCE = pathlib.Path(os.environ["DEEPER_SOURCE"])
MNIST = pathlib.Path(os.environ.get("DEEPER_MNIST", SOURCE.parent / "shared" / "data" / "mnist"))
NET = "input 28 28 1, linear 128, relu, linear classes"

# Runs in the environment that has the packages; prints a JSON object.
BROWSER = textwrap.dedent('''
    import json, sys, time
    from axe_core_python.selenium import Axe
    from selenium import webdriver
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.chrome.service import Service

    url, kept, chromium, driver = sys.argv[1:5]
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1100,1250"):
        options.add_argument(word)
    browser = webdriver.Chrome(options=options, service=Service(driver))

    def mode(width, dark):
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                {"width": width, "height": 1250 if width > 500 else 2100, "deviceScaleFactor": 1, "mobile": width < 500})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})

    def text(name):
        return browser.find_element("id", name).text

    def settled():
        """The status, once nothing is asked any more."""
        since = time.monotonic()
        while time.monotonic() < since + 0.3:
            time.sleep(0.05)
            if browser.find_element("id", "serve").get_attribute("aria-busy") == "true":
                since = time.monotonic()
        return text("status")

    def draw(*strokes):
        canvas = browser.find_element("id", "draw")
        browser.execute_script("arguments[0].scrollIntoView()", canvas)
        browser.find_element("id", "clear").click()
        for (x, y), *steps in strokes:
            hand = ActionChains(browser, duration=30).move_to_element_with_offset(canvas, x, y).click_and_hold()
            for dx, dy in steps:
                hand = hand.move_by_offset(dx, dy)
            hand.release().perform()
        return settled()

    def serious(name):
        if kept:
            browser.execute_script("window.scrollTo(0, 0)")
            browser.save_screenshot(kept + "/serve-" + name + ".png")
        found = Axe().run(browser)["violations"]
        return [name + ": " + one["id"] + ": " + one["help"] for one in found if one["impact"] in ("serious", "critical")]

    told = {"found": []}
    try:
        mode(1100, False)
        browser.get(url)
        told["found"] += serious("empty")
        told["seven"] = draw([(-60, -80), (110, 0), (-60, 160)])
        told["one"] = draw([(0, -90), (0, 180)])
        told["corner"] = draw([(-120, -120), (60, 0), (-33, 90)])
        told["four"] = draw([(-30, -90), (-40, 90), (120, 0)], [(30, -40), (0, 150)])
        told["rows"] = [row.text for row in browser.find_elements("css selector", "#classes tr")]
        told["pictures"] = [
            browser.execute_script("return arguments[0].naturalWidth", browser.find_element("id", one)) for one in ("input", "saliency")]
        told["layers"] = text("layers")
        told["found"] += serious("light")
        browser.execute_script("const ask = window.fetch;"
                               "window.fetch = (...all) => new Promise(done => setTimeout(done, 500)).then(() => ask(...all));")
        draw([(0, -90), (0, 180)])
        canvas = browser.find_element("id", "draw")
        ActionChains(browser, duration=30).move_to_element_with_offset(canvas, 0, 0).click().perform()
        browser.find_element("id", "clear").click()
        told["cleared"] = [settled(), text("classes"), text("layers"), browser.find_element("id", "saliency").get_attribute("src")]
        draw([(-30, -90), (-40, 90), (120, 0)], [(30, -40), (0, 150)])
        browser.find_element("id", "light").click()
        told["dark ink"] = settled()
        browser.find_element("id", "light").click()
        told["light ink"] = settled()
        mode(1100, True)
        told["found"] += serious("dark")
        mode(380, False)
        told["wide"] = browser.execute_script("return document.documentElement.scrollWidth")
        told["found"] += serious("phone")
        browser.find_element("id", "file").send_keys(sys.argv[5])
        told["file"] = settled()
        browser.find_element("id", "file").send_keys(sys.argv[6])
        told["junk"] = settled()
        told["log"] = browser.get_log("browser")
    finally:
        browser.quit()
    print(json.dumps(told))
''')

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
        if not MNIST.is_dir():
            skip("no MNIST at %s" % MNIST)
        self.ok("train", str(MNIST), "--net", NET, "--epochs", "3", "--no-report", "--out", "m.safetensors", "--quiet")
        if not has_server(self, "m.safetensors"):
            skip("the command was built without libmicrohttpd")
        self.server = Server(self, "m.safetensors")

    def picture(self, name):
        """A seven, dark on light, which as a file is taken as it is, and a broken file."""
        from support import png
        rows = [[0] * 28 for _ in range(28)]
        for i in range(18):
            for j in range(3):
                rows[6 + j][5 + i] = 255
                rows[6 + i][20 - i // 2 + j] = 255
        png(self.path(name), 28, 28, 1, bytes(sum(rows, [])))
        return self.path(name)

    def test_page(self):
        chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
        if chromium is None or driver is None:
            skip("no chromium and chromedriver: install chromium-driver")
        python = python_with("selenium", "axe_core_python")
        kept = os.environ.get("DEEPER_SCREENSHOTS", "")
        done = subprocess.run([python, "-c", BROWSER, self.server.url, kept, chromium, driver, self.picture("seven.png"),
                               self.path(self.write("junk.png", "junk"))], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        told = json.loads(done.stdout)
        for name, digit in (("seven", "7"), ("corner", "7"), ("one", "1"), ("four", "4"), ("light ink", "4"), ("file", "7")):
            self.assertTrue(told[name].startswith(digit + ", "), (name, told[name]))
        self.assertEqual(told["cleared"][:3], ["Nothing is drawn.", "", ""])
        self.assertFalse(told["cleared"][3])
        self.assertNotEqual(told["dark ink"], told["light ink"])
        self.assertIn("neither a PNG nor a JPEG", told["junk"])
        self.assertEqual(len(told["rows"]), 10)
        self.assertRegex(told["rows"][0], r"^4\s\d+\.\d\d %$")
        self.assertEqual(told["pictures"], [28, 28])
        self.assertRegex(told["layers"], r"relu_1: \d+ of 128 units fired; strongest \d+")
        self.assertEqual(told["wide"], 380)
        self.assertEqual(told["found"], [])
        unexpected = [line for line in told["log"] if "explain" not in line["message"] or "400" not in line["message"]]
        self.assertEqual(unexpected, [], "the browser's console")

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
    main()
