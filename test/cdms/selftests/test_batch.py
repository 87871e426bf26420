"""$batch: change sets, switched off, atomic and not."""

import json
import unittest

from cdmssim.service import ROOT
from support import SimulatorTest, account, record

KEYS = [account(71), account(72)]


def operation(verb, path, body=None, content_id=None):
    lines = ["Content-Type: application/http",
             "Content-Transfer-Encoding: binary"]
    if content_id:
        lines.append("Content-ID: %s" % content_id)
    lines += ["", "%s %s/%s HTTP/1.1" % (verb, ROOT, path),
              "Accept: application/json", "Content-Type: application/json"]
    return "\r\n".join(lines) + "\r\n\r\n" + (json.dumps(body) if body else "")


def multipart(boundary, parts):
    return "".join("--%s\r\n%s\r\n" % (boundary, part) for part in parts) \
        + "--%s--\r\n" % boundary


def change_set(*operations):
    return ("Content-Type: multipart/mixed; boundary=cs\r\n\r\n"
            + multipart("cs", operations))


class Batch(SimulatorTest):
    def post(self, *parts):
        return self.send("POST", "$batch", multipart("b", parts).encode(),
                         content_type="multipart/mixed; boundary=b")

    def count(self):
        return len(self.names("startswith(Name,'Batch')"))

    def two_creates(self, second=KEYS[1]):
        return change_set(
            operation("POST", "AccountSet", {"AccountId": KEYS[0],
                                             "Name": "Batch 1"}, 1),
            operation("POST", "AccountSet", {"AccountId": second,
                                             "Name": "Batch 2"}, 2))

    def test_off(self):
        self.assert_refused(self.post(self.two_creates()), 404,
                            "Resource not found for the segment '$batch'.")
        self.assertEqual(self.count(), 0)

    def test_accepted(self):
        for mode in ("atomic", "not-atomic"):
            self.control("reset")
            self.switch("batch", mode)
            answer = self.post(
                self.two_creates(),
                operation("GET", "AccountSet?$filter=startswith(Name,"
                          "'Batch')&$select=Name".replace(" ", "%20")))
            self.assertEqual(answer.status, 202)
            self.assertEqual(answer.text.count("HTTP/1.1 201 Created"), 2)
            self.assertEqual(answer.text.count("HTTP/1.1 200 OK"), 1)
            self.assertLess(answer.text.index("Content-ID: 1"),
                            answer.text.index("Content-ID: 2"))
            self.assertEqual(self.count(), 2)

    def test_one_refusal_undoes_an_atomic_set(self):
        self.switch("batch", "atomic")
        before = self.get(record("AccountSet", account(3))).d
        answer = self.post(change_set(
            operation("MERGE", record("AccountSet", account(3)),
                      {"Name": "Batch 0"}, 1),
            operation("DELETE", record("AccountSet", account(1)), None, 2),
            operation("POST", "AccountSet", {"AccountId": account(2)}, 3)))
        self.assertEqual(answer.text.count("HTTP/1.1 "), 1)
        self.assertIn("HTTP/1.1 500 Internal Server Error", answer.text)
        self.assertIn("Content-ID: 3", answer.text)
        self.assertEqual(self.get(record("AccountSet", account(3))).d, before)
        self.assertEqual(self.get(record("AccountSet", account(1))).status,
                         200)
        self.assertEqual(self.get("ContactSet?$filter=LastName eq "
                                  "'O''Neil'").results[0]["FullName"],
                         "Sinéad O'Neil")

    def test_not_atomic_keeps_what_went_well(self):
        self.switch("batch", "not-atomic")
        answer = self.post(self.two_creates(second=account(1)))
        self.assertIn("HTTP/1.1 201 Created", answer.text)
        self.assertIn("HTTP/1.1 500 ", answer.text)
        self.assertEqual(self.count(), 1)

    def test_malformed(self):
        self.switch("batch", "atomic")
        for body, kind in ((b"", "multipart/mixed; boundary=b"),
                           (b"--b\r\n", "multipart/mixed; boundary=b"),
                           (b"{}", "application/json")):
            answer = self.send("POST", "$batch", body, content_type=kind)
            self.assertEqual(answer.status, 400)

    def test_write_outside_a_change_set(self):
        self.switch("batch", "atomic")
        answer = self.post(operation("DELETE",
                                     record("AccountSet", account(1))))
        self.assert_refused(answer, 400, "outside a change set")


if __name__ == "__main__":
    unittest.main()
