"""The command line: daemon, files, ending."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from support import Client, account, record

SIMULATOR = os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "simulator.py")


class Launch(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = lambda name: os.path.join(folder.name, name)

    def daemon(self, *more):
        subprocess.run(
            [sys.executable, SIMULATOR, "--daemon", "--idle-exit", "30",
             "--port-file", self.path("port"), "--pid-file", self.path("pid"),
             "--log-file", self.path("log"), *more], check=True, timeout=20)
        port, pid = (int(self.read(name)) for name in ("port", "pid"))
        self.addCleanup(self.end, pid)
        client = Client(port)
        self.addCleanup(client.close)
        return pid, client

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    @staticmethod
    def end(pid):
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            pass

    @staticmethod
    def lives(pid):
        """Not gone, nor waiting to be reaped."""
        try:
            with open("/proc/%d/stat" % pid, encoding="utf-8") as file:
                return file.read().rsplit(")", 1)[1].split()[0] != "Z"
        except OSError:
            return False

    def wait_for_end(self, pid):
        end = time.monotonic() + 5
        while self.lives(pid) and time.monotonic() < end:
            time.sleep(0.02)
        self.assertFalse(self.lives(pid))
        self.assertEqual(os.listdir(self.path("")), ["log"])

    def test_daemon_and_sigterm(self):
        pid, client = self.daemon()
        self.assertEqual(client.get("AccountSet?$top=1").status, 200)
        self.assertEqual(self.read("log"), "GET AccountSet?$top=1 -> 200\n")
        self.end(pid)
        self.wait_for_end(pid)

    def test_idle_exit(self):
        pid, client = self.daemon("--idle-exit", "0.3")
        for _ in range(4):
            self.assertEqual(client.get("AccountSet?$top=1").status, 200)
            time.sleep(0.12)
        self.wait_for_end(pid)

    def test_options(self):
        _, client = self.daemon("--accounts", "60", "--contacts", "40",
                                "--switch", "gzip=on", "--page-size", "20",
                                "--user", "u", "--password", "p",
                                "--latency", "5")
        self.assertEqual(client.control("count", "AccountSet"), ["60"])
        self.assertEqual(client.control("count", "ContactSet"), ["40"])
        self.assertEqual(client.control("switch", "gzip"), ["on"])
        self.assertEqual(client.control("switch", "page-size"), ["20"])
        self.assertEqual(client.control("latency"), ["5"])
        self.assertEqual(client.get("AccountSet").status, 401)
        client.control("reset")
        self.assertEqual(client.control("switch", "gzip"), ["on"])
        self.assertEqual(client.get("AccountSet").status, 401)

    def test_same_data_in_each_process(self):
        texts = set()
        for _ in range(2):
            pid, client = self.daemon("--seed", "7")
            answer = client.get("AccountSet?$filter=AccountNumber ge "
                                "'AC-000400'&$select=AccountNumber,Name,"
                                "ModifiedOn,Revenue")
            texts.add(answer.text.replace(":%d/" % client.port, "/"))
            self.end(pid)
            self.wait_for_end(pid)
        self.assertEqual(len(texts), 1)
        self.assertIn("AC-0004", texts.pop())

    def test_a_hundred_thousand(self):
        before = time.monotonic()
        _, client = self.daemon("--accounts", "100000",
                                "--contacts", "150000")
        self.assertLess(time.monotonic() - before, 10)
        answer = client.get(record("AccountSet", account(1)))
        self.assertEqual(answer.status, 200)
        before = time.monotonic()
        for _ in range(20):
            answer = client.get("AccountSet?$filter=ModifiedOn ge "
                                "datetime'2020-01-01T00:00:00Z'")
            self.assertEqual(answer.results, [])
        self.assertLess(time.monotonic() - before, 2)

    def test_in_the_foreground(self):
        process = subprocess.Popen([sys.executable, SIMULATOR],
                                   stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        url = process.stdout.readline().strip()
        self.assertRegex(url, r"^http://127\.0\.0\.1:\d+/UKTI$")
        process.terminate()
        self.assertEqual(process.wait(5), 0)

    def test_bad_options(self):
        for words in (("--switch", "nope=1"), ("--switch", "gzip=maybe"),
                      ("--port", "99999")):
            done = subprocess.run([sys.executable, SIMULATOR, *words],
                                  capture_output=True, timeout=20, text=True,
                                  check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("simulator:", done.stderr)


if __name__ == "__main__":
    unittest.main()
