"""Create, MERGE, PUT, DELETE: what is taken, what is refused, what is set."""

import json
import unittest

from support import ATOM, SimulatorTest, account, contact, record

NOBODY = "00000000-0000-0000-0000-00000000dead"
ENTRY = ('<entry xmlns="http://www.w3.org/2005/Atom" xmlns:d="http://schemas.'
         'microsoft.com/ado/2007/08/dataservices" xmlns:m="http://schemas.'
         'microsoft.com/ado/2007/08/dataservices/metadata"><category term='
         '"Microsoft.Crm.Sdk.Data.Services.%s" scheme="http://schemas.'
         'microsoft.com/ado/2007/08/dataservices/scheme"/><content type='
         '"application/xml"><m:properties>%s</m:properties></content></entry>')
TYPE = 'm:type="Microsoft.Crm.Sdk.Data.Services.%s"'


class Writes(SimulatorTest):
    path = record("AccountSet", account(1))

    def merge(self, body, path=None, **more):
        return self.send("MERGE", path or self.path, body, **more)

    def read(self, path=None):
        return self.get(path or self.path).d

    def assert_taken(self, answer):
        self.assertEqual((answer.status, answer.body), (204, b""))


class Creates(Writes):
    def test_nothing_at_all(self):
        answer = self.send("POST", "AccountSet", {})
        self.assertEqual(answer.status, 201)
        key = answer.d["AccountId"]
        self.assertTrue(answer.headers["location"].endswith(
            "/AccountSet(guid'%s')" % key))
        self.assertEqual(answer.d["StateCode"]["Value"], 0)
        self.assertEqual(answer.d["OwnerId"]["LogicalName"], "systemuser")
        self.assertIsNone(answer.d["Name"])
        self.assertEqual(self.read(record("AccountSet", key)), answer.d)

    def test_key_of_the_client(self):
        body = {"AccountId": account(77).upper(), "Name": "Mine"}
        self.assertEqual(self.send("POST", "AccountSet", body).d["AccountId"],
                         account(77))
        answer = self.send("POST", "AccountSet", body)
        self.assert_refused(answer, 500, "Cannot insert duplicate key.",
                            -2147220937)

    def test_created_on_can_be_overridden(self):
        self.control("clock", "set", "2016-05-05T10:00:00Z")
        d = self.send("POST", "AccountSet",
                      {"OverriddenCreatedOn": "/Date(0)/"}).d
        self.assertEqual(d["CreatedOn"], "/Date(0)/")
        self.assertEqual(d["OverriddenCreatedOn"], "/Date(1462442400000)/")

    def test_full_name_is_computed(self):
        d = self.send("POST", "ContactSet", {
            "FirstName": "A", "LastName": "B", "FullName": "ignored",
            "ParentCustomerId": {"Id": account(1),
                                 "LogicalName": "account"}}).d
        self.assertEqual(d["FullName"], "A B")
        self.assertEqual(d["AccountId"]["Id"], account(1))
        self.assertEqual(d["ParentCustomerId"]["Name"], "O'Neil & Sons")

    def test_capture_bodies(self):
        answer = self.send("POST", "AccountSet", {
            "OwnershipCode": {"Value": 2}, "OpenDeals_Date": "12/25/2022",
            "PrimaryContactId": {"Id": contact(1), "LogicalName": "contact"},
            "NumberOfEmployees": 500, "DoNotPhone": True})
        self.assertEqual(answer.d["OpenDeals_Date"], "/Date(1671926400000)/")


