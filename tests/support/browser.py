"""A headless browser for tests of pages: Chromium, driven by Playwright, with axe to look for what keeps people from using a page.

    from browser import Browser, need_browser

    need_browser()  # first of all, before unittest runs
    with Browser() as browser:
        page = browser.open("report.html", dark=True, width=380)  # a file or an address; Playwright's page
        page.click("text=Results")
        assert browser.errors == []  # what the console, scripts and requests of all pages had to complain of
        assert browser.barriers(page) == []
"""

import os
import pathlib
import shutil
import sys

from environment import python_with, skip

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium():
    """The browser's path, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def need_browser(*more):
    """Begins the program anew in a Python that has what Browser needs, and `more` packages (environment.py); skips it, with the reason, where these
    or Chromium are not to be had."""
    if chromium() is None:
        skip("no Chromium (Debian: apt-get install chromium)")
    python = python_with("playwright", "axe_core_python", *more)
    if python != sys.executable:
        sys.stdout.flush()
        os.execv(python, [python, *sys.argv])


class Browser:
    """One Chromium; each page that is opened is alone in it, with no history and no cookies."""

    def __enter__(self):
        from playwright.sync_api import sync_playwright
        self.errors = []
        self.playwright = sync_playwright().start()
        try:
            self.chromium = self.playwright.chromium.launch(executable_path=chromium())
        except BaseException:
            self.playwright.stop()
            raise
        return self

    def __exit__(self, *failure):
        self.chromium.close()
        self.playwright.stop()

    def open(self, place, dark=False, width=1100, height=900, scripts=True):
        """The page at a path or an address, loaded; scripts=False: as in a browser that runs none."""
        context = self.chromium.new_context(color_scheme="dark" if dark else "light", java_script_enabled=scripts,
                                            viewport={"width": width, "height": height})
        page = context.new_page()
        page.on("console", lambda message: self.note(page, message.text, message.type in ("error", "warning")))
        page.on("pageerror", lambda error: self.note(page, str(error)))
        page.on("requestfailed", lambda request: self.note(page, "%s %s" % (request.url, request.failure)))
        page.goto(place if "://" in place else pathlib.Path(place).resolve().as_uri())
        return page

    def note(self, page, words, complains=True):
        if complains:
            self.errors.append("%s: %s" % (page.url, words))

    @staticmethod
    def barriers(page):
        """What axe finds serious or critical in the page as it is now, one text each."""
        from axe_core_python.sync_playwright import Axe
        found = Axe().run(page)["violations"]
        return ["%s (%s): %s" % (one["id"], one["help"], "; ".join(node["html"][:160] for node in one["nodes"][:5]))
                for one in found if one["impact"] in ("serious", "critical")]

    @staticmethod
    def cut_off(page):
        """Elements that stick out of the page's width, and those whose content is wider than they are and hidden or scrolled, as HTML."""
        return page.evaluate("""() => {
            const width = document.documentElement.clientWidth, found = [];
            for (const e of document.body.querySelectorAll("*")) {
                const box = e.getBoundingClientRect(), clips = getComputedStyle(e).overflowX !== "visible";
                if (box.width > 0 && (box.right > width + 1 || box.left < -1 || (clips && e.scrollWidth > e.clientWidth + 1)))
                    found.push(e.outerHTML.slice(0, 160));
            }
            return found;
        }""")
