"""What a $filter finds: SQL Server's comparisons under OData's words."""

import unittest

from support import SimulatorTest, account, contact


class Strings(SimulatorTest):
    def test_equality_has_no_case_and_no_trailing_blanks(self):
        self.assertEqual(self.names("Name eq 'o''neil & SONS'"),
                         {"O'Neil & Sons"})
        self.assertEqual(self.names("Name eq 'Trailing Blanks'"),
                         {"Trailing Blanks   "})
        self.assertEqual(self.names("Name eq 'Leading Blanks'"), set())
        self.assertEqual(self.names("Name eq '\u212Aelvin sign ltd '"),
                         self.names("Name eq 'Kelvin Sign Ltd'"))

    def test_wildcards_are_literal(self):
        self.assertEqual(self.names("startswith(Name,'100%_')"),
                         {"100%_ Wool"})
        self.assertEqual(self.names("substringof('0%_',Name)"), {"100%_ Wool"})
        self.assertEqual(self.names("substringof('%%',Name)"), set())
        self.assertEqual(self.names("endswith(optevia_Alias,'[off]_SALE')"),
                         {"100%_ Wool"})

    def test_functions_with_truth_values(self):
        wanted = {"O'Neil & Sons"}
        for condition in ("startswith(Name,'o''neil')",
                          "startswith(Name,'O''Neil') eq true",
                          "startswith(Name,'O''Neil') ne false",
                          "not (startswith(Name,'O''Neil') eq false)"):
            self.assertEqual(self.names(condition), wanted, condition)

    def test_order(self):
        found = self.names("Name ge 'Z' and Name lt 'zz'")
        self.assertEqual(found, set())
        self.assertIn("Yates", min(self.names("Name ge 'Y' and Name lt 'z'")))


class Nulls(SimulatorTest):
    def test_tests(self):
        self.assertIn("Null Values", self.names(
            "optevia_Sector/Id eq null and startswith(Name,'N')"))
        self.assertNotIn("Null Values", self.names(
            "NumberOfEmployees ne null and startswith(Name,'N')"))
        self.assertEqual(self.names("Description eq null and Name eq "
                                    "'Empty String'"), set())
        self.assertEqual(self.names("Description eq '' and Name ne 'x'"),
                         {"Empty String"})

    def test_unknown_is_not_true(self):
        only = "Name eq 'Null Values' and "
        for condition in ("NumberOfEmployees eq 1", "NumberOfEmployees ne 1",
                          "not (NumberOfEmployees eq 1)",
                          "not (NumberOfEmployees ne 1)",
                          "not startswith(EMailAddress1,'x')",
                          "not (NumberOfEmployees eq 1 and Name ne 'x')",
                          "IndustryCode/Value ne 7"):
            self.assertEqual(self.names(only + condition), set(), condition)
        self.assertEqual(
            self.names(only + "(NumberOfEmployees eq 1 or Name ne 'x')"),
            {"Null Values"})
        self.assertEqual(
            self.names(only + "not (NumberOfEmployees eq 1 and Name eq 'x')"),
            {"Null Values"})


class Types(SimulatorTest):
    def test_numbers(self):
        self.assertEqual(self.names("NumberOfEmployees eq 2147483647"),
                         {"Largest Numbers Ltd"})
        self.assertEqual(self.names("NumberOfEmployees eq 2147483647L"),
                         {"Largest Numbers Ltd"})
        self.assertEqual(self.names("NumberOfEmployees lt -1"),
                         {"Smallest Numbers Ltd"})
        for literal in ("-1234.56M", "-1234.56"):
            self.assertEqual(self.names("Revenue/Value eq " + literal),
                             {"Smallest Numbers Ltd"})
        self.assertEqual(self.names("Address1_Latitude le -90"),
                         {"Smallest Numbers Ltd"})
        self.assertEqual(self.names("Address1_Longitude eq 1E-7"),
                         {"Smallest Numbers Ltd"})

    def test_keys_and_references(self):
        self.assertEqual(self.names("AccountId eq (guid'%s')"
                                    % account(4).upper()), {"<b>Bold</b> & Co"})
        self.assertEqual(self.names("AccountId eq guid'%s' or AccountId eq "
                                    "guid'%s'" % (account(1), account(2))),
                         {"O'Neil & Sons", "100%_ Wool"})
        found = self.names("ParentCustomerId/Id eq guid'%s'" % contact(1),
                           "ContactSet", "LastName")
        self.assertEqual(found, {"Of-Contact"})

    def test_dates(self):
        self.assertEqual(
            self.names("optevia_LastVerified lt datetime'1970-01-01'"),
            {"Before 1970 Ltd", "Before 1900 Ltd"})
        self.assertEqual(
            self.names("optevia_LastVerified eq "
                       "datetime'9999-12-31T23:59:59Z'"), {"Far Future Ltd"})

    def test_booleans_and_options(self):
        self.assertIn("Deactivated Ltd", self.names("StateCode/Value eq 1"))
        on_hold = self.names("CreditOnHold eq true")
        self.assertEqual(on_hold & self.names("CreditOnHold eq false"), set())

    def test_probe(self):
        def probes(condition):
            return self.names(condition, "optevia_attachmentprobeSet",
                              "optevia_name")
        self.assertEqual(probes("optevia_Size eq 9223372036854775807L"),
                         {"bytes"})
        self.assertEqual(probes("optevia_Small eq -32768"), {"empty"})
        self.assertEqual(probes("optevia_Content eq X'00'"), {"zero"})
        self.assertEqual(probes("optevia_Ratio eq 12345678901234.56789M"),
                         {"bytes"})

    def test_expanded_entity(self):
        answer = self.get("AccountSet?$select=Name,account_primary_contact&"
                          "$expand=account_primary_contact&$filter="
                          "account_primary_contact/LastName eq 'O''Neil'")
        self.assertEqual([r["Name"] for r in answer.results],
                         ["O'Neil & Sons"])


class Index(SimulatorTest):
    """An index may only make an answer faster, never another one."""

    def test_windows_and_pointers_agree_with_a_scan(self):
        for indexed, scanned in (
                ("ModifiedOn ge datetime'2015-12-01T00:00:00Z'",
                 "not (ModifiedOn lt datetime'2015-12-01T00:00:00Z')"),
                ("ModifiedOn lt datetime'2012-06-01'",
                 "not (ModifiedOn ge datetime'2012-06-01')"),
                ("VersionNumber gt 1000600L",
                 "not (VersionNumber le 1000600L)")):
            found = self.names(indexed)
            self.assertEqual(found, self.names(scanned), indexed)
            self.assertTrue(found)

    def test_after_writes(self):
        window = "ModifiedOn ge datetime'2020-01-01T00:00:00Z'"
        self.assertEqual(self.names(window), set())
        self.send("MERGE", "AccountSet(guid'%s')" % account(5), {"Name": "A"})
        self.send("POST", "AccountSet", {"Name": "B"})
        self.assertEqual(self.names(window), {"A", "B"})
        self.send("DELETE", "AccountSet(guid'%s')" % account(5))
        self.assertEqual(self.names(window), {"B"})


if __name__ == "__main__":
    unittest.main()
