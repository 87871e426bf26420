"""ADFS's pages, NTLM's messages, who may do what afterwards."""

import base64
import html
import re
import struct
import unittest
from urllib.parse import urlencode

from cdmssim import ntlm
from cdmssim.service import ROOT
from support import SimulatorTest, account, record

ONE = record("AccountSet", account(1))
FIELD = re.compile(r'<input[^>]*?name="([^"]*)"[^>]*?>', re.DOTALL)
VALUE = re.compile(r'value="([^"]*)"')


class Adfs(SimulatorTest):
    def setUp(self):
        super().setUp()
        self.control("user", "clerk", "secret é&")
        self.switch("login", "adfs")
        self.cookies = {}

    def ask(self, verb, url, fields=None):
        """One request of a browser, which keeps the cookies of CDMS."""
        target = url.partition("://")[2]
        host, slash, path = target.partition("/")
        headers = {"Host": host, "Cookie": "; ".join(
            "%s=%s" % pair for pair in self.cookies.items())}
        body = None if fields is None else urlencode(fields)
        answer = self.client.connection
        answer.request(verb, slash + path, body, headers)
        response = answer.getresponse()
        response.text = response.read().decode("utf-8")
        for cookie in response.headers.get_all("Set-Cookie", ()):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return response

    def fields(self, text):
        found = {}
        for match in FIELD.finditer(text):
            if 'type="checkbox"' not in match.group():
                value = VALUE.search(match.group())
                found[html.unescape(match.group(1))] = \
                    html.unescape(value.group(1)) if value else ""
        action = re.search(r'action="([^"]*)"', text[text.index("<form met"):]
                           if "<form met" in text else text)
        return html.unescape(action.group(1)), found

    def sign_in(self, password="secret é&", edit=None):
        answer = self.ask("GET", "http://127.0.0.1:%d/UKTI/" % self.port)
        self.assertEqual(answer.status, 302)
        answer = self.ask("GET", answer.headers["Location"])
        action, fields = self.fields(answer.text)
        for name in fields:
            if "User" in name:
                fields[name] = "clerk"
            elif "Pass" in name:
                fields[name] = password
        if edit:
            edit(fields)
        return self.ask("POST", action, fields)

    def carry_on(self, answer):
        action, fields = self.fields(answer.text)
        return self.ask("POST", action, fields)

    def service(self):
        return self.ask("GET", "http://127.0.0.1:%d%s/%s"
                        % (self.port, ROOT, ONE))

    def check_way_in(self, hops=1):
        answer = self.sign_in()
        for _ in range(hops):
            answer = self.carry_on(answer)
        self.assertEqual((answer.status, answer.headers["Location"]),
                         (302, "/UKTI/"))
        self.assertEqual(sorted(self.cookies),
                         ["MSISAuth", "MSISAuth1", "MSISAuth2"])
        answer = self.ask("GET", "http://127.0.0.1:%d/UKTI/" % self.port)
        self.assertEqual(answer.status, 200)
        self.assertIn("Microsoft Dynamics CRM", answer.text)
        self.assertEqual(self.service().status, 200)
        self.assertEqual(self.control("logins"), ["clerk accepted"])

    def test_way_in(self):
        self.check_way_in()

    def test_way_in_of_adfs_3(self):
        self.switch("login-form", "adfs3")
        self.check_way_in()

    def test_two_hops(self):
        self.switch("login-hops", "2")
        self.check_way_in(2)

    def test_sts_at_the_door(self):
        self.switch("login-hops", "2")
        self.switch("login-sts", "door")
        door = int(self.control("door", "open")[0])
        action, _ = self.fields(self.sign_in().text)
        self.assertEqual(action, "http://localhost:%d/rsts/ls/" % door)
        self.assertEqual(self.ask("POST", action, {}).status, 404)
        self.client = self.new_client(door)
        self.assertEqual(self.ask("POST", action, {}).status, 500)
        self.assertEqual(
            self.ask("GET", "http://localhost:%d/adfs/ls/" % door).status, 404)
        self.assertEqual(self.control("logins", "--pages", "--door"), [
            "POST /rsts/ls/ -> 500", "GET /adfs/ls/ -> 404",
            "clerk accepted"])

    def test_wrong_password(self):
        for form in ("adfs2", "adfs3"):
            self.switch("login-form", form)
            answer = self.sign_in("wrong")
            self.assertEqual(answer.status, 200)
            self.assertRegex(answer.text, "password is incorrect|Incorrect")
            self.assertIn('type="password"', answer.text)
        self.assertEqual(self.control("logins"), ["clerk refused"] * 2)
        self.control("logins", "--clear")
        self.assertEqual(self.control("logins"), [])

    def test_fields_must_come_back(self):
        for edit in (lambda f: f.pop("__VIEWSTATE"),
                     lambda f: f.update(__EVENTVALIDATION="x"),
                     lambda f: f.pop("ctl00$ContentPlaceHolder1$SubmitButton")):
            self.assertEqual(self.sign_in(edit=edit).status, 500)
        self.assertEqual(self.control("logins"), [])

    def test_token_counts_once(self):
        answer = self.sign_in()
        self.assertEqual(self.carry_on(answer).status, 302)
        self.assertEqual(self.carry_on(answer).status, 500)

    def test_all_chunks_are_needed(self):
        self.carry_on(self.sign_in())
        del self.cookies["MSISAuth2"]
        self.assertEqual(self.service().status, 302)

    def test_expiry(self):
        self.carry_on(self.sign_in())
        self.control("expire", "somebody")
        self.assertEqual(self.service().status, 200)
        self.control("expire", "clerk")
        answer = self.service()
        self.assertEqual(answer.status, 302)
        self.assertIn("/adfs/ls/?wa=wsignin1.0", answer.headers["Location"])
        self.switch("login-lost", "401")
        self.assertEqual(self.service().status, 401)
        self.switch("login-lost", "page")
        answer = self.service()
        self.assertEqual(answer.status, 200)
        self.assertIn('type="password"', answer.text)

    def test_pages_are_logged_apart_and_without_values(self):
        self.carry_on(self.sign_in())
        self.service()
        self.assertEqual(self.control("log"), ["GET %s -> 200" % ONE])
        self.assertEqual(self.control("log", "--users"),
                         ["clerk: GET %s -> 200" % ONE])
        lines = self.control("logins", "--pages")
        self.assertEqual([line.split()[:2] for line in lines[:-1]], [
            ["GET", "/UKTI/"], ["GET", "/adfs/ls/"], ["POST", "/adfs/ls/"],
            ["POST", "/UKTI/"]])
        self.assertNotIn("secret", "".join(lines))


