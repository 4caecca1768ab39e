"""What train says of a run that goes wrong: in words, as JSON, in the log and on the page, once; and of one that is well, nothing."""

import json

from support import Case, main, write_idx

NET = "input 8 8 1, linear 12, relu, linear classes"
RUN = ["train", "set", "--net", NET, "--epochs", "24", "--out", "m.safetensors"]


class Health(Case):
    def setUp(self):
        super().setUp()
        write_idx(self.path("set"), train=400, test=100, classes=4, side=8)

    def page(self):
        with open(self.path("m.report.html"), encoding="utf-8") as file:
            return file.read()

    def test_a_run_that_is_well(self):
        result = self.ok(*RUN, "--json")
        self.assertNotIn("warning", result.err)
        self.assertFalse([line for line in result.lines() if "health" in line])
        self.assertIn("<p>No finding: ", self.page())

    def test_a_short_run_is_not_judged(self):
        self.ok(*RUN[:4], "--epochs", "2", "--out", "m.safetensors", "--lr", "1e-9")
        self.assertIn("too short to be judged", self.page())

    def test_one_line_in_words(self):
        result = self.ok(*RUN, "--lr", "1e-9")
        warnings = [line for line in result.err.splitlines() if "warning" in line]
        self.assertEqual(len(warnings), 1)
        self.assertTrue(warnings[0].startswith("deeper: warning: the learning rate is far too low"))
        self.assertIn("; try a learning rate of 0.05", warnings[0])
        self.assertIn(warnings[0][len("deeper: warning: "):] + ".</li>", self.page())

    def test_as_json_in_the_log_and_after_a_resume(self):
        result = self.ok(*RUN, "--lr", "1e-9", "--json", "--log", "log")
        lines = result.lines()
        found = [line["health"] for line in lines if "health" in line]
        self.assertEqual(len(found), 1)
        self.assertEqual((found[0]["cause"], found[0]["layer"], found[0]["op"], found[0]["rate"]), ("rate-low", "", "", 0.05))
        place = [i for i, line in enumerate(lines) if "health" in line][0]
        self.assertEqual(lines[place + 1]["epoch"], found[0]["epoch"])
        with open(self.path("log"), encoding="utf-8") as file:
            self.assertEqual([json.loads(line) for line in file], lines)
        self.assertIn("in epoch %d, step %d: %s." % (found[0]["epoch"], found[0]["step"], found[0]["text"]), self.page())
        again = self.ok(*RUN, "--lr", "1e-9", "--json", "--log", "log", "--resume")
        self.assertNotIn("warning", again.err)
        self.assertEqual([list(line)[0] for line in again.lines()], ["done"])
        with open(self.path("log"), encoding="utf-8") as file:
            self.assertEqual([json.loads(line) for line in file][:-1], lines[:-1])
        self.ok("report", "m.safetensors", "set")
        self.assertIn(found[0]["text"], self.page())

    def test_a_loss_that_is_not_finite(self):
        result = self.fails("train", "set", "--net", "input 8 8 1, linear 9, linear 9, linear classes", "--lr", "1000",
                            "--json", "--out", "m.safetensors")
        found = [line["health"] for line in result.lines() if "health" in line]
        self.assertEqual([one["cause"] for one in found], ["non-finite"])
        self.assertEqual(found[0]["op"], "matmul")
        self.assertRegex(found[0]["layer"], r"^linear_\d$")
        self.assertRegex(result.err, r"step %d \(epoch 1, batch %d of 4\): the loss is not finite: " % (found[0]["step"], found[0]["step"]))
        self.assertIn("matmul '%s'" % found[0]["layer"], result.err)
        self.assertNotIn("warning", result.err)
        self.assertIn("<strong>non-finite</strong>", self.page())


if __name__ == "__main__":
    main()
