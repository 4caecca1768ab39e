#!/usr/bin/env python3
"""docs/ops.md has a row for every op of ops.def, and none for others; its compositions are builders."""
import os
import pathlib
import re
import unittest

SOURCE = pathlib.Path(os.environ["DEEPER_SOURCE"])


def rows(page):
    return re.findall(r"^\| `(\w+)` \|", page, re.M)


class Ops(unittest.TestCase):
    def setUp(self):
        self.page = (SOURCE / "docs" / "ops.md").read_text()

    def test_every_op_has_one_row(self):
        ops = re.findall(r"^OP\((\w+),", (SOURCE / "src" / "ir" / "ops.def").read_text(), re.M)
        self.assertGreater(len(ops), 30)
        self.assertEqual([row for row in rows(self.page) if not row.startswith("dpr_")], ops)

    def test_compositions_are_builders_and_no_ops(self):
        builders = [row for row in rows(self.page) if row.startswith("dpr_")]
        build = "".join(path.read_text() for path in (SOURCE / "src" / "ir").glob("build*.c"))
        self.assertTrue(builders)
        for builder in builders:
            self.assertIn(f"dpr_value {builder}(", build)
            self.assertNotIn(f"`{builder.removeprefix('dpr_')}`", self.page)

    def test_traits_are_those_of_the_page(self):
        """An op whose gradient the page calls zero or an error has that trait, and no other has."""
        for op, traits in re.findall(r"^OP\((\w+), \d+, (.*)\)$",
                                     (SOURCE / "src" / "ir" / "ops.def").read_text(), re.M):
            row = re.search(rf"^\| `{op}` \|.*\| ([^|]*) \|$", self.page, re.M).group(1)
            self.assertEqual("ZERO_GRADIENT" in traits, row == "zero", op)
            self.assertEqual("NO_GRADIENT" in traits, row == "none: asking is an error", op)


if __name__ == "__main__":
    unittest.main()
