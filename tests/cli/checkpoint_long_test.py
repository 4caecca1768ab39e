"""Within an epoch, too, the run is on disk at least every 30 seconds: killed just after such a checkpoint, it goes on
from there and ends with the weights of a run left alone."""

import os
import re
import subprocess
import time

from support import Case, DEEPER, environment, main, write_idx

LONGEST = 1800


class Checkpoint(Case):
    def test_within_an_epoch(self):
        write_idx(self.path("set"), train=60000, side=8)
        arguments = ["train", "set", "--net", "input 8 8 1, linear 256, relu, linear classes",
                     "--device", "ref", "--batch", "1", "--lr", "0.001", "--epochs", "1", "--json"]
        process = subprocess.Popen([DEEPER, *arguments], cwd=self.folder, text=True,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   env=environment())
        checkpoint, first, seen = self.path("set.checkpoint.safetensors"), None, None
        start = time.monotonic()
        while process.poll() is None and (seen is None or seen == first):
            time.sleep(0.05)
            if os.path.exists(checkpoint):
                seen = os.stat(checkpoint).st_mtime_ns
                first = first or seen
        if process.poll() is not None:
            self.skipTest("the epoch took less than 30 seconds")
        self.assertLess(time.monotonic() - start, 60)
        process.kill()
        process.communicate()
        done = self.run_long(*arguments, "--resume")
        steps = int(re.search(r"goes on after 0 epochs, (\d+) steps", done.stderr).group(1))
        self.assertGreater(steps, 1000)
        alone = self.run_long(*arguments, "--out", "alone")
        pattern = r'"weights_sha256":"(\w+)"'
        self.assertEqual(re.search(pattern, done.stdout).group(1),
                         re.search(pattern, alone.stdout).group(1))

    def run_long(self, *arguments):
        done = subprocess.run([DEEPER, *arguments], cwd=self.folder, capture_output=True, text=True,
                              env=environment(), timeout=LONGEST)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done


if __name__ == "__main__":
    main()
