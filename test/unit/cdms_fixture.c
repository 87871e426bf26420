/*
 * test/unit/cdms_fixture.c
 *	  What the tests of cdms/ share.
 */
#include "postgres.h"

#include <sys/stat.h>

#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "cdms_fixture.h"
#include "unit.h"

static void
fill_field(CrmField *field, const CdmsColumn *column)
{
	char	   *slash;

	memset(field, 0, sizeof(CrmField));
	field->property = pstrdup(column->path);
	slash = strchr(field->property, '/');
	if (slash)
	{
		*slash = '\0';
		field->member = slash + 1;
	}
	field->type = column->type;
	field->writable = true;
	field->pgtype = column->pgtype;
	field->pgtypmod = -1;
	crm_field_bind(field, CurrentMemoryContext);
}

CrmField *
cdms_field(const char *path, CrmType type, Oid pgtype)
{
	CrmField   *field = palloc(sizeof(CrmField));
	CdmsColumn	column = {path, type, pgtype};

	fill_field(field, &column);
	return field;
}

CrmEntity *
cdms_entity(const char *name, const CdmsColumn *columns, int n)
{
	CrmEntity  *entity = palloc0(sizeof(CrmEntity));

	entity->name = pstrdup(name);
	entity->set = psprintf("%sSet", name);
	entity->nfields = n;
	entity->fields = palloc(sizeof(CrmField) * n);
	for (int i = 0; i < n; i++)
		fill_field(&entity->fields[i], &columns[i]);
	return entity;
}

CrmEntity *
cdms_small_entity(void)
{
	static const CdmsColumn columns[] = {
		{"AccountId", CRM_GUID, UUIDOID},
		{"Name", CRM_STRING, TEXTOID},
		{"NumberOfEmployees", CRM_INT32, INT4OID},
		{"PrimaryContactId/Id", CRM_ENTITY_REFERENCE, UUIDOID},
		{"PrimaryContactId/Name", CRM_ENTITY_REFERENCE, TEXTOID}
	};

	return CDMS_ENTITY("Account", columns);
}

CrmEntity *
cdms_account(void)
{
	static const CdmsColumn columns[] = {
		{"AccountId", CRM_GUID, UUIDOID},
		{"Name", CRM_STRING, TEXTOID},
		{"AccountNumber", CRM_STRING, TEXTOID},
		{"Telephone1", CRM_STRING, TEXTOID},
		{"EMailAddress1", CRM_STRING, TEXTOID},
		{"WebSiteURL", CRM_STRING, TEXTOID},
		{"Address1_City", CRM_STRING, TEXTOID},
		{"Address1_Country", CRM_STRING, TEXTOID},
		{"Address1_Latitude", CRM_DOUBLE, FLOAT8OID},
		{"NumberOfEmployees", CRM_INT32, INT4OID},
		{"CreditOnHold", CRM_BOOLEAN, BOOLOID},
		{"DoNotPhone", CRM_BOOLEAN, BOOLOID},
		{"ExchangeRate", CRM_DECIMAL, NUMERICOID},
		{"Description", CRM_STRING, TEXTOID},
		{"Revenue/Value", CRM_MONEY, NUMERICOID},
		{"IndustryCode/Value", CRM_OPTION_SET_VALUE, INT4OID},
		{"StateCode/Value", CRM_OPTION_SET_VALUE, INT4OID},
		{"StatusCode/Value", CRM_OPTION_SET_VALUE, INT4OID},
		{"PrimaryContactId/Id", CRM_ENTITY_REFERENCE, UUIDOID},
		{"PrimaryContactId/Name", CRM_ENTITY_REFERENCE, TEXTOID},
		{"ParentAccountId/Id", CRM_ENTITY_REFERENCE, UUIDOID},
		{"OwnerId/Id", CRM_ENTITY_REFERENCE, UUIDOID},
		{"OwnerId/LogicalName", CRM_ENTITY_REFERENCE, TEXTOID},
		{"OwnerId/Name", CRM_ENTITY_REFERENCE, TEXTOID},
		{"LastUsedInCampaign", CRM_DATETIME, TIMESTAMPTZOID},
		{"CreatedOn", CRM_DATETIME, TIMESTAMPTZOID},
		{"ModifiedOn", CRM_DATETIME, TIMESTAMPTZOID},
		{"VersionNumber", CRM_INT64, INT8OID}
	};

	return CDMS_ENTITY("Account", columns);
}

