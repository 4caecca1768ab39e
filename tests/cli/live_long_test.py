"""The page of train --serve in a real browser: curves move while the network learns, its buttons pause and stop the run, nothing complains and nothing
keeps people out; and what watching takes of the processor. The data is MNIST where that lies beside the checkout (or in DEEPER_MNIST).
DEEPER_SCREENSHOTS=DIR keeps pictures of the page."""

import os
import pathlib
import sys
import time

from browser import Browser, need_browser
from environment import skip
from serving import Events, Live, need_server
from support import Case, main

SOURCE = pathlib.Path(os.environ["DEEPER_SOURCE"])
MNIST = pathlib.Path(os.environ.get("DEEPER_MNIST", SOURCE.parent / "shared" / "data" / "mnist"))


def seconds_of_threads(run):
    """Processor time of each thread by now, and its name: {id: (name, seconds)}."""
    found = {}
    for task in pathlib.Path("/proc/%d/task" % run.pid).iterdir():
        try:
            name = (task / "comm").read_text().strip()
            found[task.name] = (name, int((task / "schedstat").read_text().split()[0]) * 1e-9)
        except OSError:  # it has ended
            pass
    return found


class LivePage(Case):
    def setUp(self):
        super().setUp()
        need_server(self)

    def begin(self, net="preset:lenet5", epochs="200"):
        return Live(self, str(MNIST), "--net", net, "--epochs", epochs, "--val", "0.1", "--no-report", "--out", "m.safetensors")

    def keep(self, page, name):
        kept = os.environ.get("DEEPER_SCREENSHOTS")
        if kept:
            page.screenshot(path=os.path.join(kept, "live-%s.png" % name), full_page=True)

    def points(self, page):
        """How long the text of the first curve is, which has a place for each point."""
        return page.evaluate("document.querySelector('#curves path.line')?.getAttribute('d').length ?? 0")

    def until(self, page, script, *argument):
        """Waits until a script says yes; not by wait_for_function, which the page's policy forbids."""
        end = time.monotonic() + 120
        while not page.evaluate(script, *argument):
            self.assertLess(time.monotonic(), end, script)
            time.sleep(0.05)

    def test_page(self):
        live = self.begin()
        with Browser() as browser:
            page = browser.open(live.url + "#" + live.token)
            self.assertEqual(page.evaluate("location.hash"), "", "the token is out of sight")
            self.until(page, "document.querySelector('#curves path.line')")
            before, facts = self.points(page), page.inner_text("#facts")
            self.until(page, "length => document.querySelector('#curves path.line').getAttribute('d').length > length", before)
            self.assertNotEqual(page.inner_text("#facts"), facts)
            page.wait_for_selector("#seen figure img", timeout=120000)
            self.assertGreater(page.evaluate("document.querySelector('#features img').naturalWidth"), 0)
            page.click("#curves summary")
            drawn = page.inner_html("#curves")
            self.until(page, "html => document.querySelector('#curves').innerHTML !== html", drawn)
            self.assertTrue(page.evaluate("document.querySelector('#curves details').open"), "what was opened stays open")
            self.assertTrue(page.evaluate("document.activeElement.matches('#curves summary')"))
            page.click("#pause")
            self.until(page, "document.getElementById('state').textContent === 'paused'")
            self.assertEqual(page.inner_text("#pause"), "Continue")
            for dark in (False, True):
                for width in (1100, 380):
                    seen = browser.open(live.url, dark=dark, width=width)
                    seen.wait_for_selector("#seen figure img")
                    self.assertEqual(browser.barriers(seen), [], (dark, width))
                    self.assertEqual(seen.evaluate("document.documentElement.scrollWidth"), width)
                    self.keep(seen, "%s-%d" % ("dark" if dark else "light", width))
            plain = browser.open(live.url, scripts=False)
            self.assertIn("buttons need JavaScript", plain.inner_text("noscript"))
            self.assertGreater(self.points(seen), 0)
            self.assertIn("of 200", plain.inner_text("#facts"))
            at = live.now()
            page.click("#pause")
            self.until(page, "document.getElementById('state').textContent === 'training'")
            live.until(lambda now: (now["epoch"], now["step"]) != (at["epoch"], at["step"]))
            stranger = browser.open(live.url)
            self.assertEqual(browser.errors, [])
            stranger.click("#stop")
            self.until(stranger, "document.getElementById('said').textContent.includes('token')")
            self.assertEqual(["403" in one for one in browser.errors], [True], browser.errors)  # the browser's own note of the refusal
            del browser.errors[:]
            stranger.fill("#token", live.token)
            stranger.click("#stop")
            for one in (stranger, page):
                self.until(one, "document.getElementById('state').textContent === 'stopped'")
                self.assertIn("--resume", one.inner_text("#message"))
                self.assertTrue(one.is_disabled("#pause") and one.is_disabled("#stop"))
            self.keep(page, "stopped")
            self.assertEqual([one for one in browser.errors if not one.endswith("/events net::ERR_ABORTED")], [])  # which pages close themselves
        self.assertEqual(live.run.wait(60), 130)
        self.assertTrue(os.path.exists(self.path("m.checkpoint.safetensors")))

    def test_what_is_left_after_a_pause(self):
        """A pause does not count for the time that the rest takes."""
        live = self.begin(epochs="3")
        before = live.until(lambda now: now["epoch"] >= 1 and now["step"] > now["steps"] // 4 and now["seconds_left"])
        live.wish("pause")
        live.until(lambda now: now["state"] == "paused")
        time.sleep(4 + 3 * before["seconds_left"])
        paused = live.now()
        live.wish("continue")
        after = live.until(lambda now: now["state"] == "training" and now["seconds_left"] and (now["epoch"], now["step"]) > (paused["epoch"], paused["step"]))
        self.assertLess(after["seconds_left"], 2.5 * before["seconds_left"])
        live.lines()

    def test_what_watching_takes(self):
        """With one reader, threads of the server take less than 1 % of what all take."""
        live = self.begin("input 28 28 1, linear 128, relu, linear classes", "5000")
        live.until(lambda now: now["epoch"] > 0)
        before, reader, end = seconds_of_threads(live.run), Events(live), time.monotonic() + 15
        while time.monotonic() < end and reader.next():
            after = seconds_of_threads(live.run)
        own = all_of_them = 0
        for task, (name, seconds) in after.items():
            took = seconds - before.get(task, (name, 0))[1]
            all_of_them += took
            own += took if name == "live" or name.startswith("MHD") else 0
        print("the server's threads took %.3f s of %.2f s: %.2f %%" % (own, all_of_them, 100 * own / all_of_them), file=sys.stderr)
        self.assertGreater(own, 0)
        self.assertLess(own, 0.01 * all_of_them)
        live.wish("stop")


if __name__ == "__main__":
    if not MNIST.is_dir():
        skip("no MNIST at %s" % MNIST)
    need_browser()
    main()
