"""Pictures of scattered shapes as JPEG files of 1,000 pixels and more, with the standard library only: what a folder of photos is like, as far
as a script can make it. `python3 shapes.py FOLDER` writes FOLDER/train and FOLDER/test."""

import os
import struct
import sys

from noise import Noise

KINDS = ("disc", "square", "triangle")
BLOCK = 8


# ---- JPEG: baseline, 4:4:4, blocks of one colour each ------------------------------------------

# Huffman codes for the size of a DC difference (ITU-T T.81, table K.3), and one for "no more coefficients".
DC_COUNTS, DC_SIZES = bytes((0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0)), bytes(range(12))
AC_COUNTS, AC_SIZES = bytes((1,) + (0,) * 15), b"\0"


def dc_codes():
    codes, code, size = {}, 0, 0
    for length, count in enumerate(DC_COUNTS, 1):
        for _ in range(count):
            codes[DC_SIZES[size]] = format(code, "0%db" % length)
            code, size = code + 1, size + 1
        code *= 2
    return codes


def difference(codes, value):
    size = abs(value).bit_length()
    bits = value if value > 0 else value + (1 << size) - 1
    return codes[size] + (format(bits, "0%db" % size) if size else "") + "0"


def segment(marker, body):
    return struct.pack(">BBH", 0xff, marker, len(body) + 2) + body


def jpeg(path, width, height, blocks):
    """blocks: rows of (red, green, blue), one for each 8 × 8 pixels."""
    codes, last, bits = dc_codes(), [0, 0, 0], []
    cache = {}
    for row in blocks:
        for colour in row:
            if colour not in cache:
                r, g, b = colour
                y = 0.299 * r + 0.587 * g + 0.114 * b
                cache[colour] = [round(part) for part in
                                 (y - 128, (b - y) / 1.772, (r - y) / 1.402)]
            for i, part in enumerate(cache[colour]):
                bits.append(difference(codes, part - last[i]))
                last[i] = part
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    scan = int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\0")
    components = b"".join(bytes((i, 0x11, 0)) for i in (1, 2, 3))
    with open(path, "wb") as file:
        file.write(b"\xff\xd8" + segment(0xdb, b"\0" + bytes((8,) * 64))
                   + segment(0xc0, struct.pack(">BHHB", 8, height, width, 3) + components)
                   + segment(0xc4, b"\0" + DC_COUNTS + DC_SIZES)
                   + segment(0xc4, b"\x10" + AC_COUNTS + AC_SIZES)
                   + segment(0xda, b"\3" + b"".join(bytes((i, 0)) for i in (1, 2, 3)) + b"\0\x3f\0")
                   + scan + b"\xff\xd9")


# ---- pictures -----------------------------------------------------------------------------------


def inside(kind, x, y, size):
    """Whether (x, y), from the middle, lies in a shape of about the area size²."""
    if kind == "disc":
        return x * x + y * y <= 0.318 * size * size
    if kind == "square":
        return abs(x) <= 0.5 * size and abs(y) <= 0.5 * size
    return -0.87 * size <= y <= 0.44 * size and abs(x) <= (y + 0.87 * size) * 0.58


def picture(noise, kind):
    """Three to seven shapes of one kind, each of any colour, size and place, on an uneven ground: rows of colours."""
    height, width = 125 + noise(40), 125 + noise(40)
    ground = [noise(256) for _ in range(3)]
    slope = [noise(81) - 40 for _ in range(3)]
    rows = [[tuple(max(0, min(255, ground[c] + slope[c] * (x + y) // (height + width)
                              + noise(9) - 4)) for c in range(3))
             for x in range(width)] for y in range(height)]
    for _ in range(3 + noise(5)):
        size, middle_x, middle_y = 14 + noise(26), noise(width), noise(height)
        colour = tuple(noise(256) for _ in range(3))
        while sum(abs(a - b) for a, b in zip(colour, ground)) < 150:
            colour = tuple(noise(256) for _ in range(3))
        for y in range(max(0, middle_y - size), min(height, middle_y + size)):
            for x in range(max(0, middle_x - size), min(width, middle_x + size)):
                if inside(kind, x - middle_x, y - middle_y, size):
                    rows[y][x] = colour
    return rows


def write_shapes(folder, train, test, seed=1):
    """folder/train/KIND and folder/test/KIND: so many pictures of each kind."""
    noise = Noise(seed)
    for half, n in (("train", train), ("test", test)):
        for kind in KINDS:
            os.makedirs(os.path.join(folder, half, kind), exist_ok=True)
            for i in range(n):
                rows = picture(noise, kind)
                width, height = BLOCK * len(rows[0]) - noise(BLOCK), BLOCK * len(rows) - noise(BLOCK)
                jpeg(os.path.join(folder, half, kind, "%d.jpg" % i), width, height, rows)


if __name__ == "__main__":
    write_shapes(sys.argv[1], 30, 100)
