"""What CDMS refuses in an address or a query, the simulator refuses."""

import unittest
import xml.etree.ElementTree as ElementTree

from support import ATOM, META, SimulatorTest, account, record

# $filter -> words of the 400 it gets
BAD_FILTERS = {
    "Nope eq 1": "Could not find a property named 'Nope' on type "
                 "'Microsoft.Crm.Sdk.Data.Services.Account'.",
    "name eq 'x'": "Could not find a property named 'name'",
    "Name eq": "Expression expected at position 7 in 'Name eq'.",
    "(Name eq 'x'": "')' or operator expected",
    "Name eq 'x": "Unterminated string literal",
    "Name eq 'x' Name eq 'y'": "Syntax error at position 12",
    "Name = 'x'": "Syntax error at position 5",
    "Name eq 5": "incompatible with operand types 'Edm.String' and 'Edm.Int32'",
    "NumberOfEmployees eq '5'": "'Edm.Int32' and 'Edm.String'",
    "Revenue/Value ge 1.5d": "'Edm.Decimal' and 'Edm.Double'",
    "Address1_Latitude gt 1.5M": "'Edm.Double' and 'Edm.Decimal'",
    "AccountId eq 'x'": "'Edm.Guid' and 'Edm.String'",
    "ModifiedOn ge '2011-01-01'": "'Edm.DateTime' and 'Edm.String'",
    "IndustryCode eq 7": "OptionSetValue' and 'Edm.Int32'",
    "PrimaryContactId eq null": "incompatible",
    "IndustryCode/Nope eq 7": "Could not find a property named 'Nope'",
    "Name gt null": "incompatible",
    "CreditOnHold gt true": "incompatible",
    "not NumberOfEmployees eq 1": "Operator 'not' incompatible",
    "NumberOfEmployees": "Expression of type 'Edm.Boolean' expected",
    "DoNotPhone": "Invalid 'where' condition",
    "'x' eq Name": "Invalid 'where' condition",
    "Name eq AccountNumber": "Invalid 'where' condition",
    "tolower(Name) eq 'x'": "Invalid 'where' condition",
    "length(Name) eq 3": "Invalid 'where' condition",
    "year(ModifiedOn) eq 2011": "Invalid 'where' condition",
    "NumberOfEmployees add 1 eq 2": "Invalid 'where' condition",
    "NumberOfEmployees mod 2 eq 0": "Invalid 'where' condition",
    "substringof(Name,'x')": "Invalid 'where' condition",
    "contains(Name,'x')": "Unknown function 'contains'",
    "startswith(Name)": "No applicable function exists for 'startswith'",
    "startswith(NumberOfEmployees,'1')": "No applicable function",
    "ModifiedOn ge datetime'2011-11-14T16:43:8Z'":
        "Unrecognized 'Edm.DateTime' literal "
        "'datetime'2011-11-14T16:43:8Z'' in '14'.",
    "ModifiedOn ge datetime'2011-11-14T16:43:08.5Z'": "Unrecognized",
    "ModifiedOn ge datetime'2011-02-30'": "Unrecognized 'Edm.DateTime'",
    "ModifiedOn ge datetime'2011-1-1'": "Unrecognized 'Edm.DateTime'",
    "AccountId eq guid'123'": "Unrecognized 'Edm.Guid' literal",
    "NumberOfEmployees eq 3000000000": "Unrecognized 'Edm.Int32' literal",
    "account_primary_contact/LastName eq 'x'": "is not in $expand",
    "contact_customer_accounts/LastName eq 'x'": "Invalid 'where'",
}

# query -> words of the 400 it gets
BAD_OPTIONS = {
    "$inlinecount=allpages": "'$inlinecount' begins with a system-reserved",
    "$format=json": "'$format' begins with a system-reserved",
    "$search=x": "'$search' begins with a system-reserved",
    "$top=-1": "Incorrect format for $top argument '-1'.",
    "$skip=x": "Incorrect format for $skip argument 'x'.",
    "$top=1&$top=2": "'$top' is specified, but it should be specified exactly",
    "$select=Nope": "Could not find a property named 'Nope'",
    "$select=Revenue/Value": "can't be selected in part",
    "$select=account_primary_contact/LastName": "is not in $expand",
    "$orderby=Nope": "Could not find a property named 'Nope'",
    "$orderby=Name upwards": "Syntax error",
    "$orderby=Revenue": "Sorting is not possible",
    "$orderby=account_primary_contact/LastName": "Sorting is not possible",
    "$orderby=" + ",".join(["Name"] * 13): "exceeds 12",
    "$expand=Nope": "Could not find a property named 'Nope'",
    "$expand=PrimaryContactId": "Only navigation properties",
    "$expand=account_primary_contact/lk_contactbase_createdby": "Multi level",
    "$select=Name&$expand=account_primary_contact": "must also be in $select",
    "$expand=account_primary_contact,contact_customer_accounts,"
    "optevia_account_Sector,optevia_ukregion_account,"
    "lk_accountbase_createdby,lk_accountbase_modifiedby,"
    "account_activity_parties": "exceeds 6",
    "$skiptoken=nonsense": "skip token",
    "$expand=account_primary_contact&$filter=Name eq 'x' and "
    "account_primary_contact/LastName eq 'y'": "more than one entity",
}


