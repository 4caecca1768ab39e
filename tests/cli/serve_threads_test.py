"""deeper serve and clients that are many, slow or lost: what goes on at the same time."""

import concurrent.futures
import json
import select
import signal
import socket
import struct
import time

from serving import ServeCase, Server, multipart, wide
from support import SANITIZED, main, write_idx

CLIENTS = 12 if SANITIZED else 40


class ServeThreads(ServeCase):
    # ---- many, slow, lost ----

    def test_many_at_a_time(self):
        server, told = Server(self, "m.safetensors"), self.predicted()

        def client(i):
            connection = server.connect()
            return [server.json("POST", "/predict", self.pictures[k % 5][1], connection=connection) for k in range(i, i + 20)]
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            for i, answers in enumerate(pool.map(client, range(CLIENTS))):
                for k, answer in enumerate(answers, i):
                    self.assertEqual(answer["class"], told[k % 5]["class"])
                    self.assertAlmostEqual(answer["probability"], told[k % 5]["probability"], delta=1e-5)
        self.assertEqual(server.figure("deeper_batch_images_sum"), 20 * CLIENTS)
        self.assertEqual(server.end(), 0, server.err)

    def test_a_full_house(self):
        server = Server(self, "m.safetensors", "--connections", "3")
        inside = [server.connect() for _ in range(3)]
        for connection in inside:
            server.json("GET", "/healthz", connection=connection)
        for _ in range(5):
            status, head, body = server.ask("POST", "/predict", self.pictures[0][1])
            self.assertEqual((status, head["Connection"]), (503, "close"))
            self.assertIn("3 connections are served already; try again later", json.loads(body)["error"])
        self.assertEqual(server.json("POST", "/predict", self.pictures[0][1], connection=inside[1])["image"], "image")
        inside[0].close()
        end, status = time.monotonic() + 20, 503
        while status != 200 and time.monotonic() < end:
            status = server.ask("GET", "/healthz")[0]
        self.assertEqual(status, 200)

    def test_more_connections_than_can_be_refused(self):
        """Those beyond the reserve for refusals wait until that is free, two seconds at most each, and nobody hangs."""
        server = Server(self, "m.safetensors", "--connections", "1")
        silent = [socket.create_connection((server.host, server.port), 20) for _ in range(150)]
        begin = time.monotonic()
        status = server.ask("GET", "/healthz")[0]
        self.assertIn(status, (200, 503))
        self.assertLess(time.monotonic() - begin, 20)
        for one in silent:
            one.close()

    def test_slow_clients(self):
        server = Server(self, "m.safetensors", "--timeout", "2")
        head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(self.pictures[0][1])
        slow, begin = [], time.monotonic()
        for beginning in (b"", b"GET /mod", head, head + self.pictures[0][1][:10]):
            slow.append(socket.create_connection((server.host, server.port), 20))
            slow[-1].sendall(beginning)
        while time.monotonic() < begin + 1: # a byte now and then does not help
            self.assertEqual(server.ask("GET", "/healthz")[0], 200)
            slow[3].sendall(self.pictures[0][1][10:11])
            time.sleep(0.2)
        closed = [one for one in slow if select.select([one], [], [], 0)[0]]
        if time.monotonic() < begin + 1.8: # on a machine that is not too busy to tell
            self.assertEqual(closed, [], "they have two seconds")
        for one in slow:
            self.assertEqual(one.recv(100), b"", "the server closes")
            one.close()
        self.assertLess(time.monotonic() - begin, 15)
        with socket.create_connection((server.host, server.port), 20) as one: # slow, and in time
            for part in (head, self.pictures[0][1][:30], self.pictures[0][1][30:]):
                one.sendall(part)
                time.sleep(0.2)
            self.assertTrue(one.recv(999).startswith(b"HTTP/1.1 200 "))

    def batch(self):
        """A request of 256 images, as bytes."""
        head, body = multipart(256 * self.pictures[:1])
        line = "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (head["Content-Type"], len(body))
        return line.encode() + body

    def slow(self, *more):
        """A server whose network takes a while for a batch, of which it has computed one."""
        self.ok("train", "set", "--net", "input 6 6 1, conv 3x3 256, relu, conv 3x3 256, relu, linear classes", "--epochs", "1",
                "--no-report", "--out", "slow.safetensors")
        server, request = Server(self, "slow.safetensors", *more), self.batch()
        with self.send(server, request, 1)[0] as one:
            self.assertEqual(one.recv(12, socket.MSG_WAITALL), b"HTTP/1.1 200")
        return server, request

    def talkative(self):
        """A server whose answers to a batch have 60 MiB, by long names."""
        write_idx(self.path("long"), train=200, test=60, side=6, names=[letter * 60000 for letter in "abcd"])
        self.ok("train", "long", "--net", "input 6 6 1, linear classes", "--epochs", "1", "--no-report", "--out", "long.safetensors")
        return Server(self, "long.safetensors"), self.batch()

    def send(self, server, request, n):
        clients = [socket.create_connection((server.host, server.port), 60) for _ in range(n)]
        for one in clients:
            one.sendall(request)
            self.addCleanup(one.close)
        return clients

    def test_more_waits_than_can_be_done_in_time(self):
        server, request = self.slow("--timeout", "0.02")
        told = [one.recv(12, socket.MSG_WAITALL) for one in self.send(server, request, 12)]
        self.assertEqual(set(told), {b"HTTP/1.1 200", b"HTTP/1.1 503"})
        server.until("deeper_waiting_images", 0)
        self.assertEqual(self.send(server, request, 1)[0].recv(12, socket.MSG_WAITALL), b"HTTP/1.1 200", "it is not put off for good")

    def test_what_lost_clients_asked_is_not_computed(self):
        server, request = self.slow()
        stay, lost = self.send(server, request, 4), self.send(server, request, 6)
        time.sleep(0.1)
        for one in lost:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)) # reset
            one.close()
        for one in stay:
            self.assertEqual(one.recv(12, socket.MSG_WAITALL), b"HTTP/1.1 200")
            one.close()
        server.until("deeper_connections", 1)
        self.assertLess(server.figure("deeper_batch_images_sum"), (1 + 4 + 6) * 256)
        self.assertEqual(server.end(), 0, server.err)

    def test_answers_that_nobody_reads(self):
        """They have a budget, for they stay in memory: here 60 of its 256 MiB each."""
        server, request = self.talkative()
        clients, told = [], []
        for _ in range(7):
            clients += self.send(server, request, 1)
            told.append(clients[-1].recv(12, socket.MSG_WAITALL))
        for one in clients:
            one.close()
        self.assertEqual(told, 4 * [b"HTTP/1.1 200"] + 3 * [b"HTTP/1.1 503"])
        server.until("deeper_connections", 1)
        self.assertEqual(self.send(server, request, 1)[0].recv(12, socket.MSG_WAITALL), b"HTTP/1.1 200")

    def test_clients_that_close_their_end_get_their_answers(self):
        """Those that take longer than the second after which who has left is cut, too."""
        server, request = self.talkative()
        with self.send(server, request, 1)[0] as one, one.makefile("rb") as answer:
            one.shutdown(socket.SHUT_WR)
            self.assertEqual(answer.readline(), b"HTTP/1.1 200 OK\r\n")
            time.sleep(3)
            self.assertEqual(answer.read()[-1:], b"]")

    def test_clients_that_leave(self):
        server = Server(self, "m.safetensors")
        head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(self.pictures[0][1])
        for part in (b"POST", head, head + b"x", head + self.pictures[0][1], b"\0\xff\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
            for _ in range(10):
                with socket.create_connection((server.host, server.port), 20) as one:
                    one.sendall(part)
        self.assertEqual(server.json("POST", "/predict", self.pictures[0][1])["image"], "image")
        server.until("deeper_connections", 1)
        self.assertEqual(server.end(), 0, server.err)

    # ---- begin and end ----

    def test_what_is_in_flight_is_answered(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            server = Server(self, "m.safetensors")
            idle, half = server.connect(), socket.create_connection((server.host, server.port), 20)
            server.json("GET", "/healthz", connection=idle)
            data = self.pictures[0][1]
            half.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(data) + data[:30])
            time.sleep(0.3)
            server.run.send_signal(number)
            time.sleep(0.3)
            self.assertIsNone(server.run.poll(), "it waits for what has begun")
            with self.assertRaises(OSError):
                socket.create_connection((server.host, server.port), 5)
            half.sendall(data[30:])
            answer = half.makefile("rb").read()
            half.close()
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)
            self.assertIn(b"Connection: close", answer)
            self.assertEqual(server.run.wait(20), 0)

    def test_a_lost_client_does_not_keep_it(self):
        server = Server(self, "m.safetensors", "--timeout", "1")
        with socket.create_connection((server.host, server.port), 20) as half:
            half.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
            time.sleep(0.2)
            begin = time.monotonic()
            self.assertEqual(server.end(), 0, server.err)
            self.assertLess(time.monotonic() - begin, 10)

    def test_images_that_are_decoded_when_it_ends(self):
        """Beyond the timeout, too: to suspend such a connection once the server has given up waiting would abort."""
        head, body = multipart([("%d.png" % i, wide(5000)) for i in range(7)])
        request = "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (head["Content-Type"], len(body))
        for wait in (0.05, 0.15, 0.3):
            server = Server(self, "m.safetensors", "--timeout", "0.1", "--max-pixels", "178956970")
            with socket.create_connection((server.host, server.port), 60) as one:
                one.sendall(request.encode() + body)
                time.sleep(wait)
                self.assertEqual(server.end(), 0, server.err)
                self.assertIn(one.makefile("rb").read().split(b"\r\n")[0], (b"HTTP/1.1 200 OK", b"HTTP/1.1 503 Service Unavailable", b""))

    def test_a_second_signal_ends_at_once(self):
        server = Server(self, "m.safetensors")
        with socket.create_connection((server.host, server.port), 20) as half:
            half.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
            time.sleep(0.3)
            server.run.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            server.run.send_signal(signal.SIGINT)
            self.assertEqual(server.run.wait(20), 128 + signal.SIGINT)


if __name__ == "__main__":
    main()