class Updates(Writes):
    def test_merge_changes_what_it_names(self):
        before = self.read()
        self.control("clock", "set", "2030-01-01T00:00:00Z")
        self.assert_taken(self.merge({"Name": "New"}))
        after = self.read()
        changed = {name for name in before if before[name] != after[name]}
        self.assertEqual(changed - {"__metadata"},
                         {"Name", "ModifiedOn", "VersionNumber"})
        self.assertEqual(after["ModifiedOn"], "/Date(1893456000000)/")
        self.assertGreater(int(after["VersionNumber"]),
                           int(before["VersionNumber"]))

    def test_tunnelled(self):
        answer = self.send("POST", self.path, {"Name": "T"},
                           X_HTTP_Method="MERGE")
        self.assert_taken(answer)
        self.assertEqual(self.read()["Name"], "T")
        self.assert_taken(self.send("POST", self.path, X_HTTP_Method="DELETE"))
        self.assertEqual(self.get(self.path).status, 404)

    def test_put_resets_the_rest(self):
        self.assert_taken(self.send("PUT", self.path, {"Name": "Only"}))
        d = self.read()
        self.assertEqual(d["Name"], "Only")
        self.assertIsNone(d["AccountNumber"])
        self.assertIsNone(d["Revenue"]["Value"])
        self.assertIsNotNone(d["CreatedOn"])
        self.assertIsNotNone(d["OwnerId"]["Id"])

    def test_names_of_references_follow(self):
        self.assertEqual(self.read()["PrimaryContactId"]["Name"],
                         "Sinéad O'Neil")
        self.merge({"LastName": "Renamed"}, record("ContactSet", contact(1)))
        self.assertEqual(self.read()["PrimaryContactId"]["Name"],
                         "Sinéad Renamed")

    def test_nulls(self):
        self.assert_taken(self.merge({
            "AccountNumber": None, "Revenue": {"Value": None},
            "PrimaryContactId": {"Id": None, "LogicalName": None,
                                 "Name": None}}))
        d = self.read()
        self.assertIsNone(d["AccountNumber"])
        self.assertIsNone(d["PrimaryContactId"]["Id"])

    def test_what_was_read_can_be_sent_back(self):
        d = self.read(record("ContactSet", contact(1)))
        del d["StateCode"], d["OwnerId"]
        self.assert_taken(self.merge(d, record("ContactSet", contact(1))))

    def test_values_take_cdms_form(self):
        self.assert_taken(self.merge({
            "Revenue": {"Value": "1.00005"}, "Name": "  kept  ",
            "LastUsedInCampaign": "/Date(1671926400999)/",
            "optevia_Alias": ""}))
        d = self.read()
        self.assertEqual(d["Revenue"]["Value"], "1.0001")
        self.assertEqual(d["Revenue_Base"]["Value"], "1.0001")
        self.assertEqual(d["Name"], "  kept  ")
        self.assertEqual(d["LastUsedInCampaign"], "/Date(1671926400000)/")
        self.assertEqual(d["optevia_Alias"], "")

    def test_server_set_values_are_ignored(self):
        before = self.read()
        self.assert_taken(self.merge({"CreatedOn": "/Date(0)/",
                                      "VersionNumber": "1"}))
        after = self.read()
        self.assertEqual(after["CreatedOn"], before["CreatedOn"])
        self.assertGreater(int(after["VersionNumber"]), 1000000)

    def test_probe(self):
        answer = self.send("POST", "optevia_attachmentprobeSet", {
            "optevia_Content": "AP8=", "optevia_Small": -5,
            "optevia_Size": "-9", "optevia_Ratio": "1.123456",
            "optevia_Weight": 1.5, "optevia_Checked": False,
            "optevia_Marker": account(1)})
        self.assertEqual(answer.status, 201, answer.text)
        self.assertEqual(answer.d["optevia_Content"], "AP8=")
        self.assertEqual(answer.d["optevia_Ratio"], "1.12346")


