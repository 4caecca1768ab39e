"""A Python environment for tests that need packages: made once under the build folder.

python_with("numpy") gives the path of an interpreter that can import it. Where there is no network
or no venv module, the test is skipped: it says why and ends with status 77.
"""

import fcntl
import os
import subprocess
import sys

# Ranges that hold for Python 3.9 to 3.13.
PACKAGES = {"numpy": "numpy>=1.26,<3", "safetensors": "safetensors>=0.4,<1",
            "axe_core_python": "axe-core-python>=0.1,<1", "schemathesis": "schemathesis>=3.39,<5", "playwright": "playwright>=1.40,<2", "PIL": "pillow>=10"}

SKIPPED = 77


def skip(reason):
    """Ends the test as skipped."""
    print("skipped: " + reason, flush=True)
    sys.exit(SKIPPED)


def can_import(python, names):
    code = "import " + ", ".join(names)
    return subprocess.run([python, "-c", code], capture_output=True).returncode == 0


def python_with(*names):
    """An interpreter that can import all `names` (keys of PACKAGES)."""
    if os.environ.get("SETUP") == "no" and not can_import(sys.executable, names):
        skip("SETUP=no, and Python has no " + ", ".join(names))
    if can_import(sys.executable, names):
        return sys.executable
    folder = os.environ["DEEPER_PYTHON"]
    python = os.path.join(folder, "bin", "python3")
    os.makedirs(folder, exist_ok=True)
    # Tests run side by side: one makes the environment, the others wait for it.
    with open(os.path.join(folder, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if can_import(python, names) if os.path.exists(python) else False:
            return python
        made = subprocess.run([sys.executable, "-m", "venv", folder], capture_output=True, text=True)
        if made.returncode != 0:
            skip("cannot make a Python environment: " + (made.stdout + made.stderr).strip())
        wanted = [PACKAGES[name] for name in names]
        got = subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "--retries", "1", "--timeout", "20", *wanted],
            capture_output=True, text=True)
        if got.returncode != 0:
            lines = got.stderr.strip().splitlines()
            skip("cannot install " + ", ".join(wanted) + ": " + (lines[-1] if lines else "no reason"))
        return python
