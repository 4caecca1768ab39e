"""The command line: help, versions, typing errors, numbers, option files, locales."""

import os
import re
import shlex
import subprocess
import unittest

from support import Case, DEEPER, environment, has_json, main, write_idx

COMMANDS = ["train", "eval", "report", "features", "predict", "serve", "sweep", "summary", "graph", "bench", "data info",
            "data check", "data preview", "data letters"]
NET = "input 3 3 1, linear classes"


class Help(Case):
    def test_version(self):
        result = self.ok("--version")
        self.assertRegex(result.out, r"^deeper \d+\.\d+\.\d+\n$")
        self.assertEqual(result.err, "")
        self.usage("--version", "again")

    def test_overview(self):
        result = self.ok("help")
        for command in COMMANDS:
            self.assertIn("deeper " + command + " ", result.out)
        for word in ("DEEPER_LOG", "@FILE", "Exit status", "130"):
            self.assertIn(word, result.out)
        self.assertEqual(self.ok("--help").out, result.out)
        self.assertEqual(self.ok("-h").out, result.out)
        nothing = self.run_deeper()
        self.assertEqual((nothing.status, nothing.out, nothing.err), (2, "", result.out))

    def test_every_command(self):
        for command in COMMANDS:
            with self.subTest(command):
                result = self.ok(*command.split(), "--help")
                self.assertTrue(result.out.startswith("deeper %s " % command), result.out)
                self.assertIn("Options:\n", result.out)
                self.assertIn("--json", result.out)
                self.assertEqual(result.err, "")
                self.assertEqual(self.ok("help", *command.split()).out, result.out)
                self.assertEqual(self.ok(*command.split(), "x", "-h").out, result.out)
                for line in result.out.splitlines():
                    self.assertLessEqual(len(line), 80, line)

    def test_group(self):
        for arguments in (["help", "data"], ["data", "--help"]):
            result = self.ok(*arguments)
            self.assertIn("deeper data info ", result.out)
            self.assertIn("deeper data preview ", result.out)
            self.assertIn("deeper data letters ", result.out)

    def test_defaults_are_told(self):
        told = self.ok("train", "--help").out.split("\nOptions:\n")[1]
        for option in ("epochs", "batch", "lr", "momentum", "optimizer", "schedule", "seed",
                       "weight-decay", "threads", "device", "out", "val"):
            entry = re.search(r"--%s .*?(?=\n  -|\Z)" % option, told, re.S).group()
            self.assertRegex(entry, r"default:\s")

    def test_unknown(self):
        self.says(self.usage("help", "trian"), "'trian'", "did you mean 'train'?")
        self.usage("help", "train", "eval")
        self.usage("help", "--man", "nothing")
        self.usage("help", "--completion", "fish")

    def test_man(self):
        pages = [[]] + [command.split() for command in COMMANDS]
        for words in pages:
            with self.subTest(words):
                page = self.ok("help", "--man", *words).out
                self.assertTrue(page.startswith(".TH " + "-".join(["DEEPER"] + words).upper()), page)
                self.assertIn(".SH NAME\n" + "-".join(["deeper"] + words) + " \\- ", page)
                for line in page.splitlines():
                    self.assertNotRegex(line, r"^'")
                    self.assertNotRegex(line, r"(?<!\\)--", line)
        self.assertIn("\\-\\-epochs", self.ok("help", "--man", "train").out)
        self.assertIn(".SH EXAMPLES\n.nf\ndeeper eval ", self.ok("help", "--man", "eval").out)
        self.assertEqual(self.ok("help", "--man", "data").out.count(".TH "), 4)

    def test_completion(self):
        script = self.ok("help", "--completion", "bash").out
        self.write("completion", script)

        def complete(*words, breaks=" =:"):
            """What bash would offer for the last word."""
            lines = ["source completion", "COMP_WORDS=(%s)" % " ".join("'%s'" % w for w in words),
                     "COMP_CWORD=%d" % (len(words) - 1), "COMP_LINE=$(printf '%s ' \"${COMP_WORDS[@]}\")",
                     "COMP_LINE=${COMP_LINE% }", "COMP_POINT=${#COMP_LINE}",
                     "COMP_WORDBREAKS='%s'" % breaks, "_deeper", 'echo "${COMPREPLY[@]}"']
            done = subprocess.run(["bash", "-c", "\n".join(lines)], capture_output=True, text=True,
                                  cwd=self.folder, check=True)
            self.assertEqual(done.stderr, "")
            return done.stdout.split()

        self.assertEqual(complete("deeper", "tr"), ["train"])
        self.assertEqual(complete("deeper", "da"), ["data"])
        self.assertEqual(complete("deeper", "data", "in"), ["info"])
        self.assertEqual(complete("deeper", "train", "x", "--epo"), ["--epochs"])
        self.assertEqual(complete("deeper", "train", "x", "--device", ""), ["cpu", "ref"])
        self.assertEqual(complete("deeper", "data", "letters", "--fo"), ["--fonts"])
        self.assertEqual(complete("deeper", "train", "x"), [])
        self.assertEqual(complete("deeper", "help", "pre"), ["predict"])
        for breaks, net, recipe in ((" =:", "resnet18", "mnist-99 mnist-996"),
                                    (" =", "preset:resnet18", "@recipe:mnist-99 @recipe:mnist-996")):
            self.assertEqual(complete("deeper", "train", "x", "--net", "preset:resnet1", breaks=breaks), [net])
            self.assertEqual(complete("deeper", "train", "x", "--net=preset:resnet1", breaks=breaks), [net])
            self.assertEqual(complete("deeper", "train", "@recipe:mn", breaks=breaks), recipe.split())


