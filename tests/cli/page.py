"""Pages as tests see them."""

from html.parser import HTMLParser

EMPTY = {"meta", "img", "br", "circle", "path", "rect", "link"}


class Page(HTMLParser):
    """What stands in the page: tables by caption, values, ids, links, pictures; badly nested tags are refused."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.images, self.values, self.text = [], [], [], [], {}, ""
        self.tables, self.charts = {}, []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        own = dict(attributes)
        self.ids += [own["id"]] if "id" in own else []
        self.links += [own["href"]] if tag == "a" else []
        self.images += [own] if tag == "img" else []
        self.charts += [own] if tag == "svg" else []
        if tag == "table":
            self.rows = []
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "data":
            self.values.setdefault(self.place(), []).append(float(own["value"]))
        if tag not in EMPTY:
            self.open.append((tag, own.get("id")))

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in EMPTY:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if tag in EMPTY:
            return
        assert self.open and self.open[-1][0] == tag, (tag, self.open)
        self.open.pop()
        if tag == "table":
            self.tables[self.caption] = self.rows

    def handle_data(self, data):
        self.text += data
        if any(tag == "caption" for tag, _ in self.open):
            self.caption = data
        if any(tag in ("td", "th") for tag, _ in self.open):
            self.rows[-1][-1] += data

    def place(self):
        """The id of the innermost element that has one."""
        return next(name for _, name in reversed(self.open) if name)

    def table(self, words):
        return next(rows for caption, rows in self.tables.items() if words in caption)

    def check(self, case):
        """Ids are unique, links lead somewhere, and what is to be seen is also said."""
        case.assertEqual(len(self.ids), len(set(self.ids)))
        for link in self.links:
            case.assertIn(link[1:], self.ids)
        for image in self.images:
            case.assertTrue(image["alt"])
        for chart in self.charts:
            case.assertEqual(chart["role"], "img")
            case.assertTrue(chart["aria-label"])
