"""deeper data check on sets that people know. MNIST (DEEPER_DATA, or beside the checkout): few false alarms, and digits that are in every list of odd
ones are suspects. CIFAR-10 as JPEG files (build/cifar10): test images that are training images, nearly, as Barz & Denzler (2020) found."""

import json
import os
import pathlib
import shutil
import subprocess

from support import DEEPER, Case, environment, main


SOURCE = pathlib.Path(os.environ["DEEPER_SOURCE"])
MNIST = pathlib.Path(os.environ.get("DEEPER_DATA", SOURCE.parent / "shared" / "data")) / "mnist"
CIFAR = SOURCE / "build" / "cifar10"
# Of the test half: a 6 that is a 4 or an arc, a 6 that is a 1, a 6 that is a 5.
ODD = {3520, 2654, 1014}


class Known(Case):
    def found(self, folder, *more):
        done = subprocess.run([DEEPER, "data", "check", folder, "--json", *more], check=True, capture_output=True, text=True,
                              cwd=self.folder, env=environment())
        return {finding["finding"]: finding for finding in json.loads(done.stdout)["findings"]}

    def test_mnist(self):
        if not MNIST.is_dir():
            self.skipTest("no %s" % MNIST)
        found = self.found(MNIST, "--folds", "0")
        print("MNIST", {name: finding["count"] for name, finding in found.items()}, flush=True)
        self.assertLessEqual(set(found), {"near-duplicate", "near-duplicate-across"})
        self.assertLess(sum(finding["count"] for finding in found.values()), 10)

    def test_labels_of_mnist(self):
        if not MNIST.is_dir():
            self.skipTest("no %s" % MNIST)
        os.mkdir(self.path("test"))
        for path in MNIST.glob("t10k*"):
            shutil.copy(path, self.path("test"))
        found = self.found("test")["label"]
        print("MNIST's test half: %d labels" % found["count"], flush=True)
        self.assertLess(found["count"], 100)
        self.assertLessEqual(ODD, {suspect["index"] for suspect in found["suspects"]})

    def test_cifar(self):
        if not CIFAR.is_dir():
            self.skipTest("no %s" % CIFAR)
        across = self.found(CIFAR, "--folds", "0")["near-duplicate-across"]
        print("CIFAR-10: %d test images" % across["count"], flush=True)
        self.assertGreater(across["count"], 100)
        self.assertEqual([one for one in across["suspects"] if one["class"] != one["twin"]["class"]], [])


if __name__ == "__main__":
    main()
