/*
 * test/unit/cdms_type.c
 *	  Types of CDMS and the columns that can hold them.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "parser/parse_type.h"

#include "cdms_fixture.h"
#include "unit.h"

static void
test_names(void)
{
	for (int i = 0; i < CRM_TYPE_COUNT; i++)
	{
		CrmType		type = CRM_TYPE_COUNT;

		CHECK(crm_type_by_name(crm_type_name((CrmType) i), &type));
		CHECK_INT(type, i);
	}
}

static void
test_other_names(void)
{
	static const struct
	{
		const char *name;
		CrmType		type;
	}			names[] = {
		{"Guid", CRM_GUID},
		{"edm.guid", CRM_GUID},
		{"Microsoft.Crm.Sdk.Data.Services.Money", CRM_MONEY},
		{"entityreference", CRM_ENTITY_REFERENCE}
	};
	CrmType		type;

	for (int i = 0; i < lengthof(names); i++)
	{
		CHECK(crm_type_by_name(names[i].name, &type));
		CHECK_INT(type, names[i].type);
	}
	CHECK(!crm_type_by_name("Edm.Stream", &type));
	CHECK(!crm_type_by_name("Edm.", &type));
	CHECK(!crm_type_by_name("", &type));
	CHECK(!crm_type_by_name("Other.Money", &type));
}

static void
test_members(void)
{
	CHECK_STR(crm_type_member(CRM_ENTITY_REFERENCE), "Id");
	CHECK_STR(crm_type_member(CRM_MONEY), "Value");
	CHECK_STR(crm_type_member(CRM_OPTION_SET_VALUE), "Value");
	CHECK_STR(crm_type_member(CRM_MANAGED_BOOLEAN), "Value");
	CHECK_STR(crm_type_member(CRM_STRING), NULL);
}

/* IMPORT's choice of a column can hold the property it is made for. */
static void
test_sql_types(void)
{
	for (int i = 0; i < CRM_TYPE_COUNT; i++)
	{
		Oid			type;
		int32		typmod;

		parseTypeString(crm_type_sql((CrmType) i), &type, &typmod, false);
		CHECK(cdms_field("P", (CrmType) i, type)->bound);
	}
}

static void
test_natural_types(void)
{
	static const struct
	{
		Oid			column;
		CrmType		type;
	}			naturals[] = {
		{TEXTOID, CRM_STRING}, {VARCHAROID, CRM_STRING}, {BPCHAROID, CRM_STRING},
		{UUIDOID, CRM_GUID}, {BOOLOID, CRM_BOOLEAN}, {INT2OID, CRM_INT16},
		{INT4OID, CRM_INT32}, {INT8OID, CRM_INT64}, {NUMERICOID, CRM_DECIMAL},
		{FLOAT4OID, CRM_DOUBLE}, {FLOAT8OID, CRM_DOUBLE}, {TIMESTAMPTZOID, CRM_DATETIME},
		{TIMESTAMPOID, CRM_DATETIME}, {DATEOID, CRM_DATETIME}, {BYTEAOID, CRM_BINARY}
	};

	for (int i = 0; i < lengthof(naturals); i++)
		CHECK_INT(crm_type_for_column(naturals[i].column, "c"), naturals[i].type);
	CHECK_ERROR("HV004", crm_type_for_column(POINTOID, "c"));
	CHECK_ERROR("HV004", crm_type_for_column(NAMEOID, "c"));
}

