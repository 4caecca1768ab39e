"""A folder of pictures without --net, on pictures that can be learnt: large JPEG files made here, and 100 of each class of CIFAR-10 (JPEG) where that
lies beside the checkout (or in DEEPER_CIFAR, a folder or the .tar.xz)."""

import json
import os
import pathlib
import subprocess
import zlib

from shapes import write_shapes
from support import DEEPER, Case, environment, main

SOURCE = pathlib.Path(os.environ["DEEPER_SOURCE"])
CIFAR = pathlib.Path(os.environ.get("DEEPER_CIFAR",
                                    SOURCE.parent / "shared" / "data" / "cifar10-jpeg.tar.xz"))
TRAINED, TESTED = 100, 100  # pictures of each class


class Pictures(Case):
    def done(self, *arguments):
        out = subprocess.run([DEEPER, "train", *arguments, "--json", "--out", "m.safetensors"],
                             check=True, capture_output=True, text=True, cwd=self.folder,
                             env=environment())
        return json.loads(out.stdout.splitlines()[-1])

    def test_large_ones(self):
        write_shapes(self.path("photos"), 30, 40)
        accuracy = self.done("photos")["test_accuracy"]
        print("photos %.4f" % accuracy, flush=True)
        self.assertGreaterEqual(accuracy, 0.85)

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
