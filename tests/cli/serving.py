"""What the tests of deeper serve and train --serve share: a server in the background, and requests to it."""

import http.client
import json
import signal
import struct
import subprocess
import threading
import time
import urllib.parse
import zlib

from support import DEEPER, TIMEOUT, Case, environment, png, write_idx

NET = "input 6 6 1, conv 3x3 4, relu, linear 12, relu, linear classes"
NAMES = ["nought", "one", "two \u2264 \"2\"", "three"]


def need_server(case):
    """Skips a test where the command was built without libmicrohttpd, and says so."""
    result = case.run_deeper("train", "no such set", "--serve", "0", "--out", "m.safetensors")
    case.assertEqual(result.status, 1, result.shown)
    if "libmicrohttpd-dev" in result.err:
        case.skipTest("the command was built without libmicrohttpd")


class Client:
    """A command that answers over HTTP, and requests to it; ended with the test. The first line that it prints is self.begun."""

    def __init__(self, case, *arguments):
        self.case = case
        self.run = subprocess.Popen([DEEPER, *arguments, "--json"], cwd=case.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                    env=environment())
        case.addCleanup(self.end)
        line = self.run.stdout.readline()
        case.assertTrue(line, "the server has not begun")
        self.begun = json.loads(line)
        self.url = self.begun["url"]
        at = urllib.parse.urlsplit(self.url)
        self.host, self.port = at.hostname, at.port

    def end(self, number=signal.SIGTERM):
        """Its exit status."""
        if self.run.poll() is None:
            self.run.send_signal(number)
            self.run.wait(TIMEOUT)
        self.err = "" if self.run.stderr.closed else self.run.stderr.read()
        self.run.stdout.close()
        self.run.stderr.close()
        return self.run.returncode

    def connect(self):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT)
        self.case.addCleanup(connection.close)
        return connection

    def ask(self, method, path, body=None, headers=None, connection=None):
        """(status, headers, body) of an answer."""
        used = connection or self.connect()
        used.request(method, path, body, headers or {})
        answer = used.getresponse()
        told = answer.status, dict(answer.getheaders()), answer.read()
        if connection is None:
            used.close()
        return told

    def json(self, method, path, body=None, headers=None, status=200, **more):
        got, head, text = self.ask(method, path, body, headers, **more)
        self.case.assertEqual((got, head["Content-Type"]), (status, "application/json"), text)
        return json.loads(text)


class Server(Client):
    """A server of a model, on any port that is free."""

    def __init__(self, case, model, *arguments):
        super().__init__(case, "serve", model, "--port", "0", *arguments)

    def figure(self, name):
        """A sample of /metrics by its name with labels; 0 where it is not there."""
        text = self.ask("GET", "/metrics")[2].decode()
        return next((float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.rsplit(" ", 1)[0] == name), 0)

    def until(self, name, value):
        """Waits until a figure has this value."""
        end = time.monotonic() + TIMEOUT
        while self.figure(name) != value:
            self.case.assertLess(time.monotonic(), end, name)
            time.sleep(0.02)


class Live(Client):
    """A training that is watched, on any port that is free."""

    def __init__(self, case, *arguments):
        super().__init__(case, "train", *arguments, "--serve", "0")
        self.token, self.printed = self.begun["token"], []
        self.taker = threading.Thread(target=lambda: self.printed.extend(self.run.stdout))  # a full pipe would stop the training
        self.taker.start()

    def end(self, *arguments):
        if self.run.poll() is None:
            self.run.send_signal(*(arguments or [signal.SIGTERM]))
        self.run.wait(TIMEOUT)
        self.taker.join()
        return super().end()

    def now(self):
        return self.json("GET", "/now")

    def wish(self, what, status=200):
        return self.json("POST", "/" + what, headers={"Authorization": "Bearer " + self.token}, status=status)

    def until(self, good):
        """What /now says once it is good."""
        end = time.monotonic() + TIMEOUT
        while not good(now := self.now()):
            self.case.assertLess(time.monotonic(), end, now)
            time.sleep(0.02)
        return now

    def lines(self):
        """What it printed after its beginning, once it has ended by itself."""
        self.run.wait(TIMEOUT)
        self.end()
        return [json.loads(line) for line in self.printed]


class Events:
    """A reader of a training's events."""

    def __init__(self, live):
        self.case, self.connection = live.case, live.connect()
        self.connection.request("GET", "/events")
        self.answer = self.connection.getresponse()
        live.case.assertEqual((self.answer.status, self.answer.getheader("Content-Type")), (200, "text/event-stream"))

    def next(self, *names):
        """(name, data) of the next event, of those with these names if any are given; None: there are no more."""
        kind = None
        while line := self.answer.readline().decode().rstrip("\n"):
            name, _, rest = line.partition(": ")
            if name == "event":
                kind = rest
            elif name == "data":
                self.case.assertEqual(self.answer.readline(), b"\n")
                if not names or kind in names:
                    return kind, json.loads(rest)
            else:
                self.case.assertEqual((line, self.answer.readline()), (":", b"\n"))
        return None


def multipart(files, boundary="gr enze"):
    """The type and body of (name, bytes) pairs."""
    body = b"".join(b'--%s\r\nContent-Disposition: form-data; name="image"; filename="%s"\r\nContent-Type: image/png\r\n\r\n%s\r\n'
                    % (boundary.encode(), name.encode(), data) for name, data in files)
    return {"Content-Type": 'multipart/form-data; boundary="%s"' % boundary}, body + b"--%s--\r\n" % boundary.encode()


def wide(side):
    """A black PNG of one bit a pixel: small to send, long to decode."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = zlib.compress(bytes(side * (1 + (side + 7) // 8)), 9)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)) + chunk(b"IDAT", rows)
            + chunk(b"IEND", b""))


class ServeCase(Case):
    """A model, self.pictures and what predict says of them."""

    made = None

    def setUp(self):
        """One model for all tests, made in the folder of the first; each test has pictures of its own."""
        super().setUp()
        write_idx(self.path("set"), train=200, test=60, side=6, names=NAMES)
        if ServeCase.made is None:
            self.ok("train", "set", "--net", NET, "--epochs", "3", "--no-report", "--out", "m.safetensors")
            with open(self.path("m.safetensors"), "rb") as file:
                ServeCase.made = file.read()
        else:
            with open(self.path("m.safetensors"), "wb") as file:
                file.write(ServeCase.made)
        need_server(self)
        self.pictures = []
        for i in range(5):
            name = "p%d.png" % i
            pixels = bytes((37 * i + 11 * k * (i + 1)) % 256 for k in range(9 * 7 * (3 if i % 2 else 1)))
            png(self.path(name), 9, 7, 3 if i % 2 else 1, pixels)
            with open(self.path(name), "rb") as file:
                self.pictures.append((name, file.read()))

    def predicted(self, *more):
        return self.ok("predict", "m.safetensors", *[name for name, _ in self.pictures], "--json", *more).lines()
