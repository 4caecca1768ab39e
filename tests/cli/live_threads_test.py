"""deeper train --serve: what readers are told, what they may ask for, and that the training does not mind."""

import json
import re
import signal
import socket
import subprocess
import time

from serving import Events, Live, need_server
from support import DEEPER, SANITIZED, Case, environment, main, write_idx

NET = "input 6 6 1, linear 24, relu, linear classes"
NAMES = ["nought", "one <b>", "two", "three"]
LONG = "100000"  # epochs that no test waits for


class Watching(Case):
    def setUp(self):
        super().setUp()
        write_idx(self.path("set"), train=300, test=60, side=6, names=NAMES)
        need_server(self)

    def begin(self, *arguments, epochs=LONG):
        return Live(self, "set", "--net", NET, "--epochs", epochs, "--no-report", "--out", "m.safetensors", *arguments)

    def curves(self, reader):
        """The next that are drawn."""
        while "<svg" not in (drawn := reader.next("curves")[1]):
            pass
        return drawn

    # ---- what is told ----

    def test_events_move(self):
        live = self.begin()
        events = [Events(live), Events(live)]
        self.assertEqual(live.until(lambda now: now["readers"] == 2 and now["epoch"] > 0)["epochs"], int(LONG))
        for one in events:
            kinds = set()
            while kinds != {"now", "facts", "curves", "seen"}:
                kinds.add(one.next()[0])
            told = [one.next("now")[1] for _ in range(4)]
            at = [(now["epoch"], now["step"]) for now in told]
            self.assertEqual(sorted(set(at)), at, "they move")
            self.assertTrue(all(now["images_per_second"] > 0 and now["state"] == "training" for now in told), told)
        drawn = [self.curves(events[0]) for _ in range(2)]
        self.assertNotEqual(*drawn)
        self.assertIn("<svg", drawn[1])
        self.assertEqual(drawn[1].count("<h2"), 2) # curves, and health
        live.wish("stop")
        for one in events:
            last = None
            while event := one.next("now"):
                last = event[1]
            self.assertEqual((last["state"], last["message"]), ("stopped", "The checkpoint is kept, and --resume goes on with it."))

    def test_numbers_are_those_of_the_run(self):
        live = self.begin("--val", "0.2", epochs="40")
        reader, events = Events(live), {}
        while event := reader.next():
            events[event[0]] = event[1]
        *epochs, result = live.lines()
        self.assertEqual(live.run.returncode, 0, live.err)
        now = events["now"]
        self.assertEqual((now["state"], now["message"]), ("done", "Test accuracy %.2f %%." % (100 * result["test_accuracy"])))
        self.assertEqual((now["epoch"], now["epochs"], now["step"]), (40, 40, now["steps"]))
        self.assertEqual({key: now[key] for key in ("loss", "train_accuracy", "lr")}, {key: epochs[-1][key] for key in ("loss", "train_accuracy", "lr")})
        values = [float(one) for one in re.findall(r'<data value="([^"]+)">', events["facts"])]
        self.assertEqual(values, [now[key] for key in ("loss", "train_accuracy", "images_per_second", "lr")])
        self.assertIn("40 of 40", events["facts"])
        self.assertIsNone(now["seconds_left"])
        self.assertIn("Training health", events["curves"])
        rows = re.findall(r"<tr><th scope=\"row\">(\d+)</th>(.*?)</tr>", events["curves"])
        self.assertEqual(len(rows), 40)
        for (number, row), epoch in zip(rows, epochs):
            self.assertEqual([int(number)] + [float(one) for one in re.findall(r'value="([^"]+)"', row)],
                             [epoch[key] for key in ("epoch", "loss", "train_accuracy", "val_loss", "val_accuracy", "lr", "seconds", "images_per_second")])

    def test_mistakes_are_those_of_the_validation(self):
        live = self.begin("--val", "0.4", "--lr", "1e-30", epochs="2")  # weights stay what they are
        reader, seen = Events(live), ""
        while event := reader.next("seen"):
            seen = event[1]
        live.lines()
        found = json.loads(self.ok("eval", "m.safetensors", "set", "--half", "validation", "--val", "0.4", "--json").out)
        wrong = found["n"] - found["correct"]
        self.assertGreater(wrong, 12)
        self.assertRegex(seen, r"validation images 0 to %d, looked at after step \d+, %d were taken for another class; these are the 12 surest"
                         % (found["n"] - 1, wrong))
        figures = re.findall(r"<figcaption><b>(.*?)</b> ≠ <b>(.*?)</b> <data value=\"(.*?)\">", seen)
        shares = [float(share) for _, _, share in figures]
        self.assertEqual((len(figures), sorted(shares, reverse=True)), (12, shares))
        known = [name.replace("<", "&lt;").replace(">", "&gt;") for name in NAMES]
        for own, other, _ in figures:
            self.assertTrue(own != other and own in known and other in known, (own, other))
            self.assertGreater(found["confusion"][known.index(own)][known.index(other)], 0)
        self.assertEqual(seen.count("<img"), 13)
        self.assertIn("The first weights", seen)

    def test_page(self):
        live = self.begin()
        reader = Events(live)
        self.curves(reader)
        reader.connection.close()
        status, head, page = live.ask("GET", "/")
        page = page.decode()
        self.assertEqual((status, head["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertIn("default-src 'none'", head["Content-Security-Policy"])
        for part in ("<title>m.safetensors</title>", "<progress", "<svg", "The first weights", "--val 0.1", ">training<"):
            self.assertTrue(part in page, part)
        self.assertFalse(live.token in page or "http:" in page)
        self.assertLess(page.split("<script>")[1].count("\n"), 300)
        for path in ("/", "/now", "/events"):
            status, _, body = live.ask("HEAD", path)
            self.assertEqual((status, body), (200, b""), path)
        live.until(lambda now: now["readers"] == 0)

    # ---- what is asked ----

    def test_wishes_need_the_token(self):
        live = self.begin()
        self.assertRegex(live.token, "^[0-9a-f]{32}$")
        wrong = live.token[:-1] + ("0" if live.token[-1] != "0" else "1")
        for path in ("/pause", "/continue", "/stop"):
            for given in (None, "", live.token, "Bearer", "Bearer ", "Bearer " + wrong, "Bearer " + live.token[:-1], "Bearer " + live.token + "0",
                          "Basic " + live.token, "Bearer  " + live.token[1:]):
                told = live.json("POST", path, headers={} if given is None else {"Authorization": given}, status=403)
                self.assertIn("the token that deeper printed", told["error"])
            status, head, _ = live.ask("GET", path)
            self.assertEqual((status, head["Allow"]), (405, "POST"))
            self.assertEqual(live.ask("POST", path + "?token=" + live.token)[0], 403)
        for path in ("/nothing", "/m.safetensors", "/../set", "/pause/"):
            self.assertIn("/events", live.json("GET", path, status=404)["error"])
        self.assertEqual(live.ask("POST", "/")[0], 405)
        self.assertEqual(live.json("POST", "/pause", b"x" * 5000, status=413)["error"][:8], "the body")
        live.until(lambda now: now["state"] == "training")

    def test_pause(self):
        live = self.begin()
        self.assertEqual(live.wish("pause"), {"wish": "pause"})
        paused = live.until(lambda now: now["state"] == "paused")
        time.sleep(0.5)
        self.assertEqual({**live.now(), "readers": 0}, {**paused, "readers": 0})
        reader = Events(live)
        self.assertEqual(reader.next("now")[1]["state"], "paused")
        self.assertEqual(live.wish("continue"), {"wish": "continue"})
        self.assertEqual(reader.next("now")[1]["state"], "training")
        live.until(lambda now: (now["epoch"], now["step"]) > (paused["epoch"] + 1, 0))
        live.wish("pause")
        live.until(lambda now: now["state"] == "paused")
        begin = time.monotonic()
        self.assertEqual(live.end(signal.SIGINT), 130, live.err)
        self.assertLess(time.monotonic() - begin, 30 if SANITIZED else 5)
        self.assertIn("holds the run", live.err)

    def test_a_run_that_was_stopped_ends_with_the_same_weights(self):
        arguments = ("--val", "0.2", "--seed", "3", "--optimizer", "adamw")
        epochs = "30" if SANITIZED else "120"
        whole = self.ok("train", "set", "--net", NET, "--epochs", epochs, "--no-report", "--out", "whole.safetensors", *arguments, "--json").lines()
        live = self.begin(*arguments, epochs=epochs)
        live.wish("pause")
        paused = live.until(lambda now: now["state"] == "paused")
        self.assertLess(paused["epoch"], int(epochs))
        self.assertEqual(live.wish("stop"), {"wish": "stop"})
        self.assertEqual(live.run.wait(60), 130)
        live.end()
        self.assertIn("--resume", live.err)
        live = self.begin(*arguments, "--resume", epochs=epochs)
        *_, result = live.lines()
        self.assertEqual(live.run.returncode, 0, live.err)
        self.assertEqual(result["weights_sha256"], whole[-1]["weights_sha256"])

    def test_who_asks_for_the_end_gets_it(self):
        live = self.begin()
        live.wish("pause")
        live.until(lambda now: now["state"] == "paused")
        live.wish("stop")
        self.assertEqual(live.run.wait(60), 130)

    # ---- readers that are slow or lost ----

    def test_a_slow_reader_is_dropped(self):
        live = self.begin()
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        slow.connect((live.host, live.port))
        slow.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        quick = Events(live)
        live.until(lambda now: now["readers"] == 2)
        begun = live.now()
        while quick.next("now")[1]["readers"] == 2:
            pass
        self.assertGreater(live.now()["epoch"], begun["epoch"])
        slow.close()

    def test_a_slow_reader_does_not_keep_it(self):
        live = self.begin()
        slow = socket.create_connection((live.host, live.port), 20)
        slow.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        live.until(lambda now: now["readers"] == 1)
        begin = time.monotonic()
        live.wish("stop")
        self.assertEqual(live.run.wait(60), 130)
        self.assertLess(time.monotonic() - begin, 30 if SANITIZED else 5)
        slow.close()

    def test_readers_that_leave(self):
        live = self.begin()
        for _ in range(20):
            with socket.create_connection((live.host, live.port), 20) as one:
                one.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        live.until(lambda now: now["readers"] == 0)

    # ---- where it listens ----

    def test_a_port_that_is_taken(self):
        live = self.begin()
        live.until(lambda now: now["epoch"] > 0)
        result = self.fails("train", "no such set", "--net", NET, "--serve", str(live.port), "--out", "o.safetensors")
        self.says(result, "cannot listen on 127.0.0.1, port %d" % live.port, "choose another port")
        self.assertEqual(live.end(), 128 + signal.SIGTERM)

    def test_places(self):
        for place in ("x", "65536", ":80", "a:b:1", "[::1]", "1.", "-1", "[]:1", "localhost:", " 80"):
            self.says(self.usage("train", "set", "--serve=" + place, "--net", NET), "--serve is '%s'" % place, "[::1]:8080")
        self.says(self.fails("train", "set", "--net", NET, "--serve", "192.0.2.1:0"), "192.0.2.1", "an address of this machine")
        for place, shown in (("localhost:0", "localhost"), ("127.0.0.1:0", "127.0.0.1")):
            result = self.ok("train", "set", "--net", NET, "--epochs", "1", "--quiet", "--serve", place, "--no-report")
            self.assertRegex(result.out, r"^watch at http://%s:\d+/; with http://%s:\d+/#[0-9a-f]{32} it can" % (shown, shown))

    def test_the_weights_are_those_of_a_run_that_nobody_watches(self):
        hashes = []
        for more in ((), ("--serve", "0")):
            lines = self.ok("train", "set", "--net", NET, "--epochs", "4", "--val", "0.2", "--no-report", "--json", *more).lines()
            hashes.append(lines[-1]["weights_sha256"])
        self.assertEqual(*hashes)


if __name__ == "__main__":
    main()
