"""What the tests of deeper serve share: a server in the background, and requests to it."""

import http.client
import json
import signal
import subprocess
import time
import urllib.parse

from support import DEEPER, TIMEOUT, environment


def has_server(case, model):
    """False where the command was built without libmicrohttpd, and says so."""
    result = case.run_deeper("serve", model, "--host", "no such host")
    case.assertEqual(result.status, 1, result.shown)
    return "libmicrohttpd-dev" not in result.err


class Server:
    """A server of a model, on any port that is free; ended with the test."""

    def __init__(self, case, model, *arguments):
        self.case = case
        self.run = subprocess.Popen([DEEPER, "serve", model, "--port", "0", "--json", *arguments], cwd=case.folder,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
        case.addCleanup(self.end)
        line = self.run.stdout.readline()
        case.assertTrue(line, "the server has not begun")
        self.url = json.loads(line)["url"]
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


def multipart(files, boundary="gr enze"):
    """The type and body of (name, bytes) pairs."""
    body = b"".join(b'--%s\r\nContent-Disposition: form-data; name="image"; filename="%s"\r\nContent-Type: image/png\r\n\r\n%s\r\n'
                    % (boundary.encode(), name.encode(), data) for name, data in files)
    return {"Content-Type": 'multipart/form-data; boundary="%s"' % boundary}, body + b"--%s--\r\n" % boundary.encode()