class Mistakes(Case):
    def test_commands(self):
        self.says(self.usage("trian"), "'trian'", "did you mean 'train'?", "see deeper help")
        self.says(self.usage("xyzzy"), "'xyzzy'", "see deeper help")
        self.says(self.usage("data"), "info", "letters")
        self.says(self.usage("data", "infos"), "'infos'", "did you mean 'info'?")

    def test_options(self):
        result = self.usage("train", "x", "--epcohs", "3")
        self.says(result, "'--epcohs'", "did you mean '--epochs'?", "see deeper train --help")
        self.says(self.usage("train", "x", "--epcohs=3"), "'--epcohs'", "'--epochs'")
        self.says(self.usage("train", "x", "-z"), "'-z'")
        self.says(self.usage("train", "x", "--zzzzzzzz"), "'--zzzzzzzz'")
        self.says(self.usage("train", "x", "--epochs"), "--epochs needs a value")
        self.says(self.usage("train", "x", "--epochs", "--lr", "1"), "--epochs needs a value")
        self.says(self.usage("train", "x", "--net", "--lr"), "--net needs a value")
        self.says(self.usage("train", "x", "--out="), "--out")
        self.says(self.usage("train", "x", "--epochs", "2", "--epochs=2"), "--epochs", "twice")
        self.says(self.usage("train", "x", "--out", "a", "-o", "b"), "--out", "twice")
        self.says(self.usage("train", "x", "--json=yes"), "--json takes no value")
        self.says(self.usage("data", "info", "x", "--seed", "3"), "'--seed'")

    def test_words(self):
        self.says(self.usage("train"), "DATA")
        self.says(self.usage("train", "a", "b"), "'b'")
        self.says(self.usage("eval", "a"), "MODEL DATA")
        self.says(self.usage("predict", "a"), "MODEL IMAGE")
        self.says(self.usage("summary"), "--net")
        self.says(self.usage("graph"), "--net")
        self.says(self.usage("summary", "a b", "--net", "c d"), "two")
        self.says(self.usage("data", "info"), "DATA")
        self.says(self.usage("data", "letters"), "--out")
        self.says(self.usage("data", "letters", "extra", "--out", "x"), "'extra'")

    def test_groups(self):
        for rule, says in (("lr=2", "PATTERN:SETTING"), ("*:lr=x", "lr 'x' must be a factor"),
                           ("*:deacy=0", "did you mean 'decay'?"),
                           ("*:optimizer=adam", "did you mean 'adamw'?"),
                           ("*:freeze-until=2epochs", "freeze-until '2epochs' must be epochs")):
            self.says(self.usage("train", "x", "--group", "vectors:decay=0", "--group", rule),
                      "--group '%s'" % rule, says)

    def test_together(self):
        self.says(self.usage("train", "x", "--ema", "0.9", "--swa", "3"), "--ema is 0.9", "leave one out")
        self.says(self.usage("train", "x", "--epochs", "3", "--swa", "4"), "--swa is 4", "3 epochs")

    def test_choices(self):
        result = self.usage("train", "x", "--optimizer", "admw")
        self.says(result, "--optimizer", "'admw'", "sgd", "did you mean 'adamw'?")
        self.says(self.usage("train", "x", "--schedule", "cosin"), "did you mean 'cosine'?")
        self.says(self.usage("train", "x", "--device", "gpu"), "cpu, ref")
        self.says(self.usage("train", "x", "--fit", "squash"), "fit, crop, stretch")
        self.says(self.usage("eval", "x", "y", "--half", "tset"), "did you mean 'test'?")
        self.says(self.usage("train", "x", "--disable-pass", "fues"), "did you mean 'fuse'?")

    def test_log_topics(self):
        self.says(self.usage("summary", NET, "--classes", "2", DEEPER_LOG="dispach"), "dispatch")
        self.says(self.usage("summary", NET, "--classes", "2", DEEPER_LOG="all:loud"), "loud")
        told = self.ok("graph", NET, "--classes", "2", "--plan", DEEPER_LOG="dispatch")
        self.says(told, "[dispatch]")

    def test_double_dash(self):
        self.says(self.fails("summary", "--", "--json"), "'--json'")


