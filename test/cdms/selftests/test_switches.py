"""Each switch, both ways."""

import unittest

from cdmssim.switches import SWITCHES
from support import ATOM, SimulatorTest, account, contact, record

ONE = record("AccountSet", account(1))
OWNER = {"Id": "5784bd4a-0000-4000-8000-000000000002",
         "LogicalName": "systemuser"}


class SwitchTest(SimulatorTest):
    def each(self, name):
        """The positions of a switch one after the other."""
        for value in SWITCHES[name].choices:
            with self.subTest("%s=%s" % (name, value)):
                self.application.reset()
                self.switch(name, value)
                yield value

    def merge(self, body, path=ONE):
        return self.send("MERGE", path, body)


class Writing(SwitchTest):
    def test_empty_string(self):
        for value in self.each("empty-string"):
            self.merge({"Name": ""})
            self.assertEqual(self.get(ONE).d["Name"],
                             "" if value == "keep" else None)

    def test_read_only_writes(self):
        for value in self.each("read-only-writes"):
            self.assertEqual(self.merge({"CreatedOn": "/Date(0)/"}).status,
                             204 if value == "ignore" else 400)

    def test_state_owner_writes(self):
        for value in self.each("state-owner-writes"):
            taken = value == "accept"
            for body in ({"StateCode": {"Value": 1}}, {"OwnerId": OWNER}):
                self.assertEqual(self.merge(body).status,
                                 204 if taken else 500)
                self.control("edit", "AccountSet", account(1),
                             '{"StateCode":0}')

    def test_inactive_updates(self):
        path = record("AccountSet", account(23))
        for value in self.each("inactive-updates"):
            self.assertEqual(self.merge({"Name": "x"}, path).status,
                             204 if value == "accept" else 500)

    def test_option_values(self):
        for value in self.each("option-values"):
            self.assertEqual(self.merge({"IndustryCode": {"Value": 99}}).status,
                             204 if value == "accept" else 500)

    def test_modified_on(self):
        for value in self.each("modified-on"):
            before = self.get(ONE).d
            self.merge({"Name": "x"})
            after = self.get(ONE).d
            self.assertEqual(before["ModifiedOn"] == after["ModifiedOn"],
                             value == "sticky")
            self.assertNotEqual(before["VersionNumber"],
                                after["VersionNumber"])

    def test_delete_cascade(self):
        for value in self.each("delete-cascade"):
            self.send("DELETE", ONE)
            answer = self.get(record("ContactSet", contact(1)))
            if value == "cascade":
                self.assertEqual(answer.status, 404)
            else:
                self.assertIsNone(answer.d["ParentCustomerId"]["Id"])
                self.assertIsNone(answer.d["AccountId"]["Id"])

    def test_auditing(self):
        for value in self.each("auditing"):
            before = int(self.control("count", "AuditSet")[0])
            self.merge({"Name": "x"})
            self.assertEqual(int(self.control("count", "AuditSet")[0]),
                             before + (value == "on"))


class Filtering(SwitchTest):
    def test_string_compare(self):
        wanted = {"ci": (True, False), "ci-ai": (True, True),
                  "cs": (False, False)}
        for value in self.each("string-compare"):
            found = self.names("AccountId eq guid'%s' and optevia_Alias eq "
                               "'CAF\u00c9'" % account(9))
            plain = self.names("AccountId eq guid'%s' and optevia_Alias eq "
                               "'cafe'" % account(9))
            self.assertEqual((bool(found), bool(plain)), wanted[value])

    def test_like_wildcards(self):
        for value in self.each("like-wildcards"):
            self.assertEqual(self.names("startswith(Name,'100%_ W')"),
                             {"100%_ Wool"})
            live = self.names("startswith(Name,'1__%[_] w')")
            self.assertEqual(bool(live), value == "live")

    def test_ne_null(self):
        for value in self.each("ne-null"):
            only = "Name eq 'Null Values' and "
            for condition in ("NumberOfEmployees ne 1",
                              "EMailAddress1 ne 'x'",
                              "not (NumberOfEmployees eq 1)"):
                self.assertEqual(bool(self.names(only + condition)),
                                 value == "keep", condition)

    def test_filter_version(self):
        for value in self.each("filter-version"):
            for query in ("$filter=VersionNumber gt 0L",
                          "$orderby=VersionNumber"):
                self.assertEqual(self.get("AccountSet?" + query).status,
                                 200 if value == "accept" else 400)

    def test_filter_reference_name(self):
        for value in self.each("filter-reference-name"):
            answer = self.get("AccountSet?$filter=PrimaryContactId/Name eq "
                              "'sinéad o''neil'")
            if value == "accept":
                self.assertEqual(len(answer.results), 1)
            else:
                self.assertEqual(answer.status, 400)

    def test_guid_ranges(self):
        for value in self.each("guid-ranges"):
            answer = self.get("AccountSet?$filter=AccountId gt guid'%s'&"
                              "$top=1" % account(3))
            if value == "accept":
                self.assertEqual(answer.results[0]["AccountId"], account(4))
            else:
                self.assertEqual(answer.status, 400)

    def test_fractional_seconds(self):
        for value in self.each("fractional-seconds"):
            answer = self.get("AccountSet?$filter=ModifiedOn ge "
                              "datetime'2011-01-01T00:00:00.123Z'")
            self.assertEqual(answer.status, 200 if value == "accept" else 400)


