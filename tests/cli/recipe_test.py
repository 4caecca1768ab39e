"""deeper bench --recipe: a recorded line is repeated and compared."""

from support import Case, main, write_idx

ARGUMENTS = "@recipe:mnist-99 --net tiny.net --epochs 2 --batch 32"


class Recipe(Case):
    def setUp(self):
        super().setUp()
        write_idx(self.path("set"))
        self.write("tiny.net", "input 4 4 1, linear 8, relu, linear classes\n")
        self.told = self.ok("train", "set", *ARGUMENTS.split(), "--seed", "1", "--json", "--out", "m").lines()[-1]

    def record(self, **changes):
        """A file of results with the line of this run, changed."""
        columns = {"arguments": ARGUMENTS, "data": "set", "accuracies": "%.2f" % (100 * self.told["test_accuracy"]),
                   "plain": "0", "seconds": "1.5", "reading": "0.1", "rate": "1000",
                   "kernels": "%s %s" % (self.told["isa"], self.told["precision"]), "machine": "a machine",
                   "set": self.told["data_sha256"], "weights": self.told["weights_sha256"]}
        columns.update(changes)
        self.write("results", "# a comment\n\n" + " | ".join(columns.values()) + "\n")

    def bench(self, *more):
        return ["bench", "--recipe", "mnist-99", "--results", "results", *more]

    def compared(self, *more, status=0):
        line = self.expect(status, *self.bench(*more, "--json")).lines()[-1]
        return line["same_data"], line["same_kernels"], line["same_weights"], line["agrees"]

    def test_same_bits(self):
        self.record()
        self.assertEqual(self.compared(), (True, True, True, True))
        told = self.ok(*self.bench("--threads", "1")).out
        self.assertIn("deeper train set %s --seed 1\n" % ARGUMENTS, told)
        self.assertIn("\nthe weights are the recorded ones (SHA-256 %s...)\n" % self.told["weights_sha256"][:16], told)
        self.assertIn("on a machine", told)
        self.ok("eval", "mnist-99.safetensors", "set")

    def test_other_bits_are_a_failure(self):
        self.record(weights="0" * 64)
        self.assertEqual(self.compared(status=1), (True, True, False, True))
        told = self.fails(*self.bench())
        self.says(told, "@recipe:mnist-99 did not give what is recorded")
        self.assertIn("the weights are not the recorded ones", told.out)

    def test_other_kernels(self):
        self.record(weights="0" * 64, kernels="abacus float32")
        self.assertEqual(self.compared(), (True, False, False, True))
        self.assertIn("of abacus float32: only the accuracy is compared", self.ok(*self.bench()).out)
        self.record()
        self.assertEqual(self.compared("--device", "ref")[:2], (True, False))

    def test_other_images(self):
        write_idx(self.path("other"), contrast=80)
        self.record(accuracies="0 0 0")
        self.assertEqual(self.compared("other")[0], False)
        self.assertIn("not those of the recorded run: only the accuracy", self.ok(*self.bench("other")).out)

    def test_worse_accuracy_is_a_failure(self):
        self.record(accuracies="100 100 100", kernels="abacus float32", weights="0" * 64)
        self.assertLess(self.told["test_accuracy"], 1)
        self.assertEqual(self.compared(status=1), (True, False, False, False))

    def test_every_line_is_repeated(self):
        self.record(data="nowhere")
        with open(self.path("results"), "r+", encoding="utf-8") as file:
            line = file.read().splitlines()[-1]
            file.write(line.replace("--epochs 2", "--epochs 1") + "\n" + line.replace("mnist-99", "letters") + "\n")
        told = self.fails(*self.bench("set", "--json"))
        compared = [line for line in told.lines() if "recipe" in line]
        self.assertEqual([line["arguments"].split()[-3] for line in compared], ["2", "1"])
        self.assertEqual([line["same_weights"] for line in compared], [True, False])

    def test_mean_and_interval(self):
        self.record(accuracies="20 22 27")
        line = self.ok(*self.bench("--json")).lines()[-1]
        self.assertAlmostEqual(line["recorded_accuracy"], 0.23, places=9)
        self.assertAlmostEqual(line["recorded_interval"], 4.303 * 0.13 ** 0.5 / 10 / 3 ** 0.5, places=4)

    def test_mistakes(self):
        self.record()
        self.says(self.usage("bench", "--recipe", "mnist-9"), "'mnist-9'", "did you mean 'mnist-99'?")
        self.says(self.usage(*self.bench("set", "more")), "'more' is left over")
        for words in (["--seconds", "2"], ["--predict"]):
            self.says(self.usage(*self.bench(*words)), "--recipe trains as a recorded line says")
        self.says(self.usage("bench", "--results", "results"), "--results is for --recipe")
        self.says(self.fails("bench", "--recipe", "letters", "--results", "results"), "nothing is recorded of @recipe:letters")
        self.says(self.fails(*self.bench("nodata")), "nodata")
        self.says(self.fails("bench", "--recipe", "letters", "--results", "nofile"), "'nofile'")
        for columns in ({"weights": "12"}, {"accuracies": "x"}, {"accuracies": ""}, {"accuracies": "101"}, {"seconds": "1 2"},
                        {"machine": "a | b"}):
            self.record(**columns)
            self.says(self.usage(*self.bench()), "results: this is no line of results: @recipe:mnist-99")


if __name__ == "__main__":
    main()