class Ration(SimulatorTest):
    def test_every_fifth(self):
        for name in ("all", "fifth"):
            self.control("user", name, "x")
        self.switch("login", "header")
        self.control("ration", "optevia_sectorSet", "5", "fifth")
        seen = [len(self.get("optevia_sectorSet", X_Remote_User=name).results)
                for name in ("all", "fifth")]
        self.assertEqual(seen, [32, 6])


class Header(SimulatorTest):
    def test_proxy_names_the_user(self):
        self.control("user", "clerk", "x")
        self.switch("login", "header")
        self.assertEqual(self.get(ONE).status, 401)
        self.assertEqual(self.get(ONE, X_Remote_User="other").status, 401)
        self.assertEqual(self.get(ONE, X_Remote_User="clerk").status, 200)

    def test_links_bear_the_scheme_that_a_proxy_tells(self):
        answer = self.get("AccountSet?$select=Name", X_Forwarded_Proto="https")
        self.assertTrue(answer.d["__next"].startswith("https://127.0.0.1"))


class Ntlm(unittest.TestCase):
    """MS-NLMP 4.2.4, and RFC 1320's own test suite."""

    CHALLENGE = bytes.fromhex("0123456789abcdef")
    INFO = (b"\2\0\x0c\0" + "Domain".encode("utf-16-le") + b"\1\0\x0c\0"
            + "Server".encode("utf-16-le") + b"\0\0\0\0")
    BLOB = b"\1\1" + bytes(14) + b"\xaa" * 8 + bytes(4) + INFO + bytes(4)

    def test_md4(self):
        for text, digest in (
                ("", "31d6cfe0d16ae931b73c59d7e0c089c0"),
                ("abc", "a448017aaf21d8525fc10ae87aa6729d"),
                ("message digest", "d9130a8164549fe818874806e1c7014b"),
                ("1234567890" * 8, "e33b4ddc9c38f2199c3e7b164fcc0536")):
            self.assertEqual(ntlm.md4(text.encode()).hex(), digest)

    def test_specification(self):
        key = ntlm.key_of("User", "Domain", "Password")
        self.assertEqual(key.hex(), "0c868a403bfd7a93a3001ef22ef02e3f")
        self.assertEqual(ntlm.proof(key, self.CHALLENGE, self.BLOB).hex(),
                         "68cd0ab851e51c96aabc927bebef6a1c")


