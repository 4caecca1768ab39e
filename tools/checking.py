"""What the tools/check-* scripts share: walking the sources, reporting, and the self-test.

A check is a function problems(root) → list of "path:line: what is wrong". `--self-test` runs it over
small trees written on purpose, so that a check which cannot fail is itself found.
"""

import os
import re
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def files(root, folders, endings):
    """Paths relative to root, sorted, of the files below `folders` with one of `endings`."""
    found = []
    for folder in folders:
        for parent, directories, names in os.walk(os.path.join(root, folder)):
            directories[:] = [d for d in directories if d not in ("build", "__pycache__", ".git")]
            for name in names:
                if name.endswith(endings):
                    found.append(os.path.relpath(os.path.join(parent, name), root))
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def code_only(text):
    """C without its comments and the contents of its strings; line numbers stay."""
    def blank(match):
        token = match.group(0)
        if token.startswith("/"):
            return " " + "\n" * token.count("\n")
        return token[0] + token[-1]
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text,
                  flags=re.S)


def tree(sources):
    """A temporary folder with these {path: text}; the caller keeps it alive."""
    folder = tempfile.TemporaryDirectory()
    for path, text in sources.items():
        full = os.path.join(folder.name, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)
    return folder


def main(problems, good, bad):
    """`good` is a tree without a problem; `bad` maps an expected message to a tree that has it."""
    if sys.argv[1:] == ["--self-test"]:
        with tree(good) as root:
            found = problems(root)
            if found:
                sys.exit("the good tree is refused: " + "; ".join(found))
        for expected, sources in bad.items():
            with tree({**good, **sources}) as root:
                found = problems(root)
            if not any(expected in line for line in found):
                sys.exit(f"not found: {expected!r} in {found}")
        print(f"{len(bad)} mistakes made on purpose, all found")
        return
    found = problems(ROOT)
    for line in found:
        print(line)
    sys.exit(1 if found else 0)
