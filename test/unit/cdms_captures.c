/*
 * test/unit/cdms_captures.c
 *	  Exchanges with real servers, read by the readers and written again by the
 *	  writers, compared with what a person reads in them.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"

#include "net/url.h"

#include "cdms_fixture.h"
#include "unit.h"

#define OWNER "5784bd4a-f595-df11-a492-00155dba380c"
#define CREATED "11111111-2222-3333-4444-843479270548"

/* Reads a capture, or leaves the test. */
#define CAPTURE(variable, file) \
	do { \
		variable = cdms_capture(file); \
		if (variable == NULL) \
			return; \
	} while (0)

static char *next;

/* ----------------------------------------------------------- odata, in JSON */

/* The properties of captures/odata/01, which did not ask for the key. */
static CrmEntity *
contact_of_account(void)
{
	static const CdmsColumn columns[] = {
		{"PrimaryContactId/Id", CRM_ENTITY_REFERENCE, UUIDOID},
		{"PrimaryContactId/Name", CRM_ENTITY_REFERENCE, TEXTOID},
		{"OwnershipCode/Value", CRM_OPTION_SET_VALUE, INT4OID},
		{"OpenDeals_Date", CRM_DATETIME, TIMESTAMPTZOID},
		{"CustomerSizeCode/Value", CRM_OPTION_SET_VALUE, INT4OID},
		{"Telephone1", CRM_STRING, TEXTOID},
		{"NumberOfEmployees", CRM_INT32, INT4OID},
		{"Name", CRM_STRING, TEXTOID},
		{"AccountNumber", CRM_STRING, TEXTOID},
		{"DoNotPhone", CRM_BOOLEAN, BOOLOID},
		{"IndustryCode/Value", CRM_OPTION_SET_VALUE, INT4OID}
	};

	return CDMS_ENTITY("Account", columns);
}

/* All of these but the one that only captures/odata/03 has. */
static Bitmapset *
without_customer_size(const CrmEntity *entity)
{
	Bitmapset  *wanted = bms_add_range(NULL, 0, entity->nfields - 1);

	return bms_del_member(wanted, cdms_index(entity, "CustomerSizeCode/Value"));
}

static void
test_odata_01(void)
{
	char	   *capture;
	CrmEntity  *entity = contact_of_account();
	CrmPage    *page;
	char	   *body;

	CAPTURE(capture, "odata/01_query_accountset_json.http");
	cdms_set("TimeZone", "UTC");
	body = cdms_json_part(capture, 0);
	page = crm_format_json.read_page(body, strlen(body), entity, without_customer_size(entity),
									 &next);

	CHECK_INT(page->nobjects, 2);
	CHECK_STR(next, NULL);
	CHECK_STR(cdms_value(entity, &page->objects[0], "PrimaryContactId/Id"),
			  "dff27d1f-a61b-4bfe-a203-b2e5a36cda0e");
	CHECK_STR(cdms_value(entity, &page->objects[0], "PrimaryContactId/Name"), "Sam Smith");
	CHECK_STR(cdms_value(entity, &page->objects[0], "OwnershipCode/Value"), "2");
	CHECK_STR(cdms_value(entity, &page->objects[0], "OpenDeals_Date"), "2022-09-20 23:14:51+00");
	CHECK_STR(cdms_value(entity, &page->objects[0], "NumberOfEmployees"), "500");
	CHECK_STR(cdms_value(entity, &page->objects[0], "Name"), "Contoso, Ltd. (sample)");
	CHECK_STR(cdms_value(entity, &page->objects[0], "DoNotPhone"), "f");
	CHECK_STR(cdms_value(entity, &page->objects[0], "IndustryCode/Value"), "7");
	CHECK_STR(cdms_value(entity, &page->objects[1], "PrimaryContactId/Name"), "Susie Curtis");
	CHECK_STR(cdms_value(entity, &page->objects[1], "OwnershipCode/Value"), NULL);
	CHECK_STR(cdms_value(entity, &page->objects[1], "Telephone1"), NULL);
	CHECK_STR(cdms_value(entity, &page->objects[1], "Name"), "Fourth Coffee");
}