static void
test_holders(void)
{
	/* text holds whatever has a text */
	for (int i = 0; i < CRM_TYPE_COUNT; i++)
		CHECK(cdms_field("P", (CrmType) i, TEXTOID)->bound);

	/* wider is fine, narrower is not */
	CHECK(cdms_field("P", CRM_INT16, INT8OID)->bound);
	CHECK(cdms_field("P", CRM_INT32, INT8OID)->bound);
	CHECK_ERROR("HV004", cdms_field("P", CRM_INT32, INT2OID));
	CHECK_ERROR("HV004", cdms_field("P", CRM_INT64, INT4OID));
	CHECK_ERROR("HV004", cdms_field("P", CRM_DECIMAL, FLOAT8OID));
	CHECK_ERROR("HV004", cdms_field("P", CRM_GUID, BPCHAROID));
	CHECK_ERROR("HV004", cdms_field("P", CRM_STRING, NAMEOID));
	CHECK_ERROR("HV004", cdms_field("P", CRM_STRING, XMLOID));
	CHECK_ERROR("HV004", cdms_field("P", CRM_STRING, UUIDOID));
	CHECK_ERROR("HV004", cdms_field("P", CRM_DATETIME, TIMEOID));
}

static void
test_member_types(void)
{
	CHECK_INT(cdms_field("P/Id", CRM_ENTITY_REFERENCE, UUIDOID)->scalar, CRM_GUID);
	CHECK_INT(cdms_field("P/Name", CRM_ENTITY_REFERENCE, TEXTOID)->scalar, CRM_STRING);
	CHECK_INT(cdms_field("P/CanBeChanged", CRM_MANAGED_BOOLEAN, BOOLOID)->scalar, CRM_BOOLEAN);
	CHECK_INT(cdms_field("P/Latitude", CRM_DOUBLE, FLOAT8OID)->scalar, CRM_DOUBLE);
	CHECK_STR(cdms_field("P", CRM_MONEY, NUMERICOID)->member, "Value");
	CHECK_STR(cdms_field("P", CRM_STRING, TEXTOID)->member, NULL);
	CHECK_ERROR("HV007", cdms_field("P/Nmae", CRM_ENTITY_REFERENCE, TEXTOID));
	CHECK_ERROR("HV004", cdms_field("P/Name", CRM_ENTITY_REFERENCE, UUIDOID));
}

static void
run_sql(const char *sql)
{
	SPI_connect();
	CHECK(SPI_execute(sql, false, 0) >= 0);
	SPI_finish();
}

static void
test_domains(void)
{
	Oid			domain;
	int32		typmod;
	CrmField   *field;

	run_sql("CREATE DOMAIN pg_temp.headcount AS int CHECK (VALUE >= 0)");
	parseTypeString("pg_temp.headcount", &domain, &typmod, false);
	CHECK_INT(crm_type_for_column(domain, "c"), CRM_INT32);

	field = cdms_field("NumberOfEmployees", CRM_INT32, domain);
	CHECK_INT(field->basetype, INT4OID);
	CHECK_INT(DatumGetInt32(crm_value_read(field, "7")), 7);
	CHECK_ERROR("23514", crm_value_read(field, "-7"));
	CHECK(strstr(unit_error->context, "property \"NumberOfEmployees\" of CDMS") != NULL);
	crm_value_read_null(field);
}

static void
test_domain_not_null(void)
{
	Oid			domain;
	int32		typmod;

	run_sql("CREATE DOMAIN pg_temp.title AS varchar(5) NOT NULL");
	parseTypeString("pg_temp.title", &domain, &typmod, false);
	CHECK_ERROR("23502", crm_value_read_null(cdms_field("Name", CRM_STRING, domain)));
	CHECK_ERROR("22001", crm_value_read(cdms_field("Name", CRM_STRING, domain), "123456"));
	crm_value_read_null(cdms_field("Name", CRM_STRING, TEXTOID));
}

static const UnitTest tests[] = {
	{"each name leads back to its type", test_names},
	{"short, qualified and oddly cased names are understood", test_other_names},
	{"one member stands for a complex type", test_members},
	{"the column that IMPORT makes holds its property", test_sql_types},
	{"a column's own type tells its property's", test_natural_types},
	{"a column may be wider than its property, not narrower", test_holders},
	{"a member has a type of its own", test_member_types},
	{"domains are held to their constraints", test_domains},
	{"domains may refuse null and length", test_domain_not_null}
};

UNIT_SUITE("cdms_type", tests)