int
cdms_index(const CrmEntity *entity, const char *path)
{
	for (int i = 0; i < entity->nfields; i++)
	{
		const CrmField *field = &entity->fields[i];
		const char *its = field->member ? psprintf("%s/%s", field->property, field->member)
			: field->property;

		if (strcmp(its, path) == 0)
			return i;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("the test's entity has no column \"%s\"", path)));
}

const char *
cdms_text(Datum value, Oid type)
{
	Oid			output;
	bool		varlena;

	getTypeOutputInfo(type, &output, &varlena);
	return OidOutputFunctionCall(output, value);
}

const char *
cdms_value(const CrmEntity *entity, const CrmObject *object, const char *path)
{
	int			i = cdms_index(entity, path);

	return object->nulls[i] ? NULL : cdms_text(object->values[i], entity->fields[i].pgtype);
}

CrmAssignment *
cdms_assign(const CrmField *field, const char *text)
{
	CrmAssignment *assignment = palloc0(sizeof(CrmAssignment));
	Oid			input;
	Oid			typioparam;

	assignment->field = field;
	assignment->isnull = text == NULL;
	if (text)
	{
		getTypeInputInfo(field->pgtype, &input, &typioparam);
		assignment->value = OidInputFunctionCall(input, pstrdup(text), typioparam,
												 field->pgtypmod);
	}
	return assignment;
}

void
cdms_set(const char *setting, const char *value)
{
	(void) set_config_option(setting, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
}

/* ----------------------------------------------------------------- captures */

static const char *
captures_directory(void)
{
	const char *setting = GetConfigOption("crm_unit.captures", true, false);

	return setting ? setting : "";
}

char *
cdms_capture(const char *file)
{
	const char *path = psprintf("%s/%s", captures_directory(), file);
	struct stat found;
	char	   *content;
	FILE	   *stream;

	if (stat(captures_directory(), &found) != 0)
	{
		unit_skip("the directory of captures is not there");
		return NULL;
	}
	stream = AllocateFile(path, "r");
	if (stream == NULL || fstat(fileno(stream), &found) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read \"%s\": %m", path)));
	content = palloc0(found.st_size + 1);
	CHECK(fread(content, 1, found.st_size, stream) == found.st_size);
	FreeFile(stream);
	return content;
}

char *
cdms_section(const char *capture, const char *title)
{
	const char *from = strstr(capture, psprintf("--- %s\n", title));
	const char *to;

	if (from == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("the capture has no section \"%s\"", title)));
	from = strchr(from, '\n') + 1;
	to = strstr(from, "\n--- ");
	return to ? pnstrdup(from, to - from) : pstrdup(from);
}

/* Blanks out a line that says what was left out, and the comma before it. */
static void
drop_elision(char *json)
{
	char	   *words = strstr(json, "emoved for brevity");
	char	   *c;

	if (words == NULL)
		return;
	for (c = words; *c && *c != '\n'; c++)
		*c = ' ';
	for (c = words - 1; *c != '\n'; c--)
		*c = ' ';
	while (isspace((unsigned char) *c))
		c--;
	if (*c == ',')
		*c = ' ';
}

char *
cdms_json_part(const char *capture, int n)
{
	const char *from = capture;
	const char *to;
	char	   *json;

	for (;;)
	{
		from = strstr(from, "\n{");
		if (from == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_NO_DATA),
					 errmsg("the capture has no JSON part %d", n)));
		from++;
		to = from[1] == '"' ? strchr(from, '\n') : strstr(from, "\n}") + 2;
		if (n-- == 0)
			break;
		from = to;
	}
	json = pnstrdup(from, to - from);
	drop_elision(json);
	return json;
}

CrmHttpResponse *
cdms_response(int status, const char *type, const char *body)
{
	CrmHttpResponse *response = palloc0(sizeof(CrmHttpResponse));

	response->status = status;
	response->content_type = pstrdup(type);
	response->body = pstrdup(body);
	response->body_length = strlen(body);
	response->retry_after = -1;
	return response;
}