class Numbers(Case):
    COUNTS = ["1e", "1e3", "nan", "inf", "-1", "1,5", "1.5", "", " 5", "5 ", "0x10", "+5", "five",
              "99999999999999999999999", "0"]
    REALS = ["1e", "nan", "inf", "-inf", "-1", "1,5", "", " 0.1", "0.1 ", "0x1p-3", "1e999", "e5",
             ".", "--", "0.1.2", "0,1"]

    def test_counts(self):
        for value in self.COUNTS:
            for option in ("epochs", "batch", "threads"):
                with self.subTest(option + " " + value):
                    self.says(self.usage("train", "x", "--%s=%s" % (option, value)),
                              "--" + option, "'%s'" % value, "whole number")

    def test_reals(self):
        for value in self.REALS:
            for option in ("lr", "momentum", "weight-decay", "val"):
                with self.subTest(option + " " + value):
                    self.says(self.usage("train", "x", "--%s=%s" % (option, value)),
                              "--" + option, "'%s'" % value)

    def test_ranges(self):
        for option, value in (("lr", "0"), ("lr", "1001"), ("momentum", "1"), ("val", "1"),
                              ("label-smoothing", "1"), ("decay", "0"), ("decay", "1.1"),
                              ("step-epochs", "0"), ("clip-norm", "-0.1"), ("epochs", "1000001"),
                              ("seed", "18446744073709551616"), ("threads", "1025"),
                              ("patience", "-1"), ("warmup", "1e7"), ("ema", "1"), ("swa", "-1"),
                              ("muon-steps", "0"), ("rest-lr", "0"), ("rest-momentum", "1"),
                              ("accumulate", "0"), ("lookahead-alpha", "0"), ("lookahead-power", "-1")):
            with self.subTest(option + " " + value):
                self.says(self.usage("train", "x", "--" + option, value), "--" + option)

    def test_taken(self):
        """What is right gets as far as the missing data, which is status 1."""
        for option, value in (("lr", "1e-3"), ("lr", ".5"), ("lr", "1000"), ("momentum", "0"),
                              ("momentum", "0.999999"), ("epochs", "1000000"), ("seed", "0"),
                              ("seed", "18446744073709551615"), ("val", "0"), ("decay", "1"),
                              ("threads", "1024"), ("clip-norm", "1E+2"), ("batch", "007")):
            with self.subTest(option + " " + value):
                self.says(self.fails("train", "nodata", "--" + option, value), "nodata")

    def test_before_data(self):
        """The net and the place of the model are tried before data is read."""
        self.says(self.fails("train", "nodata", "--net", "input 3 3 1, liner 4"), "'linear'")
        self.says(self.fails("train", "nodata", "--net", "nofile.net"), "nofile.net")
        self.says(self.fails("train", "nodata", "--out", "no/folder/x"), "no/folder/x", "--out")
        os.mkdir(self.path("taken"))
        self.says(self.fails("train", "nodata", "--out", "taken"), "taken", "directory")
        self.says(self.fails("train", "nodata", "--out", "/dev/null"), "/dev/null")
        self.assertTrue(os.path.exists("/dev/null") and not os.path.isfile("/dev/null"))
        if has_json():
            self.says(self.fails("train", "nodata", "--log", "no/folder/x"), "no/folder/x", "--log")
        self.assertEqual(os.listdir(self.folder), ["taken"])

    def test_no_permission(self):
        if os.geteuid() == 0:
            place = "/proc/model.safetensors" # even root cannot write there
        else:
            os.mkdir(self.path("locked"), 0o500)
            place = "locked/model.safetensors"
        self.says(self.fails("train", "nodata", "--out", place), place, "--out")

    def test_locales(self):
        """A comma as decimal point changes nothing, where there is such a locale."""
        known = subprocess.run(["locale", "-a"], capture_output=True, text=True).stdout.split()
        comma = [name for name in known if re.match(r"(de|fr|da|es|it|nl|pl)_", name)]
        for name in ["C.UTF-8", "POSIX"] + comma[:3]:
            with self.subTest(name):
                self.says(self.usage("train", "x", "--lr", "0,5", LC_ALL=name), "'0,5'")
                self.says(self.fails("train", "nodata", "--lr", "0.5", LC_ALL=name), "nodata")
                told = self.ok("summary", "input 30 30 1, linear classes", "--classes", "5",
                               LC_ALL=name)
                self.assertIn("4,505", told.out)
                self.assertIn("default: 0.9)", self.ok("train", "--help", LC_ALL=name).out)


