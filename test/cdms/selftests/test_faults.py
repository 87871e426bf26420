"""Each fault does to the client what it says, and no more."""

import gzip
import http.client
import socket
import time
import unittest
from urllib.parse import unquote

from cdmssim.faults import ACTIONS, ECHOES
from support import SimulatorTest, account, record

ONE = record("AccountSet", account(1))


class Faults(SimulatorTest):
    def fault(self, *words):
        self.control("fault", *map(str, words))

    def name(self):
        return self.control("get", "AccountSet", account(1), "Name")[0]

    def merge(self):
        return self.send("MERGE", ONE, {"Name": "written"})

    def assert_back_to_normal(self):
        self.assertEqual(self.new_client().get(ONE).status, 200)

    def test_status(self):
        self.fault("status", "--status", 503, "--retry-after", 2, "--body",
                   "busy\\x21\\n", "--content-type", "text/plain",
                   "--header", "X-Why: test")
        answer = self.merge()
        self.assertEqual((answer.status, answer.body), (503, b"busy!\n"))
        self.assertEqual(answer.headers["retry-after"], "2")
        self.assertEqual(answer.headers["x-why"], "test")
        self.assertEqual(self.name(), "O'Neil & Sons")
        self.assertEqual(self.merge().status, 204)

    def test_login(self):
        self.fault("login")
        answer = self.merge()
        self.assertEqual(answer.status, 200)
        self.assertIn("ctl00$ContentPlaceHolder1$PasswordTextBox", answer.text)
        self.assertEqual(self.name(), "O'Neil & Sons")

    def test_echo(self):
        for kind in ECHOES:
            self.fault("echo", "--status", 400, "--as", kind)
            answer = self.send("MERGE", ONE, {"Name": "written"},
                               Cookie="a=chocolate")
            self.assertEqual(answer.status, 400)
            text = unquote(answer.body.decode("utf-16" if kind == "wide" else "utf-8"))
            for word in ("MERGE /UKTI", "Cookie: a=chocolate", "written"):
                self.assertIn(word, text)
        self.fault("echo", "--as", "text", "--part", "fields")
        answer = self.send("POST", "AccountSet", "a=%41+b&c=%3C")
        self.assertEqual((answer.status, answer.text), (500, "a=A b\nc=<"))
        self.fault("echo", "--as", "text", "--part", "secrets")
        answer = self.get(ONE, Authorization="Basic abc", Cookie="MSISAuth=x")
        self.assertEqual(answer.text, "abc x")
        self.fault("echo", "--as", "json", "--part", "headers")
        self.assertIn("Host: ", self.get(ONE).error["message"]["value"])
        self.assertEqual(self.name(), "O'Neil & Sons")

    def test_hang_ends_when_cleared(self):
        self.fault("hang")
        self.client.connection.timeout = 0.2
        with self.assertRaises(TimeoutError):
            self.merge()
        self.assertEqual(self.control("log"), [
            "MERGE %s {\"Name\":\"written\"} -> hang" % ONE])
        self.fault("clear")
        self.wait_until(lambda: self.control("connections")[0]
                        .startswith("0 open"))

    def test_hang_notices_a_client_that_leaves(self):
        self.fault("hang", "--forever")
        self.client.connection.timeout = 0.1
        with self.assertRaises(TimeoutError):
            self.get(ONE)
        self.client.close()
        self.wait_until(lambda: not self.application.server.connections)

    def test_hang_after(self):
        self.fault("hang-after")
        self.client.connection.timeout = 0.2
        with self.assertRaises(TimeoutError):
            self.merge()
        self.assertEqual(self.name(), "written")

    def test_resets(self):
        for action, name in (("reset-before", "O'Neil & Sons"),
                             ("reset-after", "written")):
            self.fault(action)
            with self.assertRaises(ConnectionResetError):
                self.merge()
            self.client.close()
            self.assertEqual(self.name(), name)

    def test_closes(self):
        for action, name in (("close-before", "O'Neil & Sons"),
                             ("close-after", "written")):
            self.fault(action)
            with self.assertRaises(http.client.RemoteDisconnected):
                self.merge()
            self.client.close()
            self.assertEqual(self.name(), name)

    def test_cut(self):
        self.fault("cut", "--bytes", 100)
        with self.assertRaises(http.client.IncompleteRead) as caught:
            self.get("AccountSet")
        self.assertEqual(len(caught.exception.partial), 100)
        self.assert_back_to_normal()

    def test_drip(self):
        self.fault("drip", "--ms", 1)
        before = time.monotonic()
        answer = self.get(ONE + "?$select=Name")
        self.assertEqual(answer.d["Name"], "O'Neil & Sons")
        self.assertGreater(time.monotonic() - before, 0.3)

    def test_length_too_long(self):
        self.fault("length", "--delta", 10)
        with self.assertRaises(http.client.IncompleteRead):
            self.get(ONE)
        self.assert_back_to_normal()

    def test_length_too_short(self):
        self.fault("length", "--delta", -10)
        body = self.get(ONE).body
        self.assertFalse(body.endswith(b"}}"))

    def test_gzip_garbage(self):
        self.fault("gzip-garbage")
        answer = self.get("AccountSet")
        self.assertEqual(answer.headers["content-encoding"], "gzip")
        with self.assertRaises(Exception):
            gzip.decompress(answer.body)

    def test_huge(self):
        self.fault("huge", "--mb", 3)
        self.assertGreater(len(self.get(ONE).body), 3 << 20)

    def test_raw(self):
        self.fault("raw", "--body", "HTTP/1.1 200 OK\\r\\nContent-Length: 2"
                   "\\r\\n\\r\\n{\\x7d")
        self.assertEqual(self.get(ONE).body, b"{}")
        self.fault("raw", "--body", "nonsense")
        with self.assertRaises(http.client.BadStatusLine):
            self.get(ONE)

    def test_delay(self):
        self.fault("delay", "--ms", 100)
        before = time.monotonic()
        self.assertEqual(self.merge().status, 204)
        self.assertGreater(time.monotonic() - before, 0.1)

    def test_commands_in_the_middle(self):
        """Somebody edits just before, and just after, a request."""
        edit = 'edit AccountSet %s {"Telephone1":"1"}' % account(1)
        for action, seen in (("do-before", "1"), ("do-after", None)):
            self.control("reset")
            old = self.get(ONE).d["Telephone1"]
            self.fault(action, "--verb", "GET", "--command",
                       edit.replace('"', '\\"'))
            self.assertEqual(self.get(ONE).d["Telephone1"], seen or old)
            self.assertEqual(self.get(ONE).d["Telephone1"], "1")

    def test_matching(self):
        self.fault("status", "--status", 500, "--verb", "GET", "--path",
                   "ContactSet", "--skip", 1, "--times", 2)
        statuses = [self.get("ContactSet?$top=1").status for _ in range(4)]
        self.assertEqual(statuses, [200, 500, 500, 200])
        self.fault("status", "--status", 500, "--regex", "^AccountSet\\(",
                   "--forever")
        self.assertEqual(self.get("AccountSet?$top=1").status, 200)
        self.assertEqual([self.get(ONE).status for _ in range(3)], [500] * 3)
        self.assertEqual(self.control("fault", "list"),
                         ["status --regex ^AccountSet\\( --forever "
                          "--status 500"])
        self.fault("clear")
        self.assertEqual(self.get(ONE).status, 200)

    def test_tunnelled_verbs_match(self):
        self.fault("status", "--verb", "MERGE", "--status", 500)
        answer = self.send("POST", ONE, {}, X_HTTP_Method="MERGE")
        self.assertEqual(answer.status, 500)

    def test_refusals(self):
        for words in (("nonsense",), ("cut", "--mb", "1"), ("do-after",),
                      ("status", "--status"), ("hang", "--times", "x")):
            with self.assertRaises(RuntimeError):
                self.fault(*words)

    def test_each_action_has_a_test(self):
        with open(__file__, encoding="utf-8") as here:
            text = here.read()
        self.assertEqual([a for a in ACTIONS if '"%s"' % a not in text], [])


