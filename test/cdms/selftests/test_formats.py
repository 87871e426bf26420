"""What goes over the wire: JSON, Atom, $metadata, headers."""

import json
import unittest
import xml.etree.ElementTree as ElementTree

from cdmssim import model
from support import (ATOM, ATOM_NS, DATA, META, SimulatorTest, account,
                     contact, record)

PREFIX = "Microsoft.Crm.Sdk.Data.Services."


class Json(SimulatorTest):
    def test_entity(self):
        answer = self.get(record("AccountSet", account(1)))
        self.assertEqual(answer.headers["content-type"],
                         "application/json;charset=utf-8")
        d = answer.d
        self.assertEqual(set(d["__metadata"]), {"uri", "type"})
        self.assertEqual(d["__metadata"]["type"], PREFIX + "Account")
        self.assertIn("/xrmservices/2011/", d["__metadata"]["uri"])
        self.assertEqual(d["Name"], "O'Neil & Sons")
        self.assertEqual(d["PrimaryContactId"], {
            "__metadata": {"type": PREFIX + "EntityReference"},
            "Id": contact(1), "LogicalName": "contact",
            "Name": "Sinéad O'Neil"})
        self.assertIn("__deferred", d["account_primary_contact"])
        self.assertIn('"ModifiedOn":"\\/Date(', answer.text)
        self.assertRegex(d["ModifiedOn"], r"^/Date\(\d+000\)/$")
        self.assertIsInstance(d["VersionNumber"], str)
        self.assertEqual(d["ExchangeRate"], "1.0000000000")

    def test_nulls(self):
        d = self.get(record("AccountSet", account(13))).d
        self.assertIsNone(d["NumberOfEmployees"])
        self.assertEqual(d["IndustryCode"], {
            "__metadata": {"type": PREFIX + "OptionSetValue"}, "Value": None})
        self.assertEqual(d["optevia_Sector"], {
            "__metadata": {"type": PREFIX + "EntityReference"}, "Id": None,
            "LogicalName": None, "Name": None})

    def test_every_type(self):
        d = {r["optevia_name"]: r for r in
             self.get("optevia_attachmentprobeSet").results}["bytes"]
        self.assertEqual(d["optevia_Content"][:8], "AAECAwQF")
        self.assertEqual(d["optevia_Small"], 32767)
        self.assertEqual(d["optevia_Size"], "9223372036854775807")
        self.assertEqual(d["optevia_Ratio"], "12345678901234.56789")
        self.assertEqual(d["optevia_Weight"], 0.1)
        self.assertEqual(d["IsCustomizable"]["Value"], True)
        self.assertEqual(set(d["IsCustomizable"]), {
            "__metadata", "CanBeChanged", "ManagedPropertyLogicalName",
            "Value"})

    def test_selection(self):
        d = self.get(record("AccountSet", account(1))
                     + "?$select=Revenue,Name").d
        self.assertEqual(list(d), ["__metadata", "Revenue", "Name"])
        d = self.get(record("AccountSet", account(1)) + "?$select=*").d
        self.assertEqual(len(d), 1 + len(model.ACCOUNT.properties))

    def test_expansion(self):
        path = record("AccountSet", account(1))
        d = self.get(path + "?$select=Name,account_primary_contact/FullName&"
                     "$expand=account_primary_contact").d
        self.assertEqual(set(d), {"__metadata", "Name",
                                  "account_primary_contact"})
        inner = d["account_primary_contact"]
        self.assertEqual(set(inner), {"__metadata", "FullName"})
        d = self.get(record("AccountSet", account(13))
                     + "?$expand=account_primary_contact").d
        self.assertIsNone(d["account_primary_contact"])

    def test_navigation(self):
        path = record("AccountSet", account(1))
        self.assertEqual(self.get(path + "/account_primary_contact")
                         .d["ContactId"], contact(1))
        self.assertEqual(self.get(path + "/Name").d, {"Name": "O'Neil & Sons"})
        empty = record("AccountSet", account(13)) + "/account_primary_contact"
        self.assertEqual(self.get(empty).status, 404)

    def test_hard_values_survive(self):
        for row in self.get("AccountSet?$select=Name,Description&$filter="
                            "AccountId eq guid'%s' or AccountId eq guid'%s'"
                            % (account(5), account(20))).results:
            if row["Name"].startswith("Lines"):
                self.assertEqual(row["Description"], "first\nsecond\r\nthird"
                                 "\rfourth\tafter a tab")
            else:
                self.assertEqual(len(row["Description"]), 8000)

    def test_service_document(self):
        answer = self.get("")
        self.assertEqual(answer.d["EntitySets"][0], "AccountSet")


