"""Pages of fifty, the next link, and what happens between two pages."""

import re
import unittest

from support import SimulatorTest, record

KEY = r"%7B[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}%7D"


def january(year):
    return "datetime'%d-01-01T00:00:00'" % year


class Paging(SimulatorTest):
    def pages(self, path):
        """Every page's rows."""
        answer = self.get(path)
        pages = []
        while True:
            self.assertEqual(answer.status, 200, answer.text)
            pages.append(answer.results)
            if "__next" not in answer.d:
                return pages
            answer = self.client.follow(answer.d["__next"])

    def keys(self, path):
        return [row["AccountId"] for page in self.pages(path) for row in page]

    def test_all_rows_once(self):
        pages = self.pages("AccountSet?$select=AccountId")
        self.assertEqual([len(p) for p in pages], [50, 50, 50, 50])
        self.assertEqual(len({r["AccountId"] for p in pages for r in p}), 200)

    def test_order_of_keys_is_sql_servers(self):
        keys = self.keys("AccountSet?$select=AccountId")
        self.assertEqual(keys, sorted(keys, key=lambda k: k[24:]))

    def test_next_link(self):
        link = self.get("AccountSet").d["__next"]
        self.assertRegex(link, r"^http://127\.0\.0\.1:\d+/UKTI/XRMServices/"
                         r"2011/OrganizationData\.svc/AccountSet\?\$skiptoken="
                         r"1,'accountid','%s','%s'$" % (KEY, KEY))
        second = self.client.follow(link).d["__next"]
        self.assertIn("$skiptoken=2,'accountid',", second)

    def test_token_holds_the_last_and_the_first_key(self):
        page = self.get("AccountSet?$select=AccountId").d
        keys = re.findall("%7B(.*?)%7D", page["__next"])
        rows = page["results"]
        self.assertEqual(keys, [rows[-1]["AccountId"].upper(),
                                rows[0]["AccountId"].upper()])

    def test_blanks_in_the_next_link(self):
        link = self.get("AccountSet?$filter=AccountNumber ne null&"
                        "$select=Name").d["__next"]
        self.assertIn("?$filter=AccountNumber ne null&$select=Name&"
                      "$skiptoken=1,", link)

    def test_escapes_stay_in_the_next_link(self):
        answer = self.client.raw(
            "GET", "/UKTI/XRMServices/2011/OrganizationData.svc/AccountSet"
            "?$filter=Name%20ne%20'a%26b%2B'", headers={
                "Accept": "application/json"})
        self.assertIn("$filter=Name ne 'a%26b%2B'&$skip", answer.d["__next"])
        self.assertEqual(self.client.follow(answer.d["__next"]).status, 200)

    def test_top(self):
        self.assertEqual(len(self.keys("AccountSet?$select=AccountId&"
                                       "$top=120")), 120)
        first = self.get("AccountSet?$select=AccountId&$top=120").d
        self.assertIn("$top=70&$skiptoken", first["__next"])
        self.assertNotIn("__next", self.get("AccountSet?$top=50").d)
        self.assertEqual(self.get("AccountSet?$top=0").results, [])

    def test_skip_counts(self):
        everything = self.keys("AccountSet?$select=AccountId")
        self.assertEqual(self.keys("AccountSet?$select=AccountId&$skip=120"),
                         everything[120:])

    def test_orderby(self):
        for order in ("Name", "Name desc", "Revenue/Value desc,Name asc",
                      "NumberOfEmployees", "optevia_LastVerified desc",
                      "PrimaryContactId/Id", "ExchangeRate",
                      "Address1_Latitude", "CreditOnHold desc"):
            with self.subTest(order):
                path = "AccountSet?$select=AccountId&$orderby=" + order
                keys = self.keys(path)
                self.assertEqual(len(set(keys)), 200)
                self.assertEqual(keys, self.keys(path))

    def test_orderby_sorts(self):
        values = [r["NumberOfEmployees"] for page in self.pages(
            "AccountSet?$select=NumberOfEmployees&$orderby=NumberOfEmployees")
            for r in page]
        numbers = [v for v in values if v is not None]
        self.assertEqual(values[:len(values) - len(numbers)],
                         [None] * (len(values) - len(numbers)))
        self.assertEqual(numbers, sorted(numbers))
        down = [r["NumberOfEmployees"] for page in self.pages(
            "AccountSet?$select=NumberOfEmployees&"
            "$orderby=NumberOfEmployees desc") for r in page]
        self.assertEqual(down, values[::-1])

    def test_changes_between_pages(self):
        """By token nothing is lost or doubled; by $skip it is."""
        everything = self.keys("AccountSet?$select=AccountId")
        first = self.get("AccountSet?$select=AccountId")
        for key in everything[:3] + everything[49:51]:
            self.send("DELETE", record("AccountSet", key))
        rest = self.client.follow(first.d["__next"])
        self.assertEqual(rest.results[0]["AccountId"], everything[51])
        shifted = self.get("AccountSet?$select=AccountId&$skip=50")
        self.assertEqual(shifted.results[0]["AccountId"], everything[55])

    def test_changes_between_ordered_pages(self):
        path = "AccountSet?$select=AccountId,Name&$orderby=Name"
        names = [r["Name"] for page in self.pages(path) for r in page]
        first = self.get(path)
        for row in first.results[:5] + first.results[-1:]:
            self.send("DELETE", record("AccountSet", row["AccountId"]))
        rest = self.client.follow(first.d["__next"])
        self.assertEqual(rest.results[0]["Name"], names[50])

    def test_windows_are_a_partition(self):
        """However wide they are, each record is in one of them."""
        everything = self.keys("AccountSet?$select=AccountId")
        path = "AccountSet?$select=AccountId&$filter=CreatedOn "
        outside = self.keys(path + "lt " + january(2012)) \
            + self.keys(path + "ge " + january(2017))
        for edges in ([2012, 2017], [2012, 2014, 2017], range(2012, 2018)):
            found = []
            for start, end in zip(edges, edges[1:]):
                found += self.keys("%sge %s and CreatedOn lt %s" % (
                    path, january(start), january(end)))
            self.assertEqual(sorted(found + outside), sorted(everything))

    def test_changes_between_a_windows_pages(self):
        first = self.get("AccountSet?$select=AccountId&$filter=ModifiedOn ge "
                         "%s and ModifiedOn lt %s" % (january(2012),
                                                      january(2018))).d
        second = self.client.follow(first["__next"]).results
        self.control("edit", "AccountSet", second[0]["AccountId"],
                     '{"ModifiedOn": "2020-01-01T00:00:00Z"}')
        again = self.client.follow(first["__next"]).results
        self.assertEqual(again[:49], second[1:])

    def test_expanded_collections_are_cut(self):
        parent = self.get("AccountSet?$top=1&$skip=40&$select=AccountId"
                          ).results[0]["AccountId"]
        for number in range(60):
            self.control("create", "ContactSet", '{"LastName":"Child %d",'
                         '"ParentCustomerId":{"Id":"%s","LogicalName":'
                         '"account"}}' % (number, parent))
        answer = self.get("%s?$expand=contact_customer_accounts"
                          % record("AccountSet", parent))
        children = answer.d["contact_customer_accounts"]
        self.assertEqual(set(children), {"results"})
        self.assertEqual(len(children["results"]), 50)
        listed = self.get("%s/contact_customer_accounts?$select=ContactId"
                          % record("AccountSet", parent))
        self.assertEqual(len(listed.results), 50)
        rest = self.client.follow(listed.d["__next"])
        self.assertGreaterEqual(len(rest.results), 10)

    def test_atom_next_link(self):
        text = self.get("AccountSet?$filter=Name ne 'x'",
                        accept="application/atom+xml").text
        self.assertRegex(text, r'<link rel="next" href="http://127[^"]*\?'
                         r"\$filter=Name ne 'x'&amp;\$skiptoken=1,'accountid',"
                         r"'%s','%s'\" /></feed>$" % (KEY, KEY))


if __name__ == "__main__":
    unittest.main()