class Files(Case):
    """@FILE."""

    def test_options_and_words(self):
        self.write("a", "# a net\n--net \"input 30 30 1,\n linear classes\" --classes 5 # five\n")
        self.assertIn("4,505", self.ok("summary", "@a").out)
        self.write("b", "'input 30 30 1, linear classes'\n")
        self.assertIn("4,505", self.ok("summary", "@b", "--classes=5").out)
        self.write("c", "--classes 5 @b\n\n\n")
        self.assertIn("4,505", self.ok("summary", "@c").out)
        self.write("empty", " \n# nothing\n")
        self.assertIn("4,505", self.ok("summary", "@empty", "@c").out)
        self.write("at-the-end", "--classes 5")
        self.assertIn("4,505", self.ok("summary", "@b", "@at-the-end").out)

    def test_values_are_no_files(self):
        self.says(self.fails("summary", "--net", "@nothing"), "'@nothing'")

    def test_mistakes_name_file_and_line(self):
        self.write("a", "# one\n--epochs 3\n  --lr nan\n")
        self.says(self.usage("train", "x", "@a"), "a:3: --lr is 'nan'")
        self.write("b", "--epochs 3\n--epochs 4\n")
        self.says(self.usage("train", "x", "@b"), "b:2: --epochs", "twice")
        self.write("c", "\n--epcohs 4\n")
        self.says(self.usage("train", "x", "@c"), "c:2: ", "'--epcohs'", "'--epochs'")
        self.write("d", "x\n--net 'input\n3")
        self.says(self.usage("train", "@d"), "d:2: ", "quote")
        self.write("e", "--net\n")
        self.says(self.usage("train", "@e", "x"), "e:1: --net needs a value")
        self.write("f", "\n@g\n")
        self.write("g", "\n\n--device gpu")
        self.says(self.usage("train", "x", "@f"), "g:3: --device")
        self.write("h", "\n\n\n@nowhere")
        self.says(self.usage("train", "x", "@h"), "h:4: ", "'nowhere'")

    def test_unreadable(self):
        self.says(self.usage("train", "@nofile"), "'nofile'", "No such file")
        os.mkdir(self.path("folder"))
        self.usage("train", "@folder")
        with open(self.path("binary"), "wb") as file:
            file.write(b"--lr\0 1")
        self.says(self.usage("train", "@binary"), "'binary'")
        with open(self.path("huge"), "wb") as file:
            file.write(b"#" * ((1 << 20) + 1))
        self.says(self.usage("train", "@huge"), "'huge'")

    def test_nearer_options_win(self):
        write_idx(self.path("set"))
        self.write("a", "set --epochs 3\n--net 'input 4 4 1, linear classes'\n--quiet\n")
        self.write("b", "@a --epochs 2\n")
        for arguments, wanted in ((["@a"], 3), (["@a", "--epochs", "4"], 4), (["@b"], 2),
                                  (["--epochs=4", "@a"], 4), (["--epochs", "1", "@b"], 1)):
            with self.subTest(arguments):
                lines = self.ok("train", *arguments, "--json").lines()
                self.assertEqual(len(lines), wanted + 1)
        self.write("c", "--epochs 0\n")
        self.says(self.usage("train", "x", "--epochs", "4", "@c"), "c:1: --epochs is '0'")
        self.write("d", "--epochs 3\n@a\n--epochs 4\n")
        self.says(self.usage("train", "@d"), "d:3: --epochs", "twice")

    def test_later_files_win(self):
        write_idx(self.path("set"))
        self.write("a", "--epochs 3\n--net 'input 4 4 1, linear classes'\n--quiet\n")
        self.write("b", "--epochs 2\n")
        self.write("around-b", "@b\n")
        self.write("own", "@b --epochs 4 @a\n")
        for arguments, wanted in ((["@a", "@b"], 2), (["@b", "@a"], 3), (["@a", "@a"], 3),
                                  (["@a", "@around-b"], 2), (["@own", "@around-b"], 2),
                                  (["@around-b", "@own"], 4), (["@b", "--epochs=1", "@a"], 1)):
            with self.subTest(arguments):
                lines = self.ok("train", "set", *arguments, "--json").lines()
                self.assertEqual(len(lines), wanted + 1)
        self.write("d", "--epochs 0\n")
        self.says(self.usage("train", "x", "@d", "@a"), "d:1: --epochs is '0'")

    def test_nesting_ends(self):
        self.write("self", "@self")
        self.says(self.usage("train", "@self"), "nested too deeply")
        self.write("many", "@many2 " * 1000)
        self.write("many2", "x " * 1000)
        self.says(self.usage("predict", "@many"), "more than")