static void
test_odata_next_links(void)
{
	char	   *capture;
	char	   *other;
	static const char root[] = "https://crm.example.org/XRMServices/2011/OrganizationData.svc";
	StringInfoData body;
	char	   *link;
	char	   *elided;

	CAPTURE(capture, "odata/02_next_link_skiptoken.txt");
	CAPTURE(other, "odata/09_skiptoken_real_crm2011_onprem.txt");
	initStringInfo(&body);
	appendStringInfo(&body, "{\"d\":{\"results\":[],%s}}", capture);
	crm_format_json.read_page(body.data, body.len, contact_of_account(), NULL, &next);

	elided = strstr(next, "[Organization URI]");
	link = psprintf("https://crm.example.org%s", elided + strlen("[Organization URI]"));
	CHECK_STR(crm_url_resolve(root, link),
			  psprintf("%s/AccountSet?$select=OwnershipCode,PrimaryContactId,OpenDeals_Date,"
					   "Telephone1,NumberOfEmployees,Name,AccountNumber,DoNotPhone,IndustryCode"
					   "&$filter=PrimaryContactId/Id%%20ne%%20null"
					   "&$skiptoken=1,'accountid','%%7B22153355-851D-ED11-B83E-000D3A572421%%7D',"
					   "'%%7B7A4814F9-B0B8-EA11-A812-000D3A122B89%%7D'", root));

	other[strcspn(other, "\n")] = '\0';
	CHECK_STR(crm_url_resolve("http://crmdev01:5555/ContosoCRM/", other), other);
}

/* As jsonb, with the one date in the writer's way. */
static const char *
canonical_json(const char *json)
{
	static const struct
	{
		const char *local;
		const char *ours;
	}			dates[] = {
		{"12/25/2022", "/Date(1671926400000)/"},
		{"12/26/2022", "/Date(1672012800000)/"}
	};
	StringInfoData copy;
	Datum		jsonb;

	initStringInfo(&copy);
	for (int i = 0; i < lengthof(dates); i++)
	{
		const char *found = strstr(json, dates[i].local);

		if (found)
			json = psprintf("%.*s%s%s", (int) (found - json), json, dates[i].ours,
							found + strlen(dates[i].local));
	}
	jsonb = DirectFunctionCall1(jsonb_in, CStringGetDatum(json));
	return JsonbToCString(&copy, &DatumGetJsonbP(jsonb)->root, 0);
}

typedef struct Assigned
{
	const char *path;
	const char *value;
} Assigned;

static char *
written(const CrmFormatMethods *format, CrmEntity *entity, const Assigned *assigned, int n)
{
	List	   *assignments = NIL;
	StringInfoData out;

	for (int i = 0; i < n; i++)
		assignments = lappend(assignments,
							  cdms_assign(&entity->fields[cdms_index(entity, assigned[i].path)],
										  assigned[i].value));
	initStringInfo(&out);
	format->write_object(&out, entity, assignments);
	return out.data;
}

#define WRITTEN(format, entity, assigned) \
	written((format), (entity), (assigned), lengthof(assigned))

static void
test_odata_03(void)
{
	char	   *capture;
	static const Assigned assigned[] = {
		{"OwnershipCode/Value", "2"},
		{"PrimaryContactId/Id", "dff27d1f-a61b-4bfe-a203-b2e5a36cda0e"},
		{"OpenDeals_Date", "2022-12-25 00:00:00Z"},
		{"CustomerSizeCode/Value", "1"},
		{"Telephone1", "555-1234"},
		{"NumberOfEmployees", "500"},
		{"Name", "Contoso, Ltd. (sample)"},
		{"AccountNumber", "12225"},
		{"DoNotPhone", "t"},
		{"IndustryCode/Value", "7"}
	};
	static const CdmsColumn key[] = {{"AccountId", CRM_GUID, UUIDOID}};
	CrmEntity  *entity = contact_of_account();
	CrmEntity  *keyed = CDMS_ENTITY("Account", key);
	char	   *answer;

	CAPTURE(capture, "odata/03_create_account_json.http");
	entity->fields[0].target = "contact";
	CHECK_STR(canonical_json(WRITTEN(&crm_format_json, entity, assigned)),
			  canonical_json(cdms_json_part(capture, 0)));

	answer = cdms_json_part(capture, 1);
	CHECK_STR(cdms_value(keyed, crm_format_json.read_object(answer, strlen(answer), keyed),
						 "AccountId"), "57d4d1af-7b38-ed11-9db0-002248296d7e");
}