class RefusedValues(Writes):
    UNPROCESSABLE = "An error occurred while processing this request."

    def test_wrong_types(self):
        for body in ({"NumberOfEmployees": "notanumber"},
                     {"NumberOfEmployees": "5"}, {"NumberOfEmployees": 1.5},
                     {"NumberOfEmployees": 2147483648},
                     {"Name": 5}, {"Name": ["x"]}, {"CreditOnHold": "true"},
                     {"CreditOnHold": 1}, {"AccountId": "nokey"},
                     {"LastUsedInCampaign": "25/12/2022"},
                     {"LastUsedInCampaign": 5},
                     {"Revenue": None}, {"Revenue": {}}, {"Revenue": 5},
                     {"IndustryCode": None}, {"PrimaryContactId": None},
                     {"PrimaryContactId": {"Id": None}},
                     {"PrimaryContactId": {"Id": None, "LogicalName":
                                           "contact", "Name": None}},
                     {"Name": "\ud800"}):
            with self.subTest(body):
                self.assert_refused(self.merge(body), 400, self.UNPROCESSABLE)

    def test_bad_bodies(self):
        for body in ("", "[]", "{", '{"Name":"a","Name":"b"}', "null",
                     '{"Name":NaN}', '{"__metadata":{"type":"x"}}'):
            with self.subTest(body):
                self.assert_refused(self.merge(body), 400, self.UNPROCESSABLE)

    def test_unknown_properties(self):
        self.assert_refused(self.merge({"Nope": 1}), 400,
                            "Could not find a property named 'Nope'", "")
        self.assert_refused(self.send("POST", "AccountSet", {"name": "x"}),
                            400, "Could not find a property named 'name'")
        self.assert_refused(self.merge({"Revenue": {"Amount": 1}}), 400,
                            "Could not find a property named 'Amount'")

    def test_references(self):
        self.assert_refused(
            self.merge({"PrimaryContactId": {"Id": NOBODY}}), 404,
            "contact With Id = %s Does Not Exist" % NOBODY, -2147220969)
        self.assert_taken(self.merge({"PrimaryContactId":
                                      {"Id": contact(2)}}))
        path = record("ContactSet", contact(3))
        self.assert_refused(
            self.merge({"ParentCustomerId": {"Id": account(1)}}, path), 400,
            "LogicalName is required")
        self.assert_refused(
            self.merge({"ParentCustomerId": {"Id": account(1), "LogicalName":
                                             "systemuser"}}, path), 400,
            "not a possible target")
        self.assert_refused(
            self.merge({"PrimaryContactId": {"Id": account(1), "LogicalName":
                                             "account"}}), 400,
            "not a possible target")

    def test_ranges(self):
        self.assert_taken(self.merge({"Name": "x" * 160}))
        self.assert_refused(self.merge({"Name": "x" * 161}), 500,
                            "maximum allowed length of '160'", -2147204303)
        self.assert_refused(self.merge({"Name": "\U0001F680" * 81}), 500,
                            "maximum allowed length")
        self.assert_taken(self.merge({"LastUsedInCampaign":
                                      "1753-01-01T00:00:00Z"}))
        self.assert_refused(
            self.merge({"LastUsedInCampaign": "1752-12-31T23:59:59Z"}), 500,
            "minimum value supported by CrmDateTime")
        self.assert_refused(self.merge({"Revenue": {"Value": "1e16"}}), 500,
                            "outside the valid range")
        self.assert_refused(self.merge({"IndustryCode": {"Value": 99}}), 500,
                            "Accepted Values", -2147204326)

    def test_state_and_owner(self):
        self.assert_refused(self.merge({"StateCode": {"Value": 1}}), 500,
                            "SetState")
        owner = {"Id": "5784bd4a-0000-4000-8000-000000000002",
                 "LogicalName": "systemuser"}
        self.assert_refused(self.merge({"OwnerId": owner}), 500, "Assign")
        self.assert_refused(self.merge({"StatusCode": {"Value": 2}}), 500,
                            "not a valid status code")
        self.assert_taken(self.merge({"StatusCode": {"Value": 1}}))
        answer = self.send("POST", "AccountSet", {"OwnerId": owner,
                                                  "StateCode": {"Value": 0}})
        self.assertEqual(answer.d["OwnerId"]["Id"], owner["Id"])

    def test_inactive(self):
        path = record("AccountSet", account(23))
        self.assert_refused(self.merge({"Name": "x"}, path), 500, "inactive")
        self.assert_taken(self.send("DELETE", path))

    def test_nothing_changes_when_refused(self):
        before = self.read()
        self.merge({"Name": "x", "NumberOfEmployees": "x"})
        self.merge({"Name": "x", "PrimaryContactId": {"Id": NOBODY}})
        self.assertEqual(self.read(), before)

    def test_deep_insert_is_not_taken(self):
        answer = self.send("POST", "AccountSet", {
            "contact_customer_accounts": [{"LastName": "x"}]})
        self.assert_refused(answer, 400, "Related entities")


