"""deeper serve: every address, answers that are those of predict, and what is refused."""

import json
import os
import socket
import struct
import subprocess
import time
import zlib

from serving import NAMES, ServeCase, Server, multipart, wide
from support import DEEPER, environment, main, png


class Serve(ServeCase):
    # ---- answers ----

    def test_predict_answers_as_the_command(self):
        server, told = Server(self, "m.safetensors"), self.predicted()
        for (name, data), line in zip(self.pictures, told):
            self.assertEqual(server.json("POST", "/predict", data), {**line, "image": "image"}, name)
        head, body = multipart(self.pictures)
        self.assertEqual(server.json("POST", "/predict", body, head), told)
        head, body = multipart(self.pictures[:1])
        self.assertEqual(server.json("POST", "/predict", body, head), told[0])
        two = server.json("POST", "/predict?top=2", self.pictures[0][1])
        self.assertEqual(two["top"], told[0]["top"][:2])
        self.assertEqual(len(server.json("POST", "/predict?top=99999", self.pictures[0][1])["top"]), 4)
        self.assertEqual(server.end(), 0, server.err)

    def test_top_of_the_command_line(self):
        server = Server(self, "m.safetensors", "--top", "1", "--tta", "flip")
        self.assertEqual(server.json("POST", "/predict", self.pictures[1][1]),
                         {**self.predicted("--top", "1", "--tta", "flip")[1], "image": "image"})

    def test_names_and_bodies_of_all_kinds(self):
        server = Server(self, "m.safetensors")
        data = self.pictures[0][1]
        head, body = multipart([('a "b\\c', data), ("\u00e9\u0142\u2264", data), ("x\x01y", data)])
        self.assertEqual([one["image"] for one in server.json("POST", "/predict", body, head)],
                         ["a ", "\u00e9\u0142\u2264", "x\x01y"])
        body = b"--b\r\n\r\n" + data + b'\r\n--b \t\r\nX: y\r\ncontent-disposition: form-data; name="f"\r\n\r\n' + data + b"\r\n--b--"
        self.assertEqual([one["image"] for one in server.json("POST", "/predict", b"before\r\n" + body,
                                                              {"Content-Type": "Multipart/Form-Data; x=1; Boundary=b"})],
                         ["image", "f"])
        latin = body.replace(b'"f"', b'"\xff\xfe"')
        self.assertEqual(server.json("POST", "/predict", latin, {"Content-Type": "multipart/form-data; boundary=b"})[1]["image"], "??")
        connection = server.connect()
        connection.request("POST", "/predict", iter([data[:20], data[20:]]), {"Transfer-Encoding": "chunked"}, encode_chunked=True)
        self.assertEqual(connection.getresponse().status, 200)

    def grey(self, url):
        """Height, width and the bytes of a picture that png.c wrote, any filter."""
        from base64 import b64decode
        data, at, body = b64decode(url.split(",", 1)[1]), 8, b""
        width, height, _, kind = struct.unpack(">IIBB", data[16:26])
        while at < len(data):
            n = struct.unpack(">I", data[at:at + 4])[0]
            body += data[at + 8:at + 8 + n] if data[at + 4:at + 8] == b"IDAT" else b""
            at += 12 + n
        n, row, before = {0: 1, 2: 3}[kind], [], [0] * 999
        lines, raw = [], zlib.decompress(body)
        for y in range(height):
            line = raw[y * (width * n + 1):(y + 1) * (width * n + 1)]
            row = []
            for x, value in enumerate(line[1:]):
                a, b, c = row[x - n] if x >= n else 0, before[x], before[x - n] if x >= n else 0
                p = a + b - c
                paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
                row.append((value + [0, a, b, (a + b) // 2, paeth][line[0]]) % 256)
            lines.append(row)
            before = row
        return height, width, lines

    def test_explain(self):
        server = Server(self, "m.safetensors")
        small = png(self.path("six.png"), 6, 6, 1, bytes(range(0, 252, 7)))
        with open(self.path("six.png"), "rb") as file:
            told = server.json("POST", "/explain", file.read())
        line = self.ok("predict", "m.safetensors", "six.png", "--json").lines()[0]
        self.assertEqual({key: told[key] for key in line}, {**line, "image": "image"}, small)
        height, width, rows = self.grey(told["input"])
        self.assertEqual((height, width), (6, 6))
        self.assertEqual(bytes(sum(rows, [])), bytes(range(0, 252, 7)))
        height, width, rows = self.grey(told["saliency"]["picture"])
        self.assertEqual((height, width), (6, 6))
        self.assertEqual(max(max(row) for row in rows), 255)
        self.assertGreater(told["saliency"]["most"], 0)
        layers = told["layers"]
        self.assertEqual([(one["op"], one["units"]) for one in layers], [("relu", 4), ("relu", 12)])
        for one in layers:
            self.assertEqual(len(one["values"]), one["units"])
            self.assertGreaterEqual(min(one["values"]), 0)
            self.assertEqual(one["fired"], sum(value > 0 for value in one["values"]))
        head, body = multipart(self.pictures)
        self.assertIn("more than 1 images", server.json("POST", "/explain", body, head, status=400)["error"])

    def test_numbers_that_are_none(self):
        """A network whose sums overflow: JSON has null for that, and no picture shows it."""
        with open(self.path("m.safetensors"), "rb") as file:
            data = bytearray(file.read())
        n = struct.unpack("<Q", data[:8])[0]
        for name, entry in json.loads(data[8:8 + n]).items():
            if name.startswith(("conv", "linear")):
                begin, end = (8 + n + at for at in entry["data_offsets"])
                data[begin:end] = struct.pack("<f", 3e38 if name.startswith("linear_1") else 1) * ((end - begin) // 4)
        with open(self.path("large.safetensors"), "wb") as file:
            file.write(data)
        server = Server(self, "large.safetensors")

        def strict(path):
            def refuse(word):
                self.fail(word)
            status, _, body = server.ask("POST", path, self.pictures[0][1])
            self.assertEqual(status, 200, body)
            return json.loads(body, parse_constant=refuse)
        told = strict("/predict")
        self.assertEqual([(one["class"], one["probability"]) for one in told["top"]], [(name, None) for name in NAMES])
        told = strict("/explain")
        self.assertEqual(told["saliency"], {"most": None, "picture": None})
        self.assertEqual(told["layers"][1]["values"], 12 * [None])
        self.assertEqual(told["layers"][1]["fired"], 12)
        self.assertEqual(server.end(), 0, server.err)

    def test_other_addresses(self):
        server = Server(self, "m.safetensors")
        self.assertEqual(server.json("GET", "/healthz"), {"status": "ok"})
        model, summary = server.json("GET", "/model"), json.loads(self.ok("summary", "m.safetensors", "--json").out)
        self.assertEqual((model["classes"], model["shape"], model["model"]), (NAMES, [6, 6, 1], "m.safetensors"))
        self.assertEqual(model["parameters"], summary["parameters"])
        self.assertEqual([(one["name"], one["flops"]) for one in model["layers"]],
                         [(one["name"], one["flops"]) for one in summary["layers"]])
        description = server.json("GET", "/openapi.json")
        self.assertEqual(set(description["paths"]), {"/", "/predict", "/explain", "/model", "/healthz", "/metrics", "/openapi.json"})
        status, head, page = server.ask("GET", "/")
        self.assertEqual((status, head["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertIn("default-src 'none'", head["Content-Security-Policy"])
        self.assertIn("<title>m.safetensors</title>", page.decode())
        self.assertNotIn(b"http:", page.replace(server.url.encode(), b""))
        script = page.decode().split("<script>")[1].split("</script>")[0]
        self.assertLess(script.count("\n"), 300)
        for path in ("/", "/model", "/healthz", "/metrics", "/openapi.json"):
            status, head, body = server.ask("HEAD", path)
            self.assertEqual((status, body), (200, b""), path)
            if path != "/metrics":
                self.assertEqual(int(head["Content-Length"]), len(server.ask("GET", path)[2]))

    def test_metrics(self):
        server = Server(self, "m.safetensors")
        head, body = multipart(self.pictures)
        server.json("POST", "/predict", body, head)
        server.json("POST", "/predict", b"junk", status=400)
        server.ask("GET", "/nothing")
        # counted once the answer is sent, which its client may know first
        server.until('deeper_requests_total{path="/predict",status="200"}', 1)
        server.until('deeper_requests_total{path="/predict",status="400"}', 1)
        server.until('deeper_requests_total{path="other",status="404"}', 1)
        self.assertEqual(server.figure("deeper_batch_images_sum"), 5)
        self.assertEqual(server.figure("deeper_batch_images_count"), 1)
        self.assertEqual(server.figure('deeper_batch_images_bucket{le="4"}'), 0)
        self.assertEqual(server.figure('deeper_batch_images_bucket{le="8"}'), 1)
        self.assertGreaterEqual(server.figure("deeper_request_seconds_count"), 3)
        self.assertGreaterEqual(server.figure('deeper_request_seconds_bucket{le="+Inf"}'), 3)
        self.assertEqual(server.figure("deeper_waiting_images"), 0)
        head = server.ask("GET", "/metrics")[1]
        self.assertEqual(head["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")

    # ---- refusals ----

    def test_junk(self):
        server = Server(self, "m.safetensors")
        data, kind = self.pictures[0][1], {"Content-Type": "multipart/form-data; boundary=b"}
        cut = bytearray(data)
        cut[40] ^= 0xff
        for body, head, words in (
                (b"", {}, "empty"), (b"GIF89a", {}, "neither a PNG nor a JPEG"), (data[:-20], {}, "no readable PNG"),
                (bytes(cut), {}, "no readable PNG"), (b"\xff\xd8\xff\xe0junk", {}, "no readable JPEG"),
                (data, {"Content-Type": "multipart/form-data"}, "names no boundary"),
                (data, {"Content-Type": "multipart/form-data; boundary=" + 71 * "x"}, "names no boundary"),
                (data, kind, "is not in it"), (b"", kind, "is not in it"), (b"--b--", kind, "has no parts"),
                (b"--b\r\n", kind, "cut off"), (b"--b\r\n\r\n" + data, kind, "cut off"),
                (b"--b\r\nX: y\r\n--b--", kind, "cut off"), (b"--bx\r\n\r\n" + data + b"\r\n--b--", kind, "is not in it"),
                (b"--b\r\n\r\n\r\n--b--", kind, "image: is empty"),
                (b'--b\r\nContent-Disposition: form-data; name="note"\r\n\r\nwords\r\n--b--', kind, "note: neither"),
                (b"".join(b"--b\r\n\r\n" + data + b"\r\n" for _ in range(257)) + b"--b--", kind, "more than 256 images")):
            self.assertIn(words, server.json("POST", "/predict", body, head, status=400)["error"], body[:40])
        for top in ("0", "-1", "x", "", "1.5", "99999999999999999999"):
            self.assertIn("top is", server.json("POST", "/predict?top=" + top, data, status=400)["error"])
        self.assertEqual(server.json("POST", "/predict", data)["image"], "image")
        self.assertEqual(server.end(), 0, server.err)

    def test_a_picture_of_too_many_pixels(self):
        server = Server(self, "m.safetensors", "--max-pixels", "63")
        self.assertEqual(server.ask("POST", "/predict", self.pictures[0][1])[0], 200)
        png(self.path("large.png"), 8, 8, 1, bytes(64))
        with open(self.path("large.png"), "rb") as file:
            self.assertIn("8 × 8 pixels; images of 1 to 63", server.json("POST", "/predict", file.read(), status=400)["error"])

    def test_images_of_too_many_pixels_together(self):
        server = Server(self, "m.safetensors", "--max-pixels", "50000000")
        head, body = multipart([("%d.png" % i, wide(5000)) for i in range(256)])
        begin = time.monotonic()
        self.assertIn("more than 50000000 pixels together; send",
                      server.json("POST", "/predict", body, head, status=400)["error"])
        self.assertLess(time.monotonic() - begin, 10)
        head, body = multipart([("%d.png" % i, wide(5000)) for i in range(2)])
        self.assertEqual(len(server.json("POST", "/predict", body, head)), 2)

    def test_paths_and_methods(self):
        server = Server(self, "m.safetensors")
        for path in ("/nothing", "/predict/", "//", "/../etc/passwd", "/%2e%2e/m.safetensors", "/m.safetensors", "/index.html"):
            self.assertIn("nothing at this path", server.json("GET", path, status=404)["error"])
        for method, path, allowed in (("GET", "/predict", "POST"), ("DELETE", "/predict", "POST"), ("POST", "/", "GET, HEAD"),
                                      ("PUT", "/model", "GET, HEAD"), ("POST", "/healthz", "GET, HEAD"), ("GET", "/explain", "POST")):
            status, head, body = server.ask(method, path, b"x" if method in ("PUT", "POST") else None)
            self.assertEqual((status, head["Allow"]), (405, allowed), (method, path))
            self.assertIn(allowed, json.loads(body)["error"])
        status, head, body = server.ask("HEAD", "/predict")
        self.assertEqual((status, body), (405, b""))

    def test_heads_that_the_library_refuses(self):
        server = Server(self, "m.safetensors")
        for request, status in ((b"GET /" + 70000 * b"x" + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"414"),
                                (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + 70000 * b"x" + b"\r\n\r\n", b"431"),
                                (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", b"505"),
                                (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -3\r\n\r\n", b"400")):
            with socket.create_connection((server.host, server.port), 20) as one:
                one.sendall(request)
                self.assertEqual(one.recv(12, socket.MSG_WAITALL), b"HTTP/1.1 " + status)
        self.assertEqual(server.json("GET", "/healthz"), {"status": "ok"})

    def test_a_body_that_is_too_large_is_read_to_its_end(self):
        server = Server(self, "m.safetensors", "--max-body", "10K")
        connection = server.connect()
        for size in (10 * 1024 + 1, 5_000_000):
            answer = server.json("POST", "/predict", bytes(size), status=413, connection=connection)
            self.assertIn("larger than the 10240 bytes", answer["error"])
        chunks = (bytes(4000) for _ in range(500))
        connection.request("POST", "/predict", chunks, {"Transfer-Encoding": "chunked"}, encode_chunked=True)
        answer = connection.getresponse()
        self.assertEqual(answer.status, 413)
        answer.read()
        self.assertEqual(server.json("POST", "/predict", self.pictures[0][1], connection=connection)["image"], "image")
        with socket.create_connection((server.host, server.port), 20) as one: # who waits is told before it sends
            one.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\nExpect: 100-continue\r\n\r\n")
            self.assertTrue(one.recv(999).startswith(b"HTTP/1.1 413 "))

    # ---- where it listens ----

    def test_where_it_listens(self):
        server = Server(self, "m.safetensors")
        self.assertTrue(server.url.startswith("http://127.0.0.1:"))
        port = str(server.port)
        self.says(self.fails("serve", "m.safetensors", "--port", port), "cannot listen on 127.0.0.1, port " + port,
                  "in use", "choose another port")
        self.says(self.fails("serve", "m.safetensors", "--host", "192.0.2.1"), "192.0.2.1", "an address of this machine")
        self.says(self.fails("serve", "m.safetensors", "--host", "no.such.host.invalid"), "no.such.host.invalid", "127.0.0.1")
        self.assertEqual(Server(self, "m.safetensors", "--host", "localhost").json("GET", "/healthz"), {"status": "ok"})
        shown = subprocess.Popen([DEEPER, "serve", "m.safetensors", "--port", "0"], cwd=self.folder, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True, env=environment())
        self.assertRegex(shown.stdout.readline(), r"^serving http://127\.0\.0\.1:\d+/\n$")
        shown.terminate()
        self.assertEqual(shown.communicate(timeout=20)[0], "")
        self.assertEqual(shown.returncode, 0)

    def test_a_port_that_is_not_allowed(self):
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
            if int(file.read()) <= 81:
                self.skipTest("everybody may listen on port 81 here")

        def nobody():
            os.setgroups([])
            os.setuid(65534)
        os.chmod(self.folder, 0o755)
        done = subprocess.run([DEEPER, "serve", "m.safetensors", "--port", "81"], cwd=self.folder, capture_output=True, text=True,
                              preexec_fn=nobody if os.geteuid() == 0 else None, env=environment(), timeout=20)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("a port from 1024 on", done.stderr)

    def test_usage(self):
        self.says(self.usage("serve", "m.safetensors", "--prot", "1"), "did you mean '--port'?")
        self.says(self.usage("serve", "m.safetensors", "--port", "65536"), "0 to 65535")
        for option in ("--connections", "--max-body", "--max-pixels", "--timeout"):
            self.says(self.usage("serve", "m.safetensors", option, "0"), option)
        self.says(self.fails("serve", "m.safetensors", "--max-body", "9G"), "body at most")
        self.usage("serve")
        self.says(self.fails("serve", "nothing.safetensors"), "nothing.safetensors")


if __name__ == "__main__":
    main()
