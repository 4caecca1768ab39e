"""The weights are the same bits with 1, 2 and 3 threads, and with every optimiser."""

from support import Case, main, write_idx

NET = "input 9 9 1, linear 70, relu, dropout 0.3, linear 33, tanh, linear classes"


class Threads(Case):
    def test_same_bits(self):
        write_idx(self.path("set"), train=501, side=9)
        for optimizer in ("sgd", "nesterov", "adamw", "muon"):
            hashes, accuracies = set(), set()
            for threads in ("1", "2", "3"):
                done = self.ok("train", "set", "--net", NET, "--epochs", "2", "--batch", "100",
                               "--optimizer", optimizer, "--threads", threads, "--clip-norm", "1",
                               "--val", "0.1", "--json").lines()
                hashes.add(done[-1]["weights_sha256"])
                accuracies.add((done[-1]["test_accuracy"], done[0]["val_accuracy"], done[0]["loss"]))
            self.assertEqual(len(hashes), 1, optimizer)
            self.assertEqual(len(accuracies), 1, optimizer)


if __name__ == "__main__":
    main()