class Refusals(SimulatorTest):
    def test_filters(self):
        for condition, words in BAD_FILTERS.items():
            with self.subTest(condition):
                answer = self.get("AccountSet?$filter=" + condition)
                self.assert_refused(answer, 400, words, "")

    def test_options(self):
        for query, words in BAD_OPTIONS.items():
            with self.subTest(query):
                self.assert_refused(self.get("AccountSet?" + query), 400,
                                    words, "")

    def test_options_that_lists_only_take(self):
        path = record("AccountSet", account(1))
        for option in ("$top=1", "$skip=1", "$orderby=Name",
                       "$filter=Name eq 'x'"):
            self.assert_refused(self.get("%s?%s" % (path, option)), 400,
                                "cannot be applied")

    def test_unknown_segments(self):
        self.assert_refused(self.get("NoSuchSet"), 404,
                            "Resource not found for the segment 'NoSuchSet'.")
        self.assert_refused(self.get("accountset"), 404, "'accountset'")
        path = record("AccountSet", account(1))
        self.assert_refused(self.get(path + "/Nope"), 404, "'Nope'")
        self.assert_refused(self.get("AccountSet/$count"), 404, "$count")

    def test_bad_keys(self):
        for key in ("'x'", "guid'12'", "1", "Name='x'"):
            self.assert_refused(self.get("AccountSet(%s)" % key), 400,
                                "Error in query syntax")

    def test_missing_record(self):
        answer = self.get(record("AccountSet", account(999)))
        self.assert_refused(answer, 404, "account With Id = %s Does Not Exist"
                            % account(999), -2147220969)

    def test_refusals_in_xml(self):
        answer = self.get("AccountSet?$filter=Nope eq 1", accept=ATOM)
        root = ElementTree.fromstring(answer.body)
        self.assertEqual(answer.status, 400)
        self.assertEqual(answer.headers["content-type"],
                         "application/xml;charset=utf-8")
        self.assertIn("Nope", root.find(META + "message").text)

    def test_skip_limit(self):
        answer = self.get("AccountSet?$skip=4951")
        self.assert_refused(answer, 500, "Paging cookie required",
                            -2147220715)
        self.assertEqual(self.get("AccountSet?$skip=4950").status, 200)
        self.assertEqual(self.get("AccountSet?$skip=4990&$top=11").status, 500)

    def test_media_types(self):
        answer = self.get("AccountSet", accept="text/html")
        self.assertEqual(answer.status, 415)
        answer = self.send("POST", "AccountSet", "{}", content_type="text/xml")
        self.assertEqual(answer.status, 415)
        self.assertEqual(self.get("$metadata").status, 415)

    def test_verbs(self):
        path = record("AccountSet", account(1))
        self.assertEqual(self.send("POST", path, {}).status, 405)
        self.assertEqual(self.send("MERGE", "AccountSet", {}).status, 405)
        self.assertEqual(self.send("DELETE", "AccountSet").status, 405)
        self.assertEqual(self.send("PATCH", path, {}).status, 501)

    def test_etags(self):
        answer = self.send("MERGE", record("AccountSet", account(1)),
                           {"Name": "x"}, If_Match="*")
        self.assert_refused(answer, 400, "etag properties")

    def test_tunnel(self):
        path = record("AccountSet", account(1))
        answer = self.send("POST", path, {}, X_HTTP_Method="PATCH")
        self.assert_refused(answer, 400, "X-HTTP-Method")
        self.assert_refused(self.get(path, X_HTTP_Method="MERGE"), 400,
                            "X-HTTP-Method")

    def test_versions(self):
        self.assert_refused(self.get("AccountSet", DataServiceVersion="3.0"),
                            400, "not supported")
        answer = self.get("AccountSet", MaxDataServiceVersion="1.0")
        self.assert_refused(answer, 400, "too low for the response")
        answer = self.get("AccountSet?$top=2", MaxDataServiceVersion="1.0")
        self.assertEqual(answer.headers["dataserviceversion"], "1.0;")
        answer = self.get("AccountSet", MaxDataServiceVersion="2.0")
        self.assertEqual(answer.headers["dataserviceversion"], "2.0;")

    def test_read_only_sets(self):
        for name, status in (("SystemUserSet", 403), ("AuditSet", 403),
                             ("AccountLeadsSet", 405)):
            answer = self.send("POST", name, {})
            self.assertEqual(answer.status, status)
            self.assertTrue(answer.error["code"])

    def test_foreign_paths_are_iis_answers(self):
        for path in ("/", "/Other/XRMServices/2011/OrganizationData.svc",
                     "/UKTI/XRMServices/2011/Organization.svc"):
            answer = self.client.raw("GET", path)
            self.assertEqual(answer.status, 404)
            self.assertEqual(answer.headers["content-type"], "text/html")

    def test_path_without_case(self):
        answer = self.client.raw(
            "GET", "/ukti/xrmservices/2011/organizationdata.SVC/AccountSet"
            "?$top=1", headers={"Accept": "application/json"})
        self.assertEqual(answer.status, 200)

    def test_bad_escapes(self):
        for path in ("/UKTI/%zz", "/UKTI/%"):
            self.assertEqual(self.client.raw("GET", path).status, 400)


if __name__ == "__main__":
    unittest.main()
