"""The control commands: log, edits behind the client's back, clock, users."""

import base64
import json
import os
import subprocess
import sys
import unittest

from cdmssim.service import ROOT
from support import SimulatorTest, account, contact, record

ONE = record("AccountSet", account(1))
CLI = os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "control.py")


class Log(SimulatorTest):
    def test_lines(self):
        self.client.raw("GET", ROOT + "/AccountSet?$filter=Name+eq%20"
                        "'x%20y'&$top=1", headers={"Accept": "text/xml,*/*"})
        self.send("POST", ONE, '{ "Name" : "é" }', X_HTTP_Method="MERGE")
        self.send("DELETE", record("AccountSet", account(999)))
        self.assertEqual(self.control("log"), [
            "GET AccountSet?$filter=Name eq 'x y'&$top=1 -> 200",
            "MERGE %s {\"Name\":\"é\"} -> 204" % ONE,
            "DELETE %s -> 404" % record("AccountSet", account(999))])

    def test_selection(self):
        self.get(ONE)
        self.get("ContactSet?$top=1")
        self.send("MERGE", ONE, {})
        self.assertEqual(self.control("log", "--count"), ["3"])
        self.assertEqual(self.control("log", "--verb", "GET", "--count"),
                         ["2"])
        self.assertEqual(self.control("log", "--path", "ContactSet"),
                         ["GET ContactSet?$top=1 -> 200"])
        self.assertEqual(self.control("log", "clear"), [])
        self.assertEqual(self.control("log", "--count"), ["0"])

    def test_details(self):
        self.send("POST", ONE, {"Name": "a b"}, X_HTTP_Method="MERGE")
        self.get("AccountSet?$filter=Name eq 'x'")
        first, second = map(json.loads, self.control("log", "--json"))
        self.assertEqual((first["number"], first["verb"], first["raw_verb"],
                          first["status"], first["body"]),
                         (1, "MERGE", "POST", 204, '{"Name": "a b"}'))
        self.assertEqual(first["connection"], second["connection"])
        self.assertIn("%20eq%20", second["target"])
        self.assertIn(["X-HTTP-Method", "MERGE"], first["headers"])
        raw = self.control("log", "--raw")
        self.assertTrue(raw[0].startswith("POST /UKTI/XRMServices/"))
        long = self.control("log", "--long")[1]
        self.assertRegex(long, r"^#2 c\d+ \d+b GET AccountSet")

    def test_atom_bodies_take_one_line(self):
        self.send("POST", "AccountSet", b"<a>\n</a>",
                  content_type="application/atom+xml")
        self.assertEqual(self.control("log"),
                         ["POST AccountSet <a>\\n</a> -> 400"])


class Edits(SimulatorTest):
    def test_edit(self):
        before = self.get(ONE).d
        self.control("clock", "set", "2031-01-01T00:00:00Z")
        self.control("edit", "AccountSet", account(1), json.dumps({
            "Name": "Edited", "Revenue": "1.5", "IndustryCode": 7,
            "StateCode": 1, "optevia_LastVerified": "2020-02-02T00:00:00Z",
            "PrimaryContactId": None,
            "ParentAccountId": {"Id": account(2)}}))
        d = self.get(ONE).d
        self.assertEqual(d["Name"], "Edited")
        self.assertEqual(d["Revenue"]["Value"], "1.5000")
        self.assertEqual(d["IndustryCode"]["Value"], 7)
        self.assertEqual(d["StateCode"]["Value"], 1)
        self.assertEqual(d["StatusCode"]["Value"], 2)
        self.assertIsNone(d["PrimaryContactId"]["Id"])
        self.assertEqual(d["ParentAccountId"]["Name"], "100%_ Wool")
        self.assertEqual(d["ModifiedOn"], "/Date(1924992000000)/")
        self.assertGreater(int(d["VersionNumber"]),
                           int(before["VersionNumber"]))
        self.assertEqual(self.control("log", "--count"), ["2"])

    def test_chosen_stamps(self):
        self.control("edit", "AccountSet", account(1), json.dumps({
            "ModifiedOn": "2001-01-01T00:00:00Z", "VersionNumber": 5,
            "ModifiedBy": {"Id": "5784bd4a-0000-4000-8000-000000000003",
                           "LogicalName": "systemuser"}}))
        d = self.get(ONE).d
        self.assertEqual(d["ModifiedOn"], "/Date(978307200000)/")
        self.assertEqual(d["VersionNumber"], "5")
        self.assertEqual(d["ModifiedBy"]["Name"], "Ravi Shah")
        self.assertIn("O'Neil & Sons", self.names("VersionNumber lt 9L"))

    def test_edit_many(self):
        self.control("clock", "set", "2031-01-01T00:00:00Z")
        self.control("edit-many", "AccountSet", "60", '{"Name":"Edited"}')
        keys = self.control("keys", "AccountSet", "61")
        edited = [key for key in keys if self.control(
            "get", "AccountSet", key, "Name") == ["Edited"]]
        self.assertEqual(edited, keys[:60])
        stamps = {self.control("get", "AccountSet", key, "ModifiedOn")[0]
                  for key in edited}
        self.assertEqual(stamps, {"2031-01-01T00:00:00Z"})

    def test_create_get_count_delete(self):
        before = int(self.control("count", "ContactSet")[0])
        key, = self.control("create", "ContactSet", '{"LastName":"Made"}')
        self.assertEqual(self.control("get", "ContactSet", key, "FullName"),
                         ["Made"])
        self.assertEqual(self.control("create", "ContactSet", contact(88),
                                      "{}"), [contact(88)])
        self.assertEqual(int(self.control("count", "ContactSet")[0]),
                         before + 2)
        self.assertIn("StateCode=0", self.control("get", "ContactSet", key))
        self.assertIn(key, self.control("keys", "ContactSet"))
        self.control("delete", "ContactSet", key)
        self.assertEqual(self.get(record("ContactSet", key)).status, 404)

    def test_refusals(self):
        for words in ((), ("nope",), ("edit", "NopeSet", "x", "{}"),
                      ("edit", "AccountSet", account(999), "{}"),
                      ("edit", "AccountSet", account(1), '{"Nope":1}'),
                      ("edit", "AccountSet", account(1), '{"Name":1}'),
                      ("edit", "AccountSet", account(1)), ("latency", "x"),
                      ("create", "AccountSet", account(1), "{}"),
                      ("delete", "AccountSet", account(999)),
                      ("get", "AccountSet", account(1), "Nope"),
                      ("log", "nonsense"), ("log", "--nonsense"),
                      ("clock", "set", "yesterday"), ("clock", "nonsense")):
            with self.subTest(words), self.assertRaises(RuntimeError):
                self.control(*words)

    def test_reset(self):
        before = self.get(ONE).d
        self.control("edit", "AccountSet", account(1), '{"Name":"x"}')
        self.control("latency", "1")
        self.control("clock", "offset", "-1000")
        self.control("fault", "hang", "--forever")
        self.control("user", "a", "b")
        self.control("reset")
        self.assertEqual(self.get(ONE).d, before)
        self.assertEqual(self.control("log", "--count"), ["1"])
        self.assertEqual(self.control("latency"), ["0"])


