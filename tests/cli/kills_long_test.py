#!/usr/bin/env python3
"""A hundred SIGKILLs, some while a checkpoint is being written, with whatever build DEEPER names (make test-long also names one with sanitizers):
the run ends with the weights of one left alone, and the directory holds no temporary files of more than the last kill."""
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from contract_test import DEEPER, lines, make_set  # noqa: E402

KILLS = 100
NET = "input 8 8 1, linear 400, relu, dropout 0.2, linear 300, relu, linear classes"


def main():
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        data, draw = make_set(place / "data", n_train=400), random.Random(3)

        def command(out, *more):
            return [DEEPER, "train", str(data), "--net", NET, "--batch", "50", "--epochs", "150", "--json", "--out",
                    str(place / out), *more]
        whole = lines(subprocess.run(command("whole.safetensors"), check=True, stdout=subprocess.PIPE,
                                     text=True).stdout)[-1]
        kills = 0
        while kills < KILLS:
            child = subprocess.Popen(command("killed.safetensors", "--resume"), stdout=subprocess.DEVNULL,
                                     stderr=subprocess.PIPE)
            time.sleep(draw.uniform(0, min(1.0, whole["seconds"] / 10)))
            if child.poll() is None:
                child.send_signal(signal.SIGKILL)
                kills += 1
            errors = child.communicate()[1]
            assert b"ERROR" not in errors, errors
            if (place / "killed.safetensors").exists():
                last = lines(subprocess.run(command("killed.safetensors", "--resume"), check=True,
                                            stdout=subprocess.PIPE, text=True).stdout)[-1]
                assert last["weights_sha256"] == whole["weights_sha256"], (last, whole)
                (place / "killed.safetensors").unlink()
        last = lines(subprocess.run(command("killed.safetensors", "--resume"), check=True, stdout=subprocess.PIPE,
                                    text=True).stdout)[-1]
        assert last["weights_sha256"] == whole["weights_sha256"], (last, whole)
        left = [p.name for p in place.iterdir() if ".tmp" in p.name]
        print(f"{kills} kills, the same weights; left over: {left}")
        assert len(left) <= 1, left


if __name__ == "__main__":
    main()