class Deletes(Writes):
    def test_delete(self):
        self.assert_taken(self.send("DELETE", self.path))
        self.assertEqual(self.get(self.path).status, 404)
        self.assert_refused(self.send("DELETE", self.path), 404,
                            "Does Not Exist", -2147220969)

    def test_children(self):
        """Contacts go with their account, other references let go."""
        self.assert_taken(self.send("DELETE", self.path))
        self.assertEqual(self.get(record("ContactSet", contact(1))).status,
                         404)
        child = self.read(record("AccountSet", account(29)))
        self.assertIsNone(child["ParentAccountId"]["Id"])
        nephew = self.read(record("ContactSet", contact(2)))
        self.assertIsNone(nephew["ParentCustomerId"]["Id"])

    def test_moved_children_stay(self):
        """Also when the index of references was asked before they moved."""
        children = "ContactSet?$filter=ParentCustomerId/Id eq guid'%s'"
        path = record("ContactSet", contact(1))
        self.assertEqual(len(self.get(children % account(1)).results), 1)
        self.merge({"ParentCustomerId": {"Id": account(2), "LogicalName":
                                         "account"}}, path)
        self.assertEqual(self.get(self.path + "/contact_customer_accounts")
                         .results, [])
        self.assertEqual(len(self.get(children % account(2)).results), 1)
        self.assert_taken(self.send("DELETE", self.path))
        self.assertEqual(self.get(path).status, 200)

    def test_a_contact_leaves_its_account(self):
        self.send("DELETE", record("ContactSet", contact(1)))
        self.assertIsNone(self.read()["PrimaryContactId"]["Id"])


class AtomBodies(Writes):
    def send_entry(self, verb, path, properties, entity="Account"):
        return self.send(verb, path, (ENTRY % (entity, properties)).encode(),
                         accept=ATOM, content_type=ATOM)

    def test_create(self):
        answer = self.send_entry(
            "POST", "AccountSet",
            "<d:Name xml:space=\"preserve\"> Créé &amp; &lt;new&gt;</d:Name>"
            "<d:NumberOfEmployees m:type=\"Edm.Int32\">12"
            "</d:NumberOfEmployees><d:Revenue " + TYPE % "Money" +
            "><d:Value m:type=\"Edm.Decimal\">99.5</d:Value></d:Revenue>"
            "<d:PrimaryContactId " + TYPE % "EntityReference" +
            "><d:Id m:type=\"Edm.Guid\">%s</d:Id></d:PrimaryContactId>"
            "<d:optevia_Alias/>" % contact(1))
        self.assertEqual(answer.status, 201, answer.text)
        self.assertIn('<d:Name xml:space="preserve"> Créé &amp; &lt;new&gt;'
                      "</d:Name>", answer.text)
        self.assertIn("<d:optevia_Alias></d:optevia_Alias>", answer.text)

    def test_merge(self):
        answer = self.send_entry(
            "MERGE", self.path, "<d:Telephone1>555</d:Telephone1>"
            "<d:AccountNumber m:null=\"true\"/><d:LastUsedInCampaign "
            "m:type=\"Edm.DateTime\">2012-03-04T05:06:07Z"
            "</d:LastUsedInCampaign>")
        self.assert_taken(answer)
        d = self.read()
        self.assertEqual((d["Telephone1"], d["AccountNumber"]), ("555", None))
        self.assertEqual(d["LastUsedInCampaign"], "/Date(1330837567000)/")

    def test_refusals(self):
        for properties, words in (
                ("<d:Nope>1</d:Nope>", "Nope"),
                ("<d:NumberOfEmployees>x</d:NumberOfEmployees>", "processing"),
                ("<d:Revenue m:null=\"true\"/>", "processing"),
                ("<d:Name m:type=\"Edm.Int32\">5</d:Name>", "processing"),
                ("<d:LastUsedInCampaign>12/25/2022</d:LastUsedInCampaign>",
                 "processing"),
                ("<d:Name><b/></d:Name>", "processing")):
            with self.subTest(properties):
                answer = self.send_entry("MERGE", self.path, properties)
                self.assertEqual(answer.status, 400)
                self.assertIn(words, answer.text)
        self.assertEqual(self.send_entry("MERGE", self.path, "",
                                         "Contact").status, 400)
        dtd = b'<!DOCTYPE x [<!ENTITY y "z">]><x/>'
        self.assertEqual(self.merge(dtd, accept=ATOM,
                                    content_type=ATOM).status, 400)


class Encodings(Writes):
    def test_charset(self):
        body = json.dumps({"Name": "é"}, ensure_ascii=False)
        self.assert_taken(self.merge(
            body.encode("latin-1"),
            content_type="application/json; charset=iso-8859-1"))
        self.assertEqual(self.read()["Name"], "é")
        self.assertEqual(self.merge(body.encode("latin-1")).status, 400)


if __name__ == "__main__":
    unittest.main()