class Clock(SimulatorTest):
    def test_clock(self):
        self.control("clock", "set", "2012-02-29T12:00:00Z")
        self.assertEqual(self.get(ONE).headers["date"],
                         "Wed, 29 Feb 2012 12:00:00 GMT")
        self.assertEqual(self.control("clock", "step", "61"),
                         ["2012-02-29T12:01:01Z"])
        self.send("MERGE", ONE, {})
        self.assertEqual(self.control("get", "AccountSet", account(1),
                                      "ModifiedOn"), ["2012-02-29T12:01:01Z"])
        ahead = self.control("clock", "offset", "86400")[0]
        real = self.control("clock", "real")[0]
        self.assertGreater(ahead, real)
        stepped = self.control("clock", "step", "3600")[0]
        self.assertTrue(real < stepped < ahead)


class Users(SimulatorTest):
    def as_user(self, name, password, path=ONE, verb="GET", body=None):
        token = base64.b64encode(("%s:%s" % (name, password)).encode())
        return self.send(verb, path, body,
                         Authorization="Basic " + token.decode())

    def test_basic(self):
        self.control("user", "crm", "s:cret")
        answer = self.get(ONE)
        self.assertEqual(answer.status, 401)
        self.assertIn("Basic", answer.headers["www-authenticate"])
        self.assertEqual(self.as_user("crm", "wrong").status, 401)
        self.assertEqual(self.as_user("nobody", "s:cret").status, 401)
        self.assertEqual(self.as_user("crm", "s:cret").status, 200)
        self.control("user", "off")
        self.assertEqual(self.get(ONE).status, 200)

    def test_writes_bear_the_users_name(self):
        self.control("user", "ravi", "1")
        self.control("user", "newcomer", "2")
        for name, password, full in (("ravi", "1", "Ravi Shah"),
                                     ("newcomer", "2", "newcomer")):
            self.as_user(name, password, ONE, "MERGE", {"Name": name})
            d = self.as_user(name, password).d
            self.assertEqual(d["ModifiedBy"]["Name"], full)

    def test_hidden_records(self):
        self.control("user", "ravi", "1")
        self.control("user", "helen", "2")
        self.control("hide", "AccountSet", account(1), "ravi")
        query = "AccountSet?$select=Name&$filter=startswith(Name,'O''')"
        self.assertEqual(self.as_user("ravi", "1", query).results, [])
        self.assertEqual(len(self.as_user("helen", "2", query).results), 1)
        self.assertEqual(self.as_user("ravi", "1").status, 403)
        answer = self.as_user("ravi", "1", ONE, "MERGE", {"Name": "x"})
        self.assert_refused(answer, 403, "AccessCheck", -2147187962)
        self.assertEqual(self.as_user("helen", "2").status, 200)
        self.control("show", "AccountSet", account(1), "ravi")
        self.assertEqual(self.as_user("ravi", "1").status, 200)

    def test_hidden_from_everybody(self):
        self.control("hide", "AccountSet", account(1))
        rows = self.get("AccountSet?$select=AccountId&$orderby=AccountId"
                        "&$top=3").results
        self.assertNotIn(account(1), [r["AccountId"] for r in rows])
        self.control("reset")
        self.assertEqual(self.get(ONE).status, 200)


class CommandLine(SimulatorTest):
    def run_cli(self, *words, **environment):
        return subprocess.run([sys.executable, CLI, *words],
                              capture_output=True, text=True, timeout=20,
                              env={**os.environ, **environment}, check=False)

    def test_plain_lines(self):
        self.get("AccountSet?$top=1")
        done = self.run_cli("--port", str(self.port), "log")
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (0, "GET AccountSet?$top=1 -> 200\n", ""))

    def test_port_from_environment(self):
        done = self.run_cli("get", "AccountSet", account(6), "Name",
                            CDMS_PORT=str(self.port))
        self.assertEqual(done.stdout, "Rocket \U0001F680 Ltd\n")

    def test_errors(self):
        done = self.run_cli("--port", str(self.port), "nonsense")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no command nonsense", done.stderr)
        done = self.run_cli("--port", "1", "ping")
        self.assertEqual((done.returncode, done.stdout), (1, ""))


if __name__ == "__main__":
    unittest.main()