class Atom(SimulatorTest):
    def entry(self, path):
        answer = self.get(path, accept=ATOM)
        self.assertEqual(answer.headers["content-type"],
                         "application/atom+xml;type=entry;charset=utf-8")
        return ElementTree.fromstring(answer.body)

    def test_same_values_as_json(self):
        """Each property of each hard record, read both ways."""
        for number in range(1, 31):
            path = record("AccountSet", account(number))
            d = self.get(path).d
            entry = self.entry(path)
            properties = entry.find("%scontent/%sproperties"
                                    % (ATOM_NS, META))
            for prop, element in zip(model.ACCOUNT.properties, properties):
                self.assertEqual(element.tag, DATA + prop.name)
                if prop.kind == "Edm.String":
                    wanted = d[prop.name]
                    text = None if element.get(META + "null") \
                        else element.text or ""
                    self.assertEqual(text, wanted)
                elif prop.kind == "Edm.Guid":
                    self.assertEqual(element.text, d[prop.name])

    def test_types_and_nulls(self):
        text = self.get(record("AccountSet", account(13)), accept=ATOM).text
        for piece in (
                '<d:Revenue m:type="%sMoney"><d:Value m:type="Edm.Decimal" '
                'm:null="true" /></d:Revenue>' % PREFIX,
                '<d:NumberOfEmployees m:type="Edm.Int32" m:null="true" />',
                '<d:optevia_Alias m:null="true" />',
                '<d:PrimaryContactId m:type="%sEntityReference"><d:Id '
                'm:type="Edm.Guid" m:null="true" /><d:LogicalName '
                'm:null="true" /><d:Name m:null="true" />'
                "</d:PrimaryContactId>" % PREFIX):
            self.assertIn(piece, text)

    def test_expansion(self):
        path = record("AccountSet", account(1))
        entry = self.entry(path + "?$expand=account_primary_contact,"
                           "contact_customer_accounts")
        inline = entry.findall("%slink/%sinline" % (ATOM_NS, META))
        self.assertEqual([i[0].tag for i in inline],
                         [ATOM_NS + "entry", ATOM_NS + "feed"])

    def test_default_format(self):
        answer = self.get("AccountSet?$top=1", accept="*/*")
        self.assertEqual(answer.headers["content-type"],
                         "application/atom+xml;type=feed;charset=utf-8")


class Metadata(SimulatorTest):
    def test_csdl(self):
        answer = self.get("$metadata", accept="application/xml")
        self.assertEqual(answer.status, 200)
        edm = "{http://schemas.microsoft.com/ado/2006/04/edm}"
        root = ElementTree.fromstring(answer.body)
        types = {e.get("Name"): e for e in root.iter(edm + "EntityType")}
        self.assertEqual(set(types), set(model.BY_NAME))
        account_type = types["Account"]
        self.assertEqual([p.get("Name") for p in
                          account_type.findall(edm + "Property")],
                         [p.name for p in model.ACCOUNT.properties])
        self.assertEqual({c.get("Name") for c in
                          root.iter(edm + "ComplexType")},
                         set(model.COMPLEX_TYPES))
        associations = {a.get("Name"): {e.get("Role") for e in a}
                        for a in root.iter(edm + "Association")}
        for link in root.iter(edm + "NavigationProperty"):
            name = link.get("Relationship")[len(PREFIX):]
            self.assertEqual({link.get("ToRole"), link.get("FromRole")},
                             associations[name])

    def test_every_edm_type_is_met(self):
        kinds = {p.kind for e in model.ENTITIES for p in e.properties}
        self.assertEqual(kinds, {
            "Edm.Guid", "Edm.String", "Edm.Boolean", "Edm.Int16", "Edm.Int32",
            "Edm.Int64", "Edm.Decimal", "Edm.Double", "Edm.DateTime",
            "Edm.Binary", "EntityReference", "OptionSetValue", "Money",
            "BooleanManagedProperty"})

    def test_sets_without_stamps(self):
        self.assertIsNone(model.AUDIT.slot("VersionNumber"))
        self.assertIsNone(model.AUDIT.slot("ModifiedOn"))
        self.assertIsNone(model.ACCOUNT_LEADS.slot("ModifiedOn"))
        self.assertIsNotNone(model.ACTIVITY_PARTY.slot("VersionNumber"))
        for entity in model.ENTITIES:
            answer = self.get(entity.set_name)
            self.assertEqual(answer.status, 200)
            self.assertTrue(answer.results)


class Determinism(SimulatorTest):
    def test_same_data_every_time(self):
        def everything():
            text = self.get("ContactSet?$orderby=LastName").text
            return json.loads(text)["d"]["results"]
        before = everything()
        self.control("reset")
        self.assertEqual(everything(), before)


if __name__ == "__main__":
    unittest.main()