class Answers(SwitchTest):
    def test_next_link(self):
        for value in self.each("next-link"):
            link = self.get("AccountSet").d["__next"]
            self.assertEqual(link.startswith("http://"), value == "absolute")
            if value == "relative":
                self.assertTrue(link.startswith("AccountSet?$skiptoken=1,"))
                self.assertEqual(len(self.get(link).results), 50)

    def test_last_page(self):
        for value in self.each("last-page"):
            answer = self.get("AccountSet?$filter=Name ne null")
            for _ in range(3):
                answer = self.client.follow(answer.d["__next"])
            self.assertEqual("__next" in answer.d, value == "empty")
            if value == "empty":
                answer = self.client.follow(answer.d["__next"])
                self.assertEqual(answer.d, {"results": []})

    def test_json_results(self):
        for value in self.each("json-results"):
            d = self.get("AccountSet?$top=1").d
            self.assertIs(type(d), list if value == "bare" else dict)
            self.assertIs(type(self.get("AccountSet").d), dict)

    def test_json_dates(self):
        for value in self.each("json-dates"):
            text = self.get(ONE + "?$select=ModifiedOn").text
            self.assertEqual("\\/Date(" in text, value == "escaped")
            self.assertIn("/Date(", text)

    def test_json_numbers(self):
        for value in self.each("json-numbers"):
            d = self.get(ONE).d
            kind = str if value == "string" else (int, float)
            self.assertIsInstance(d["VersionNumber"], kind)
            self.assertIsInstance(d["ExchangeRate"], kind)

    def test_json_metadata(self):
        for value in self.each("json-metadata"):
            answer = self.get(ONE)
            self.assertEqual("id" in answer.d["__metadata"], value == "wcf")
            self.assertEqual("odata=verbose" in answer.headers["content-type"],
                             value == "wcf")

    def test_row_version(self):
        for value in self.each("row-version"):
            for number in (1, 13):
                d = self.get(record("AccountSet", account(number))).d
                self.assertEqual("RowVersion" in d["PrimaryContactId"],
                                 value == "on")

    def test_atom_order(self):
        for value in self.each("atom-order"):
            text = self.get(ONE, accept=ATOM).text
            self.assertEqual(text.index("<category") < text.index("<title"),
                             value == "wcf")
            feed = self.get("AccountSet?$top=1", accept=ATOM).text
            self.assertEqual(feed.index("<id>") < feed.index("<title"),
                             value == "wcf")

    def test_errors(self):
        for value in self.each("errors"):
            answer = self.get("NoSuchSet")
            self.assertEqual(answer.status, 404)
            self.assertEqual("html" in answer.headers["content-type"],
                             value == "html")

    def test_gzip(self):
        for value in self.each("gzip"):
            answer = self.get("AccountSet", Accept_Encoding="gzip")
            self.assertEqual(answer.headers.get("content-encoding"),
                             "gzip" if value == "on" else None)
            self.assertEqual(answer.body[:2] == b"\x1f\x8b", value == "on")
            self.assertNotIn("content-encoding",
                             self.get("AccountSet").headers)

    def test_date_header(self):
        for value in self.each("date-header"):
            date = self.get(ONE).headers.get("date", "")
            self.assertEqual(date != "", value != "off")
            self.assertEqual(" 300000 " in date, value == "300000")


class Numbers(SwitchTest):
    def test_page_size(self):
        self.switch("page-size", "7")
        self.assertEqual(len(self.get("AccountSet").results), 7)
        self.switch("page-size", "500")
        self.assertEqual(len(self.get("AccountSet").results), 200)

    def test_skip_limit(self):
        self.switch("skip-limit", "100")
        self.assertEqual(self.get("AccountSet?$skip=51").status, 500)
        self.switch("skip-limit", "101")
        self.assertEqual(self.get("AccountSet?$skip=51").status, 200)

    def test_url_limit(self):
        long = "AccountSet?$filter=Name eq '%s'" % ("x" * 1900)
        self.assertEqual(self.get(long).status, 200)
        answer = self.get("AccountSet?$filter=Name eq '%s'" % ("x" * 2048))
        self.assertEqual(answer.status, 404)
        self.assertEqual(answer.headers["content-type"], "text/html")
        self.switch("url-limit", "0")
        self.assertEqual(self.get("AccountSet?$filter=Name eq '%s'"
                                  % ("x" * 9000)).status, 200)


class Setting(SwitchTest):
    def test_refusals(self):
        for words in (("nope", "on"), ("gzip", "maybe"), ("page-size", "x")):
            with self.assertRaises(RuntimeError):
                self.switch(*words)

    def test_list_and_reset(self):
        self.switch("gzip", "on")
        self.assertIn("gzip=on", self.control("switch"))
        self.assertEqual(self.control("switch", "gzip"), ["on"])
        self.control("reset")
        self.assertEqual(self.control("switch", "gzip"), ["off"])


class Completeness(SwitchTest):
    def test_none_is_forgotten(self):
        """Every switch has a test that names it."""
        with open(__file__, encoding="utf-8") as here:
            text = here.read()
        # test_batch.py, test_logins.py
        elsewhere = {"batch", "login", "login-lost", "login-form",
                     "login-hops", "login-sts"}
        self.assertEqual([name for name in SWITCHES if name not in elsewhere
                          and '"%s"' % name not in text], [])


if __name__ == "__main__":
    unittest.main()
