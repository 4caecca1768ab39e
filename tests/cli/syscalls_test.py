"""A step makes no system call but for the clock and, when a thread has waited in vain, futex: ten times as many steps in as many
epochs make as many calls."""
import os
import re
import shutil
import subprocess
import sys
import unittest

import support

IMAGES = 4000
OF_WAITING = {"futex", "sched_yield", "clock_gettime", "restart_syscall"}


class Syscalls(support.Case):
    def count(self, batch):
        """Calls by name of a run in such batches, all threads."""
        trace = self.path("trace")
        done = subprocess.run(["strace", "-f", "-c", "-o", trace, support.DEEPER, "train", "set", "--net",
                               "input 4 4 1, linear 16, relu, linear classes", "--batch", str(batch), "--epochs", "2", "--threads",
                               "2", "--quiet", "--out", self.path("model.safetensors")],
                              cwd=self.folder, capture_output=True, text=True, env=support.environment())
        if "ptrace" in done.stderr.lower() or "not permitted" in done.stderr.lower():
            print("skipped: this system lets nobody trace")
            sys.exit(77)
        self.assertEqual(done.returncode, 0, done.stderr)
        calls = {}
        with open(trace, encoding="utf-8") as file:
            for line in file:
                found = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+\d+)?\s+(\w+)$", line)
                if found and found.group(2) != "total":
                    calls[found.group(2)] = int(found.group(1))
        self.assertIn("execve", calls)
        return calls

    def test_steps_make_none(self):
        support.write_idx(self.path("set"), train=IMAGES, test=40)
        few, many = self.count(40), self.count(4)
        more = {name: many[name] - few.get(name, 0) for name in many if name not in OF_WAITING}
        self.assertLess(sum(n for n in more.values() if n > 0), IMAGES / 40, more)


if __name__ == "__main__":
    if shutil.which("strace") is None:
        print("skipped: no strace here")
        sys.exit(77)
    if os.environ.get("DEEPER_SANITIZE"):
        print("skipped: sanitizers make system calls of their own")
        sys.exit(77)
    unittest.main(verbosity=1)
