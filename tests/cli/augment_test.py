"""Augmentation: train --augment, and data preview."""

import os
import struct
import zlib

from support import Case, main, png, write_idx, write_pictures

NET = "input 8 8 1, linear 9, relu, linear classes"
QUICK = ("--net", NET, "--epochs", "3", "--batch", "32")


def read_png(path):
    """(width, height, channels, rows of bytes) of a PNG of 8 bits, with any filters."""
    with open(path, "rb") as file:
        data = file.read()
    at, packed = 8, b""
    while at < len(data):
        n, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", data[at + 8:at + 18])
        if kind == b"IDAT":
            packed += data[at + 8:at + 8 + n]
        at += n + 12
    assert depth == 8
    channels = {0: 1, 2: 3}[colour]
    raw, n, rows, above = zlib.decompress(packed), width * channels, [], bytes(width * channels)
    for y in range(height):
        line = bytearray(raw[y * (n + 1) + 1:(y + 1) * (n + 1)])
        for i in range(n):
            a = line[i - channels] if i >= channels else 0
            b, c = above[i], above[i - channels] if i >= channels else 0
            p = a + b - c
            paeth = min((abs(p - v), k, v) for k, v in enumerate((a, b, c)))[2]
            line[i] = (line[i] + (0, a, b, (a + b) // 2, paeth)[raw[y * (n + 1)]]) % 256
        rows.append(bytes(line))
        above = rows[-1]
    return width, height, channels, rows


def read_size(path):
    with open(path, "rb") as file:
        return struct.unpack(">II", file.read(24)[16:])


class Sheet:
    """A contact sheet, to be read cell by cell."""

    def __init__(self, path, side, zoom, own_gap):
        self.width, self.height, self.channels, self.rows = read_png(path)
        self.side, self.zoom, self.own_gap = side, zoom, own_gap

    def cell(self, row, column):
        """The image's rows, after making sure that each pixel is a square of one colour."""
        step, c = self.side * self.zoom + 4, self.channels
        y0, x0 = 4 + row * step, 4 + column * step + (self.own_gap - 4 if column else 0)
        cell = []
        for y in range(self.side):
            lines = {self.rows[y0 + y * self.zoom + i][x0 * c:(x0 + self.side * self.zoom) * c]
                     for i in range(self.zoom)}
            assert len(lines) == 1
            line = lines.pop()
            pixels = [line[i * c:(i + 1) * c] for i in range(self.side * self.zoom)]
            assert all(pixels[i] == pixels[i - i % self.zoom] for i in range(len(pixels)))
            cell.append(b"".join(pixels[::self.zoom]))
        return cell


class Preview(Case):
    def setUp(self):
        super().setUp()
        write_idx(self.path("set"), side=8)
        with open(self.path("set", "train-images-idx3-ubyte"), "rb") as file:
            pixels = file.read()[16:]
        self.image = [[pixels[i * 64 + y * 8:i * 64 + y * 8 + 8] for y in range(8)]
                      for i in range(len(pixels) // 64)]

    def test_images_of_each_class(self):
        told = self.ok("data", "preview", "set", "sheet.png")
        self.assertEqual((told.out, told.err), ("", "deeper: look at sheet.png\n"))
        sheet = Sheet(self.path("sheet.png"), 8, 12, 4)
        self.assertEqual((sheet.width, sheet.height), (9 * 100 + 4, 10 * 100 + 4))
        seen = set()
        for row in range(10): # image i is of class i mod 4
            for column in range(9):
                at = self.image.index(sheet.cell(row, column))
                self.assertEqual(at % 4, row % 4)
                seen.add(at)
        self.assertEqual(len(seen), 90)

    def test_what_the_network_sees(self):
        self.ok("data", "preview", "set", "--augment", "flip=alternate", "sheet.png", "--quiet")
        sheet = Sheet(self.path("sheet.png"), 8, 12, 16)
        self.assertEqual(sheet.width, 9 * 100 + 16)
        for row in range(10):
            own = sheet.cell(row, 0)
            turned = [line[::-1] for line in own]
            self.assertIn(own, self.image)
            cells = [sheet.cell(row, column) for column in range(1, 9)]
            self.assertIn(cells[:2], [[own, turned], [turned, own]])
            self.assertEqual(cells, cells[:2] * 4)

    def test_seed(self):
        def sheet(*more):
            self.ok("data", "preview", "set", "s.png", "--augment=crop=3,elastic", *more)
            with open(self.path("s.png"), "rb") as file:
                return file.read()
        self.assertEqual(sheet(), sheet("--seed", "1"))
        self.assertNotEqual(sheet(), sheet("--seed", "2"))

    def test_sizes_and_colours(self):
        write_pictures(self.path("photos"), ["cat", "dog"], 3, side=10, channels=3)
        self.ok("data", "preview", "photos", "a.png", "--augment", "saturation=0.5,pad=mean,rotate")
        self.assertEqual(read_size(self.path("a.png")), (9 * 94 + 16, 6 * 94 + 4))
        told = self.ok("data", "preview", "photos", "a.png", "--net",
                       "input 20 16 3, linear classes", "--json")
        self.assertEqual(told.lines(), [{"out": "a.png"}])
        self.assertEqual(read_size(self.path("a.png")), (9 * 68 + 4, 6 * 84 + 4))
        png(self.path("photos", "train", "cat", "other.png"), 12, 14, 3, bytes(12 * 14 * 3))
        self.says(self.ok("data", "preview", "photos", "a.png"), # as train chooses
                  "look at a.png: --augment crop=4,pad=reflect,flip")
        self.assertEqual(read_size(self.path("a.png"))[0], 9 * 100 + 16)

    def test_what_fails(self):
        self.usage("data", "preview", "set")
        self.usage("data", "preview", "set", "a.png", "b.png")
        self.says(self.usage("data", "preview", "set", "a.jpg"), "'a.jpg'", "must end in .png")
        self.says(self.usage("data", "preview", "nothing", "a.png", "--augment", "flop"),
                  "--augment: 'flop'", "did you mean 'flip'?")
        self.says(self.fails("data", "preview", "nothing", "a.png"), "nothing")
        self.says(self.fails("data", "preview", "set", "no/a.png"), "no/a.png")
        self.says(self.fails("data", "preview", "set", "a.png", "--augment", "crop=8"), "crop=8",
                  "8 × 8", "below 8")
        self.says(self.fails("data", "preview", "set", "a.png", "--net", "input 8 8 1, linaer 5"),
                  "linear")
        self.assertFalse(os.path.exists(self.path("a.png")))


class Training(Case):
    def setUp(self):
        super().setUp()
        write_idx(self.path("set"), side=8)

    def train(self, *more):
        return self.ok("train", "set", *QUICK, "--json", *more).lines()[-1]["weights_sha256"]

    def test_it_changes_the_training(self):
        plain, flips = self.train("--out", "a"), self.train("--out", "b", "--augment", "flip,crop=1")
        self.assertNotEqual(plain, flips)
        for threads in ("1", "3"):
            self.assertEqual(flips, self.train("--out", "c", "--augment", "crop=1,flip=random",
                                               "--threads", threads))
        self.assertNotEqual(flips, self.train("--out", "d", "--augment", "crop=1,flip=alternate"))

    def test_it_is_kept_in_the_model(self):
        self.train("--out", "m", "--augment", "mixup=0.5, rotate=5", "--schedule=constant")
        with open(self.path("m"), "rb") as file:
            self.assertIn(rb'\"augment\":\"rotate=5,mixup=0.5\"', file.read())
        more = ("--out", "m", "--schedule=constant", "--epochs", "5", "--resume")
        start = ("train", "set", "--net", NET, "--batch", "32")
        self.says(self.fails(*start, *more), "augment is \"\" here", "rotate=5,mixup=0.5", "keep it")
        self.says(self.fails(*start, *more, "--augment", "rotate=6,mixup=0.5"),
                  "rotate=6,mixup=0.5", "rotate=5,mixup=0.5")
        long = self.ok(*start, *more, "--augment=rotate=5.0,mixup=0.5", "--json").lines()
        self.assertEqual([line["epoch"] for line in long[:-1]], [4, 5])
        once = self.ok(*start, "--out", "n", "--schedule=constant", "--epochs", "5", "--json",
                       "--augment", "rotate=5,mixup=0.5").lines()
        self.assertEqual(long[-1]["weights_sha256"], once[-1]["weights_sha256"])

    def test_what_fails(self):
        for text, *says in (("cutuot=8", "'cutuot'", "did you mean 'cutout'?"),
                            ("crop=-1", "crop is '-1'", "from 0 to 1024"),
                            ("flip,", "empty"), ("flip=up", "never, random, alternate"),
                            ("pad=mean", "pad does nothing")):
            with self.subTest(text): # known before there is data
                self.says(self.usage("train", "nothing", "--augment", text), "--augment: ", *says)
        self.usage("train", "nothing", "--augment", "")
        for text, *says in (("saturation=0.2", "three channels", "have 1"), ("crop=8", "below 8"),
                            ("cutout=9", "at most 8")):
            with self.subTest(text):
                self.says(self.fails("train", "set", "--augment", text), *says)


if __name__ == "__main__":
    main()