static void
test_odata_04(void)
{
	char	   *capture;
	CrmEntity  *entity = contact_of_account();
	CrmObject  *object;
	char	   *body;

	CAPTURE(capture, "odata/04_retrieve_account_json.http");
	cdms_set("TimeZone", "UTC");
	body = cdms_json_part(capture, 0);
	CHECK_ERROR("HV000", crm_format_json.read_object(body, strlen(body), entity));
	CHECK_STR(unit_error->message, "CDMS left out property \"CustomerSizeCode/Value\"");

	entity->fields[cdms_index(entity, "CustomerSizeCode/Value")] =
		entity->fields[cdms_index(entity, "IndustryCode/Value")];
	object = crm_format_json.read_object(body, strlen(body), entity);
	CHECK_STR(cdms_value(entity, object, "OpenDeals_Date"), "2022-09-21 18:14:58+00");
	CHECK_STR(cdms_value(entity, object, "AccountNumber"), "12227");
	CHECK_STR(cdms_value(entity, object, "DoNotPhone"), "t");
	CHECK_STR(cdms_value(entity, object, "IndustryCode/Value"), "7");
}

static void
test_odata_05(void)
{
	char	   *capture;
	static const Assigned assigned[] = {
		{"OwnershipCode/Value", "3"},
		{"PrimaryContactId/Id", "6db0be2e-d01c-ed11-b83e-000d3a572421"},
		{"OpenDeals_Date", "2022-12-26 00:00:00Z"},
		{"Telephone1", "555-1235"},
		{"NumberOfEmployees", "501"},
		{"Name", "Contoso, Ltd."},
		{"AccountNumber", "12228"},
		{"DoNotPhone", "f"},
		{"IndustryCode/Value", "6"}
	};

	CAPTURE(capture, "odata/05_merge_account_json.http");
	CHECK_STR(canonical_json(WRITTEN(&crm_format_json, contact_of_account(), assigned)),
			  canonical_json(cdms_json_part(capture, 0)));
}

static void
test_odata_07(void)
{
	char	   *capture;
	static const CdmsColumn columns[] = {{"EntityMapId", CRM_GUID, UUIDOID}};
	CrmEntity  *entity = CDMS_ENTITY("EntityMap", columns);
	CrmPage    *page;

	CAPTURE(capture, "odata/07_entitymapset_feed_atom.xml");
	page = crm_format_atom.read_page(capture, strlen(capture), entity, NULL, &next);
	CHECK_INT(page->nobjects, 1);
	CHECK_STR(cdms_value(entity, &page->objects[0], "EntityMapId"),
			  "6825c078-5459-e811-a84a-000d3ab6b1ed");
	CHECK_STR(next, NULL);
}

static void
test_odata_08(void)
{
	char	   *capture;
	static const Assigned assigned[] = {{"Name", "Sample Account"}};
	static const CdmsColumn key[] = {{"AccountId", CRM_GUID, UUIDOID}};
	CrmEntity  *keyed = CDMS_ENTITY("Account", key);
	char	   *answer;

	CAPTURE(capture, "odata/08_create_account_json_2010_fiddler.http");
	CHECK_STR(WRITTEN(&crm_format_json, contact_of_account(), assigned),
			  cdms_json_part(capture, 0));
	answer = cdms_json_part(capture, 1);
	CHECK_ERROR("HV000", crm_format_json.read_object(answer, strlen(answer), keyed));
	CHECK_STR(unit_error->message, "CDMS left out property \"AccountId\"");
}