class Connections(SimulatorTest):
    def test_keep_alive_and_counts(self):
        before = int(self.control("connections")[0].split()[2])
        clients = [self.new_client() for _ in range(5)]
        for client in clients * 3:
            self.assertEqual(client.get(ONE).status, 200)
        self.assertEqual(self.control("connections")[0],
                         "5 open, %d accepted" % (before + 5))
        for client in clients:
            client.close()
        self.wait_until(lambda: self.control("connections")[0]
                        .startswith("0 open"))

    def test_pipelined_and_chunked(self):
        sock = socket.create_connection(("127.0.0.1", self.port))
        head = "/UKTI/XRMServices/2011/OrganizationData.svc/"
        sock.sendall((
            "POST %sAccountSet HTTP/1.1\r\nHost: x\r\nAccept: application/json"
            "\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked"
            "\r\n\r\n3\r\n{\"N\r\n9\r\name\":\"c\"}\r\n0\r\n\r\n"
            "GET %sAccountSet?$top=0 HTTP/1.1\r\nHost: x\r\nConnection: close"
            "\r\n\r\n" % (head, head)).encode())
        data = b""
        while chunk := sock.recv(65536):
            data += chunk
        sock.close()
        self.assertEqual(data.count(b"HTTP/1.1 "), 2)
        self.assertIn(b'"Name":"c"', data)

    def test_not_http(self):
        for line in (b"nonsense\r\n\r\n", b"GET /a b HTTP/1.1\r\n\r\n"):
            sock = socket.create_connection(("127.0.0.1", self.port))
            sock.sendall(line)
            self.assertTrue(sock.recv(65536).startswith(b"HTTP/1.1 400 "))
            self.assertEqual(sock.recv(65536), b"")
            sock.close()

    def test_expect_continue(self):
        sock = socket.create_connection(("127.0.0.1", self.port))
        sock.sendall(b"POST /UKTI/x HTTP/1.1\r\nHost: x\r\nExpect: "
                     b"100-continue\r\nContent-Length: 2\r\n\r\n")
        self.assertTrue(sock.recv(100).startswith(b"HTTP/1.1 100 Continue"))
        sock.sendall(b"{}")
        self.assertTrue(sock.recv(100).startswith(b"HTTP/1.1 404 "))
        sock.close()

    def test_latency(self):
        self.control("latency", "80")
        before = time.monotonic()
        self.get(ONE)
        self.assertGreater(time.monotonic() - before, 0.08)
        self.control("latency", "0")
        before = time.monotonic()
        for _ in range(20):
            self.get(ONE)
        self.assertLess(time.monotonic() - before, 0.5)


if __name__ == "__main__":
    unittest.main()
