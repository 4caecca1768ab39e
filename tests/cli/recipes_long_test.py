#!/usr/bin/env python3
"""Every recorded line of recipes/results.txt again, with seed 1: the same bits, or on other kernels the accuracy. Sets lie in build/ (docs/results.md), or
beside the checkout; what is absent is skipped, and named. Takes as long as the lines say, in all."""
import os
import pathlib
import subprocess
import sys
import tempfile

DEEPER = os.environ["DEEPER"]
SOURCE = pathlib.Path(os.environ["DEEPER_SOURCE"])
BESIDE = SOURCE.parent / "shared" / "data"


def recorded():
    """(arguments, set's folder) of each line."""
    for line in (SOURCE / "recipes" / "results.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            arguments, data = (column.strip() for column in line.split("|")[:2])
            yield arguments, next((place for place in (SOURCE / data, BESIDE / pathlib.Path(data).name) if place.is_dir()), None)


def main():
    ran, failed = 0, []
    with tempfile.TemporaryDirectory() as place:
        # bench repeats all lines of a recipe, so each recipe once
        for recipe, data in dict((arguments.split()[0].removeprefix("@recipe:"), data) for arguments, data in recorded()).items():
            if data is None:
                print(f"skipped: no images for {recipe}")
                continue
            done = subprocess.run([DEEPER, "bench", "--recipe", recipe, data], cwd=place, text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
            print(done.stdout, flush=True)
            ran += 1
            if done.returncode != 0:
                failed.append(recipe)
    print(f"failed: {failed}" if failed else "all as recorded")
    sys.exit(1 if failed else 0 if ran else 77)


if __name__ == "__main__":
    main()