/* The words of each message come through, in whichever document. */
static void
test_odata_10(void)
{
	char	   *capture;
	char	   *line;
	char	   *rest;
	int			nlines = 0;

	CAPTURE(capture, "odata/10_observed_error_messages.txt");
	for (line = strtok_r(capture, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
	{
		StringInfoData json;
		const CrmFault *fault;

		initStringInfo(&json);
		appendStringInfoString(&json, "{\"error\":{\"code\":\"\",\"message\":{\"value\":");
		escape_json(&json, line);
		appendStringInfoString(&json, "}}}");
		fault = crm_fault_read(cdms_response(500, "application/json", json.data), NIL);
		CHECK(strncmp(fault->words, line, 40) == 0);
		CHECK_INT(fault->code, line[0] == '[' ? -2147220715 : 0);
		nlines++;
	}
	CHECK_INT(nlines, 8);
}

/* ------------------------------------------------------------- wcf, in Atom */

static CrmPage *
feed_of(const char *capture, const CrmEntity *entity)
{
	char	   *body = cdms_section(capture, "response body");

	return crm_format_atom.read_page(body, strlen(body), entity, NULL, &next);
}

/* The properties of the first account of the model, which most captures have. */
static void
check_account_0(const CrmEntity *entity, const CrmObject *object)
{
	static const Assigned want[] = {
		{"AccountId", "5784bd00-f501-e011-a492-00155d000000"},
		{"Name", "Account 0000"},
		{"AccountNumber", NULL},
		{"Telephone1", "555-0100"},
		{"EMailAddress1", NULL},
		{"WebSiteURL", "http://example.com/?a=0&b=1"},
		{"Address1_City", "Seattle"},
		{"Address1_Country", "US"},
		{"Address1_Latitude", NULL},
		{"NumberOfEmployees", NULL},
		{"CreditOnHold", "f"},
		{"DoNotPhone", "t"},
		{"ExchangeRate", "1.0000000000"},
		{"Description", "line1\nline2 <b>&amp;</b> \"q\" 'a' 0"},
		{"Revenue/Value", NULL},
		{"IndustryCode/Value", NULL},
		{"StateCode/Value", "1"},
		{"StatusCode/Value", "2"},
		{"PrimaryContactId/Id", NULL},
		{"PrimaryContactId/Name", NULL},
		{"ParentAccountId/Id", NULL},
		{"OwnerId/Id", OWNER},
		{"OwnerId/LogicalName", "systemuser"},
		{"OwnerId/Name", "First name Last name"},
		{"LastUsedInCampaign", NULL},
		{"CreatedOn", "2011-02-16 08:00:00+00"},
		{"ModifiedOn", "2011-02-16 08:00:00+00"},
		{"VersionNumber", "1000002"}
	};

	cdms_set("TimeZone", "UTC");
	for (int i = 0; i < lengthof(want); i++)
		CHECK_STR(cdms_value(entity, object, want[i].path), want[i].value);
}

static void
test_wcf_01(void)
{
	char	   *capture;
	char	   *body;

	CAPTURE(capture, "wcf/01-service-document.txt");
	body = cdms_section(capture, "response body");
	CHECK_ERROR("HV000", feed_of(capture, cdms_account()));
	CHECK_ERROR("HV000", crm_metadata_read(body, strlen(body)));
}

static const char *
names_of(const CrmEntityDef *entity)
{
	StringInfoData names;
	ListCell   *cell;

	initStringInfo(&names);
	foreach(cell, entity->properties)
	{
		const CrmPropertyDef *property = lfirst(cell);
		const char *type = crm_type_name(property->type);

		appendStringInfo(&names, "%s:%s%s ", property->name,
						 strncmp(type, "Edm.", 4) == 0 ? type + 4 : type,
						 property->nullable ? "" : "!");
	}
	return names.data;
}

static void
test_wcf_02(void)
{
	char	   *capture;
	List	   *entities;
	const CrmEntityDef *account;
	const CrmEntityDef *contact;
	char	   *body;

	CAPTURE(capture, "wcf/02-metadata.txt");
	body = cdms_section(capture, "response body");
	entities = crm_metadata_read(body, strlen(body));
	CHECK_INT(list_length(entities), 2);

	account = linitial(entities);
	CHECK_STR(account->name, "Account");
	CHECK_STR(account->set, "AccountSet");
	CHECK_STR(account->key, "AccountId");
	CHECK_STR(names_of(account),
			  "AccountId:Guid! Name:String AccountNumber:String Telephone1:String "
			  "EMailAddress1:String WebSiteURL:String Address1_City:String Address1_Country:String "
			  "Address1_Latitude:Double NumberOfEmployees:Int32 CreditOnHold:Boolean "
			  "DoNotPhone:Boolean ExchangeRate:Decimal Description:String Revenue:Money "
			  "IndustryCode:OptionSetValue StateCode:OptionSetValue StatusCode:OptionSetValue "
			  "PrimaryContactId:EntityReference ParentAccountId:EntityReference "
			  "OwnerId:EntityReference LastUsedInCampaign:DateTime CreatedOn:DateTime "
			  "ModifiedOn:DateTime VersionNumber:Int64 ");

	contact = lsecond(entities);
	CHECK_STR(contact->set, "ContactSet");
	CHECK_STR(contact->key, "ContactId");
	CHECK_STR(names_of(contact),
			  "ContactId:Guid! FirstName:String LastName:String FullName:String "
			  "EMailAddress1:String Telephone1:String JobTitle:String Address1_City:String "
			  "BirthDate:DateTime NumberOfChildren:Int32 DoNotEMail:Boolean CreditLimit:Money "
			  "GenderCode:OptionSetValue StateCode:OptionSetValue StatusCode:OptionSetValue "
			  "ParentCustomerId:EntityReference OwnerId:EntityReference CreatedOn:DateTime "
			  "ModifiedOn:DateTime VersionNumber:Int64 ");
}

/* The page without what was cut from it: whole entries before and after. */
static char *
join_cut_page(char *body)
{
	char	   *mark = strstr(body, "\n[... ");
	char	   *resumed = strstr(mark, "<entry>");

	*mark = '\0';
	for (char *entry = strstr(body, "<entry>"); entry; entry = strstr(entry + 1, "<entry>"))
		mark = entry;
	return psprintf("%.*s%s", (int) (mark - body), body, resumed);
}

static void
test_wcf_03(void)
{
	char	   *capture;
	CrmEntity  *entity = cdms_account();
	CrmPage    *page;
	char	   *body;

	CAPTURE(capture, "wcf/03-list-page1.cut.txt");
	CHECK_ERROR("2200M", feed_of(capture, entity));

	body = join_cut_page(cdms_section(capture, "response body"));
	page = crm_format_atom.read_page(body, strlen(body), entity, NULL, &next);
	CHECK_INT(page->nobjects, 3);
	check_account_0(entity, &page->objects[0]);
	CHECK_STR(cdms_value(entity, &page->objects[1], "Address1_City"), "Z\xC3\xBCrich");
	CHECK_STR(cdms_value(entity, &page->objects[1], "Address1_Latitude"), "-89.9");
	CHECK_STR(cdms_value(entity, &page->objects[1], "Revenue/Value"), "12345.6789");
	CHECK_STR(cdms_value(entity, &page->objects[1], "PrimaryContactId/Name"), "First1 Last1");
	CHECK_STR(cdms_value(entity, &page->objects[2], "Name"), "Account 0049");
	CHECK_STR(cdms_value(entity, &page->objects[2], "VersionNumber"), "1000100");
	CHECK_STR(next, "http://127.0.0.1:8180/Contoso/XRMServices/2011/OrganizationData.svc/"
			  "AccountSet?$skiptoken=guid'578aa8bf-f501-e011-a492-00155d4e4dc9'");
}

static void
test_wcf_filters(void)
{
	char	   *by_key;
	char	   *by_owner;
	char	   *by_revenue;
	CrmEntity  *entity = cdms_account();
	CrmPage    *page;

	CAPTURE(by_key, "wcf/09-filter-guid-key.txt");
	CAPTURE(by_owner, "wcf/11-filter-complex-entityref.txt");
	CAPTURE(by_revenue, "wcf/12-filter-complex-money.txt");

	page = feed_of(by_key, entity);
	CHECK_INT(page->nobjects, 1);
	check_account_0(entity, &page->objects[0]);

	page = feed_of(by_owner, entity);
	CHECK_INT(page->nobjects, 2);
	check_account_0(entity, &page->objects[0]);
	CHECK_STR(cdms_value(entity, &page->objects[1], "Name"), "Account 0001");
	CHECK_STR(next, NULL);

	page = feed_of(by_revenue, entity);
	CHECK_INT(page->nobjects, 2);
	CHECK_STR(cdms_value(entity, &page->objects[0], "Revenue/Value"), "2456790.1011");
	CHECK_STR(cdms_value(entity, &page->objects[1], "Revenue/Value"), "2444444.4222");
	CHECK_STR(cdms_value(entity, &page->objects[1], "AccountId"),
			  "579ca9da-f501-e011-a492-00155d3c6956");
}

/* It asked for names and states only: objects without keys are none. */
static void
test_wcf_10(void)
{
	char	   *capture;

	CAPTURE(capture, "wcf/10-filter-complex-optionset.txt");
	CHECK_ERROR("HV000", feed_of(capture, cdms_small_entity()));
}

static void
test_wcf_25(void)
{
	char	   *capture;
	CrmEntity  *entity = cdms_account();
	CrmPage    *page;

	CAPTURE(capture, "wcf/25-expand.txt");
	page = feed_of(capture, entity);
	CHECK_INT(page->nobjects, 1);
	CHECK_STR(cdms_value(entity, &page->objects[0], "AccountId"),
			  "5784dbef-f501-e011-a492-00155d019919");
	CHECK_STR(cdms_value(entity, &page->objects[0], "Telephone1"), "555-0101");
	CHECK_STR(next, NULL);
}

static void
test_wcf_errors(void)
{
	static const struct
	{
		const char *file;
		int			status;
		int32		code;
		const char *words;
	}			faults[] = {
		{"wcf/28-err-not-found.txt", 404, CRM_CODE_DOES_NOT_EXIST,
		"account With Id = 00000000-0000-0000-0000-000000000001 Does Not Exist"},
		{"wcf/29-err-bad-set.txt", 404, 0, "Resource not found for the segment 'NoSuchSet'."},
		{"wcf/30-err-bad-filter.txt", 400, 0, "Could not find a property named 'Nope' on type "
		"'Microsoft.Crm.Sdk.Data.Services.Account'."},
		{"wcf/31-err-syntax.txt", 400, 0, "Expression expected at position 7 in 'Name eq'."},
		{"wcf/33-create-duplicate.txt", 500, CRM_CODE_DUPLICATE_KEY,
		"Cannot insert duplicate key."},
		{"wcf/42-err-dangling-ref.txt", 404, CRM_CODE_DOES_NOT_EXIST,
		"contact With Id = 00000000-0000-0000-0000-00000000dead Does Not Exist"},
		{"wcf/43-err-bad-value.txt", 400, 0, "An error occurred while processing this request."}
	};

	for (int i = 0; i < lengthof(faults); i++)
	{
		char	   *capture;
		const CrmFault *fault;

		CAPTURE(capture, faults[i].file);
		CHECK(strstr(capture, psprintf("< HTTP/1.1 %d ", faults[i].status)) != NULL);
		fault = crm_fault_read(cdms_response(faults[i].status, "application/xml",
											 cdms_section(capture, "response body")), NIL);
		CHECK_INT(fault->code, faults[i].code);
		CHECK_STR(fault->words, faults[i].words);
	}
}

/*
 * An Atom body without line feeds between tags, and without the moment that the
 * service ignores.
 */
static char *
canonical_atom(const char *atom)
{
	StringInfoData out;
	const char *from;

	initStringInfo(&out);
	for (const char *c = atom; *c; c++)
	{
		if (*c != '\n')
			appendStringInfoChar(&out, *c);
	}
	from = strstr(out.data, "<updated>");
	return psprintf("%.*s%s", (int) (from - out.data), out.data, strstr(from, "</updated>"));
}

static void
check_written(const char *file, const Assigned *assigned, int n)
{
	char	   *capture;
	CrmEntity  *entity = cdms_account();

	CAPTURE(capture, file);
	entity->fields[cdms_index(entity, "PrimaryContactId/Id")].target = "contact";
	CHECK_STR(canonical_atom(written(&crm_format_atom, entity, assigned, n)),
			  canonical_atom(cdms_section(capture, "request body")));
}

#define CHECK_WRITTEN(file, assigned) check_written((file), (assigned), lengthof(assigned))

static void
test_wcf_written(void)
{
	static const Assigned create[] = {
		{"AccountId", CREATED},
		{"Name", "Cr\xC3\xA9\xC3\xA9 & <new>"},
		{"NumberOfEmployees", "12"},
		{"CreditOnHold", "t"},
		{"Revenue/Value", "99.5"},
		{"IndustryCode/Value", "7"},
		{"PrimaryContactId/Id", "5784bd00-f502-e011-a492-00155d000000"}
	};
	static const Assigned moment[] = {{"LastUsedInCampaign", "2012-03-04 05:06:07Z"}};
	static const Assigned null[] = {
		{"Telephone1", "555-9999"},
		{"StateCode/Value", "1"},
		{"AccountNumber", NULL}
	};
	static const Assigned reference[] = {
		{"PrimaryContactId/Id", "00000000-0000-0000-0000-00000000dead"}
	};

	CHECK_WRITTEN("wcf/32-create.txt", create);
	CHECK_WRITTEN("wcf/33-create-duplicate.txt", create);
	CHECK_WRITTEN("wcf/34-merge-datetime-with-Z.txt", moment);
	CHECK_WRITTEN("wcf/38-merge-tunnel-xhttpmethod.txt", null);
	CHECK_WRITTEN("wcf/42-err-dangling-ref.txt", reference);
}

/* CDMS would be sent no "notanumber": captures/wcf/43's request can't be made. */
static void
test_wcf_43(void)
{
	CrmField   *field = cdms_field("NumberOfEmployees", CRM_INT32, TEXTOID);
	StringInfoData out;

	initStringInfo(&out);
	CHECK_ERROR("22P02", crm_value_write_atom(&out, cdms_assign(field, "notanumber")));
}

static void
check_created(const char *capture, const char *telephone, const char *campaign)
{
	CrmEntity  *entity = cdms_account();
	char	   *body = cdms_section(capture, "response body");
	CrmObject  *object = crm_format_atom.read_object(body, strlen(body), entity);

	cdms_set("TimeZone", "UTC");
	CHECK_STR(cdms_value(entity, object, "AccountId"), CREATED);
	CHECK_STR(cdms_value(entity, object, "Name"), "Cr\xC3\xA9\xC3\xA9 & <new>");
	CHECK_STR(cdms_value(entity, object, "Telephone1"), telephone);
	CHECK_STR(cdms_value(entity, object, "LastUsedInCampaign"), campaign);
	CHECK_STR(cdms_value(entity, object, "Revenue/Value"), "99.5");
	CHECK_STR(cdms_value(entity, object, "PrimaryContactId/Name"), "First0 Last0");
	CHECK_STR(cdms_value(entity, object, "CreatedOn"), "2026-11-22 10:20:43+00");
	CHECK_STR(cdms_value(entity, object, "DoNotPhone"), NULL);
}

static void
test_wcf_objects(void)
{
	char	   *created;
	char	   *merged;

	CAPTURE(created, "wcf/32-create.txt");
	CAPTURE(merged, "wcf/37-get-after-merge.txt");

	check_created(created, NULL, NULL);
	check_created(merged, "555-9999", "2012-03-04 05:06:07+00");
}

/* Writes that answer with nothing. */
static void
test_wcf_no_content(void)
{
	static const char *const files[] = {
		"wcf/34-merge-datetime-with-Z.txt", "wcf/38-merge-tunnel-xhttpmethod.txt",
		"wcf/44-delete.txt"
	};

	for (int i = 0; i < lengthof(files); i++)
	{
		char	   *capture;

		CAPTURE(capture, files[i]);
		CHECK(strstr(capture, "< HTTP/1.1 204 No Content") != NULL);
		CHECK_INT(crm_body_kind(cdms_response(204, "", cdms_section(capture, "response body"))),
				  CRM_BODY_EMPTY);
	}
}

static void
test_wcf_51(void)
{
	char	   *capture;
	CrmEntity  *entity = cdms_account();
	CrmPage    *page;
	char	   *body;

	CAPTURE(capture, "wcf/51-json.txt");
	body = cdms_section(capture, "response body");
	page = crm_format_json.read_page(body, strlen(body), entity, NULL, &next);
	CHECK_INT(page->nobjects, 1);
	check_account_0(entity, &page->objects[0]);
	CHECK_STR(next, NULL);
}

/* -------------------------------------------------- documents of a $batch */

/* The nth XML document of a multipart body. */
static char *
document_of(const char *body, int n)
{
	const char *from = body;
	const char *to;

	for (from = strstr(body, "<?xml"); n > 0 && from; n--)
		from = strstr(from + 1, "<?xml");
	CHECK(from != NULL);
	to = strstr(from, "\n--");
	return pnstrdup(from, to - from);
}

static void
test_wcf_batches(void)
{
	char	   *creates;
	char	   *changes;
	char	   *failure;
	static const CdmsColumn columns[] = {
		{"AccountId", CRM_GUID, UUIDOID}, {"Name", CRM_STRING, TEXTOID}
	};
	CrmEntity  *entity = CDMS_ENTITY("Account", columns);
	CrmObject  *object;
	const CrmFault *fault;
	char	   *document;

	CAPTURE(creates, "wcf/46-batch-create-2-and-get.txt");
	CAPTURE(changes, "wcf/47-batch-merge-delete-and-get.txt");
	CAPTURE(failure, "wcf/48-batch-fail-rollback.txt");

	document = document_of(cdms_section(creates, "response body"), 0);
	object = crm_format_atom.read_object(document, strlen(document), entity);
	CHECK_STR(cdms_value(entity, object, "AccountId"), "aaaaaaaa-0000-0000-0000-846358811496");
	document = document_of(cdms_section(creates, "response body"), 1);
	object = crm_format_atom.read_object(document, strlen(document), entity);
	CHECK_STR(cdms_value(entity, object, "Name"), "Batch two");

	document = document_of(cdms_section(failure, "response body"), 0);
	fault = crm_fault_read(cdms_response(404, "", document), NIL);
	CHECK_INT(fault->code, CRM_CODE_DOES_NOT_EXIST);
	CHECK_STR(fault->words,
			  "account With Id = 00000000-0000-0000-0000-00000000dead Does Not Exist");

	document = document_of(cdms_section(changes, "response body"), 0);
	CHECK_ERROR("HV000", crm_format_atom.read_page(document, strlen(document), entity, NULL,
												   &next));
	CHECK_STR(unit_error->message, "CDMS left out property \"AccountId\"");
}

/* ------------------------------------------------------------- login pages */

static void
test_adfs(void)
{
	static const struct
	{
		const char *file;
		CrmBodyKind kind;
		const char *words;
	}			pages[] = {
		{"adfs/tests_rest_responses_login_form.html", CRM_BODY_LOGIN,
		"Sign In Sign In adfs.example.com Type your user name and password."},
		{"adfs/tests_rest_responses_auth_form.html", CRM_BODY_LOGIN, "Working..."},
		{"adfs/tests_rest_responses_successful_login.html", CRM_BODY_HTML, "Microsoft Dynamics CRM"}
	};

	for (int i = 0; i < lengthof(pages); i++)
	{
		char	   *capture;
		CrmHttpResponse *response;
		const char *words;

		CAPTURE(capture, pages[i].file);
		response = cdms_response(200, "text/html", capture);
		CHECK_INT(crm_body_kind(response), pages[i].kind);
		words = crm_fault_read(response, NIL)->words;
		CHECK(strncmp(words, pages[i].words, strlen(pages[i].words)) == 0);
		CHECK(strlen(words) <= 200);
	}
}

static const UnitTest tests[] = {
	{"odata/01: a page of two accounts", test_odata_01},
	{"odata/02 and 09: next links", test_odata_next_links},
	{"odata/03: a create and its answer", test_odata_03},
	{"odata/04: one account", test_odata_04},
	{"odata/05: a MERGE", test_odata_05},
	{"odata/07: an Atom feed", test_odata_07},
	{"odata/08: a create of 2010", test_odata_08},
	{"odata/10: error messages", test_odata_10},
	{"wcf/01: the service document is neither page nor metadata", test_wcf_01},
	{"wcf/02: $metadata", test_wcf_02},
	{"wcf/03: a long page", test_wcf_03},
	{"wcf/09, 11, 12: filtered pages", test_wcf_filters},
	{"wcf/10: a page without keys", test_wcf_10},
	{"wcf/25: an expanded page", test_wcf_25},
	{"wcf/28 to 33, 42, 43: error documents", test_wcf_errors},
	{"wcf/32 to 42: bodies as they were sent", test_wcf_written},
	{"wcf/43: a body that can't be made", test_wcf_43},
	{"wcf/32 and 37: objects", test_wcf_objects},
	{"wcf/34, 38, 44: nothing to read", test_wcf_no_content},
	{"wcf/46 to 48: documents inside a batch", test_wcf_batches},
	{"wcf/51: a page in JSON", test_wcf_51},
	{"adfs: login pages are recognised", test_adfs}
};

UNIT_SUITE("cdms_captures", tests)
