"""Networks of depthwise convolutions, and of convolutions in groups, learn the same on every instruction set as by the reference, to the same bits with
1, 2 and 3 threads."""

from support import Case, main, write_idx

MOBILE = """
input 12 12 1
block separable(c, s) {
    depthwise 3x3 stride $s, batchnorm, relu
    conv 1x1 $c, batchnorm, relu
}
conv 3x3 12, batchnorm, relu
separable(33, 1)
separable(40, 2), residual { separable(40, 1) }
depthwise 5x5 dilation 2, relu
global_avgpool
linear classes
"""
IN_GROUPS = """
input 12 12 1
block grouped(c, g, s) { conv 3x3 $c stride $s groups $g, batchnorm, relu }
conv 3x3 36, batchnorm, relu
grouped(48, 3, 2)
residual { grouped(48, 2, 1), conv 1x1 48 groups 4 }
grouped(96, 48, 1)
global_avgpool
linear classes
"""
TOLERANCE = 2e-4


class Groups(Case):
    def train(self, net, *more):
        return self.ok("train", "set", "--net", net, "--epochs", "2", "--batch", "20", "--lr", "0.05",
                       "--no-report", "--json", *more).lines()

    def compare(self, text):
        write_idx(self.path("set"), train=90, side=12)
        net = self.write("small.net", text)
        want = self.train(net, "--device", "ref")
        for isa in ("generic", "avx2", "avx512"):
            hashes = set()
            for threads in ("1", "2", "3"):
                got = self.train(net, "--cpu-isa", isa, "--threads", threads)
                hashes.add(got[-1]["weights_sha256"])
                for epoch, reference in zip(got[:-1], want):
                    self.assertAlmostEqual(epoch["loss"], reference["loss"], delta=TOLERANCE)
                self.assertEqual(got[-1]["test_accuracy"], want[-1]["test_accuracy"])
            self.assertEqual(len(hashes), 1, isa)
        plan = self.ok("bench", "--plan", net, "--classes", "3").out
        for line in plan.splitlines():
            self.assertFalse("reference" in line and "conv2d" in line, line)

    def test_depthwise(self):
        self.compare(MOBILE)

    def test_in_groups(self):
        self.compare(IN_GROUPS)


if __name__ == "__main__":
    main()