class NtlmConnection(SimulatorTest):
    def setUp(self):
        super().setUp()
        self.control("user", "UKTI\\clerk", "secret")
        self.switch("login", "ntlm")

    def send(self, message):
        return self.get(ONE, Authorization="NTLM "
                        + base64.b64encode(message).decode("ascii"))

    def begin(self):
        """The server's challenge."""
        answer = self.send(ntlm.SIGNATURE + struct.pack("<II", 1, 1)
                           + bytes(16))
        self.assertEqual(answer.status, 401)
        scheme, blob = answer.headers["www-authenticate"].split()
        message = base64.b64decode(blob)
        self.assertEqual((scheme, ntlm.kind_of(message)), ("NTLM", 2))
        return message[24:32]

    @staticmethod
    def type_3(challenge, user="clerk", password="secret"):
        blob = Ntlm.BLOB
        key = ntlm.key_of(user, "UKTI", password)
        fields = [b"", ntlm.proof(key, challenge, blob) + blob,
                  "UKTI".encode("utf-16-le"), user.encode("utf-16-le"), b"",
                  b""]
        at, head, data = 64, b"", b""
        for field in fields:
            head += struct.pack("<HHI", len(field), len(field), at + len(data))
            data += field
        return ntlm.SIGNATURE + struct.pack("<I", 3) + head \
            + struct.pack("<I", ntlm.UNICODE) + data

    def test_connection_is_logged_in(self):
        self.assertEqual(self.get(ONE).headers["www-authenticate"], "NTLM")
        challenge = self.begin()
        self.assertEqual(self.send(self.type_3(challenge)).status, 200)
        self.assertEqual(self.get(ONE).status, 200)
        self.client.close()
        self.assertEqual(self.get(ONE).status, 401)
        self.assertEqual(self.control("logins"), ["UKTI\\clerk accepted"])

    def test_expiry(self):
        self.send(self.type_3(self.begin()))
        self.control("expire", "somebody")
        self.assertEqual(self.get(ONE).status, 200)
        self.control("expire", "UKTI\\clerk")
        self.assertEqual(self.get(ONE).headers["www-authenticate"], "NTLM")
        self.assertEqual(self.send(self.type_3(self.begin())).status, 200)

    def test_refused(self):
        challenge = self.begin()
        self.assertEqual(self.send(self.type_3(challenge,
                                               password="no")).status, 401)
        self.assertEqual(self.send(self.type_3(challenge)).status, 401)
        challenge = self.begin()
        self.assertEqual(self.send(self.type_3(challenge, "nobody")).status,
                         401)
        self.assertEqual(self.send(b"nonsense").status, 401)
        self.assertEqual(self.get(ONE).status, 401)
        self.assertNotIn("accepted", "".join(self.control("logins")))

    def test_message_integrity(self):
        key = ntlm.key_of("clerk", "UKTI", "secret")
        info = Ntlm.INFO[:-4] + struct.pack("<HHI", 6, 4, 2) + bytes(4)
        blob = b"\1\1" + bytes(14) + b"\xaa" * 8 + bytes(4) + info + bytes(4)
        for spoil, outcome in ((False, True), (True, False)):
            exchange = ntlm.Exchange({"UKTI\\clerk": "secret"})
            first = ntlm.SIGNATURE + struct.pack("<II", 1, 1) + bytes(16)
            second = exchange.answer(first)
            nt_proof = ntlm.proof(key, exchange.challenge, blob)
            third = self._with_mic(key, nt_proof, blob, first + second)
            if spoil:
                exchange.sent = second[:20] + b"\0" + second[21:]
            try:
                exchange.accept(third)
                self.assertTrue(outcome)
            except ntlm.Refused:
                self.assertFalse(outcome)

    @staticmethod
    def _with_mic(key, nt_proof, blob, before):
        fields = [b"", nt_proof + blob, "UKTI".encode("utf-16-le"),
                  "clerk".encode("utf-16-le"), b"", b""]
        at, head, data = 88, b"", b""
        for field in fields:
            head += struct.pack("<HHI", len(field), len(field), at + len(data))
            data += field
        head = ntlm.SIGNATURE + struct.pack("<I", 3) + head \
            + struct.pack("<I", ntlm.UNICODE) + bytes(8)
        mic = ntlm.hmac_md5(ntlm.hmac_md5(key, nt_proof),
                            before + head + bytes(16) + data)
        return head + mic + data