class Recipes(Case):
    def names(self):
        return re.findall(r"^  @recipe:(\S+)", self.ok("train", "--help").out, re.M)

    def test_listed_and_printed(self):
        self.assertLessEqual({"mnist-99", "letters", "resnet20"}, set(self.names()))
        self.assertNotIn("@recipe:letters", self.ok("eval", "--help").out)
        self.assertIn("@recipe:letters", self.ok("help", "--man", "train").out)
        for name in self.names():
            text = self.ok("help", "@recipe:" + name).out
            self.assertRegex(text, r"^# .+\n")
            self.assertIn("--net preset:", text)

    def test_every_one_is_valid(self):
        """All of its options are taken: only the data is missing."""
        for name in self.names():
            with self.subTest(name):
                self.says(self.fails("train", "nodata", "@recipe:" + name), "nodata")

    def test_options_win(self):
        write_idx(self.path("set"))
        net = ["--net", "input 4 4 1, linear classes"]
        lines = self.ok("train", "set", "@recipe:mnist-99", *net, "--epochs", "1", "--json").lines()
        self.assertEqual((len(lines), lines[-1]["parameters"]), (2, 17 * 4))
        rest = shlex.split(self.ok("help", "@recipe:mnist-99").out, comments=True)
        for name in ("--net", "--epochs"):
            at = rest.index(name)
            del rest[at:at + 2]
        spelt = self.ok("train", "set", *net, "--epochs", "1", *rest, "--json")
        self.assertGreater(len(rest), 2)
        self.assertEqual(lines[-1]["weights_sha256"], spelt.lines()[-1]["weights_sha256"])

    def test_in_a_file(self):
        self.write("mine", "# better\n@recipe:letters --epochs 99\n--lr nan\n")
        self.says(self.usage("train", "x", "@mine"), "mine:3: --lr")

    def test_unknown(self):
        self.says(self.usage("train", "x", "@recipe:leters"), "'leters'", "did you mean 'letters'?")
        self.says(self.usage("train", "x", "@recipe:"), "''", "letters, mnist-99")
        self.says(self.usage("help", "@recipe:zzzzzzzzzz"), "zzzz", "mnist-99")
        self.write("mine", "\n\n@recipe:leters\n")
        self.says(self.usage("train", "x", "@mine"), "mine:3: ", "'leters'")
        self.says(self.usage("eval", "x", "y", "@recipe:letters"), "recipe:letters:2: ", "'--net'")


class Output(Case):
    def test_without_jansson(self):
        """--json and --log are refused before anything is done."""
        if has_json():
            self.skipTest("this build has jansson")
        self.says(self.fails("summary", NET, "--classes", "2", "--json"), "--json", "libjansson-dev")
        self.says(self.fails("train", "nodata", "--log", "log"), "--log", "libjansson-dev")
        self.assertEqual(os.listdir(self.folder), [])

    def test_full_disk(self):
        for arguments in (["help"], ["--version"], ["summary", NET, "--classes", "2"],
                          ["summary", NET, "--classes", "2"] + ["--json"] * has_json(),
                          ["graph", NET, "--classes", "2"]):
            with self.subTest(arguments):
                with open("/dev/full", "w", encoding="utf-8") as full:
                    result = self.run_deeper(*arguments, stdout=full)
                self.assertEqual(result.status, 1, result.err)
                self.says(result, "cannot write the output")

    def test_closed_pipe(self):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([DEEPER, "summary", NET, "--classes", "2"], stdout=writer,
                              stderr=subprocess.PIPE, text=True, env=environment())
        os.close(writer)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("cannot write the output", done.stderr)

    def test_no_output_at_all(self):
        done = subprocess.run([DEEPER, "summary", NET, "--classes", "2"], stderr=subprocess.PIPE,
                              text=True, env=environment(), preexec_fn=lambda: os.close(1))
        self.assertEqual(done.returncode, 1, done.stderr)


if __name__ == "__main__":
    main(needs_json=False)
