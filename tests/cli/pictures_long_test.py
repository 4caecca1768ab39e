"""A folder of pictures without --net, on pictures that can be learnt: large ones made here, and 100 of each class of CIFAR-10 (JPEG) where that
lies beside the checkout (or in DEEPER_CIFAR, a folder or the .tar.xz)."""

import json
import os
import pathlib
import subprocess
import zlib

from support import DEEPER, Case, Noise, environment, main, png

SOURCE = pathlib.Path(os.environ["DEEPER_SOURCE"])
CIFAR = pathlib.Path(os.environ.get("DEEPER_CIFAR",
                                    SOURCE.parent / "shared" / "data" / "cifar10-jpeg.tar.xz"))
TRAINED, TESTED = 100, 100  # pictures of each class


def striped(noise, kind):
    """Stripes across, stripes down or checks: of any two colours, width and place, 1,000 pixels and more."""
    height, width, wide = 1000 + noise(500), 1000 + noise(500), 60 + noise(120)
    colours = [bytes(noise(256) for _ in range(3)) for _ in range(2)]
    shift = noise(wide)
    rows = []
    for swap in (0, 1):
        if kind == "across":
            rows.append(colours[swap] * width)
        else:
            both = colours[swap] * wide + colours[1 - swap] * wide
            rows.append((both * (width // wide + 2))[3 * shift:3 * (shift + width)])
    lines = [rows[(y + shift) // wide % 2 if kind != "down" else 0] for y in range(height)]
    return height, width, b"".join(lines)


class Pictures(Case):
    def done(self, *arguments):
        out = subprocess.run([DEEPER, "train", *arguments, "--json", "--out", "m.safetensors"],
                             check=True, capture_output=True, text=True, cwd=self.folder,
                             env=environment())
        return json.loads(out.stdout.splitlines()[-1])

    def test_large_ones(self):
        noise = Noise(5)
        for kind in ("across", "down", "checks"):
            os.makedirs(self.path("photos", kind))
            for i in range(30):
                height, width, pixels = striped(noise, kind)
                png(self.path("photos", kind, "%d.png" % i), width, height, 3, pixels)
        self.assertGreaterEqual(self.done("photos")["test_accuracy"], 0.85)

    def cifar(self):
        if CIFAR.is_dir():
            return CIFAR
        os.mkdir(self.path("all"))
        subprocess.run(["tar", "xf", CIFAR, "-C", self.path("all")], check=True)
        return pathlib.Path(self.path("all"))

    def test_a_hundred_of_each_class(self):
        """At least five points above the best dense net that was found."""
        if not CIFAR.exists():
            self.skipTest("no %s" % CIFAR)
        every = self.cifar()
        for half, n in (("train", TRAINED), ("test", TESTED)):
            for folder in sorted((every / half).iterdir()):
                here = pathlib.Path(self.path("some", half, folder.name))
                here.mkdir(parents=True)
                names = sorted(folder.iterdir(), key=lambda path: zlib.crc32(path.name.encode()))
                for path in names[:n]:
                    os.link(path, here / path.name) if path.is_relative_to(self.folder) \
                        else (here / path.name).symlink_to(path)
        dense = [self.done("some", "--net", net, "--batch", "32", "--lr", "0.01", "--epochs", "20")
                 for net in ("preset:mlp", "input data, linear 256, relu, dropout 0.3, linear 128, "
                             "relu, linear classes")]
        best = max(result["test_accuracy"] for result in dense)
        chosen = self.done("some")["test_accuracy"]
        print("chosen %.4f, best dense net %.4f" % (chosen, best), flush=True)
        self.assertGreaterEqual(chosen, best + 0.05)


if __name__ == "__main__":
    main()
