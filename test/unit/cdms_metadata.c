/*
 * test/unit/cdms_metadata.c
 *	  $metadata read into entity sets.
 */
#include "postgres.h"

#include "cdms_fixture.h"
#include "unit.h"

#define EDMX(schema) \
	"<edmx:Edmx xmlns:edmx='http://schemas.microsoft.com/ado/2007/06/edmx'><edmx:DataServices>" \
	"<Schema Namespace='N' xmlns='http://schemas.microsoft.com/ado/2006/04/edm'>" \
	schema "</Schema></edmx:DataServices></edmx:Edmx>"

#define THING(properties) \
	"<EntityType Name='Thing'><Key><PropertyRef Name='ThingId'/></Key>" \
	"<Property Name='ThingId' Type='Edm.Guid' Nullable='false'/>" properties "</EntityType>"

#define THING_SET \
	"<EntityContainer Name='C'><EntitySet Name='ThingSet' EntityType='N.Thing'/></EntityContainer>"

static List *
entities_of(const char *body)
{
	return crm_metadata_read(body, strlen(body));
}

/* "Name Edm.String, ..."; ! marks what can't be null. */
static const char *
properties_of(const CrmEntityDef *entity)
{
	StringInfoData list;
	ListCell   *cell;

	initStringInfo(&list);
	foreach(cell, entity->properties)
	{
		const CrmPropertyDef *property = lfirst(cell);

		appendStringInfo(&list, "%s%s%s%s %s%s", list.len > 0 ? ", " : "", property->name,
						 property->member ? "/" : "", property->member ? property->member : "",
						 crm_type_name(property->type), property->nullable ? "" : "!");
	}
	return list.data;
}

static void
test_entity(void)
{
	static const char body[] =
		EDMX(THING("<Property Name='A' Type='Edm.String'/>"
				   "<Property Name='B' Type='Edm.Int32' Nullable='false'/>"
				   "<NavigationProperty Name='n' Relationship='N.r'/>")
			 THING_SET);
	List	   *entities = entities_of(body);
	const CrmEntityDef *entity = linitial(entities);

	CHECK_INT(list_length(entities), 1);
	CHECK_STR(entity->name, "Thing");
	CHECK_STR(entity->set, "ThingSet");
	CHECK_STR(entity->key, "ThingId");
	CHECK_STR(properties_of(entity), "ThingId Edm.Guid!, A Edm.String, B Edm.Int32!");
}

/* The container may come first, and in a schema of its own. */
static void
test_order(void)
{
	static const char first[] = EDMX(THING_SET THING(""));
	static const char apart[] = EDMX(THING_SET "</Schema><Schema Namespace='M'>" THING(""));

	CHECK_INT(list_length(entities_of(first)), 1);
	CHECK_INT(list_length(entities_of(apart)), 1);
}

static void
test_complex(void)
{
	static const char body[] =
		EDMX(THING("<Property Name='R' Nullable='false'"
				   " Type='Microsoft.Crm.Sdk.Data.Services.Money'/>"
				   "<Property Name='X' Type='N.Point' Nullable='false'/>"
				   "<Property Name='Y' Type='N.Absent'/>")
			 "<ComplexType Name='Point'><Property Name='Lat' Type='Edm.Double'/>"
			 "<Property Name='Nested' Type='N.Point'/>"
			 "<Property Name='Code' Type='Edm.String' Nullable='false'/></ComplexType>"
			 THING_SET);

	CHECK_STR(properties_of(linitial(entities_of(body))),
			  "ThingId Edm.Guid!, R Money, X/Lat Edm.Double, X/Code Edm.String");
}

static void
test_unused_types(void)
{
	static const char body[] =
		EDMX(THING("<Property Name='A' Type='Edm.Byte'/>"
				   "<Property Name='B' Type='Edm.Single'/>"
				   "<Property Name='C' Type='Edm.DateTimeOffset'/>"
				   "<Property Name='D' Type='Edm.Time'/>"
				   "<Property Name='E' Type='Edm.Stream'/>"
				   "<Property Name='F' Type='Collection(Edm.String)'/>")
			 THING_SET);

	CHECK_STR(properties_of(linitial(entities_of(body))),
			  "ThingId Edm.Guid!, A Edm.Int16, B Edm.Double, C Edm.DateTime, D Edm.String");
}

/* Sets whose objects can't be told apart by a Guid are left out. */
static void
test_keys(void)
{
	static const char body[] =
		EDMX(THING("")
			 "<EntityType Name='Pair'><Key><PropertyRef Name='A'/><PropertyRef Name='B'/></Key>"
			 "<Property Name='A' Type='Edm.Guid'/><Property Name='B' Type='Edm.Guid'/></EntityType>"
			 "<EntityType Name='Counted'><Key><PropertyRef Name='A'/></Key>"
			 "<Property Name='A' Type='Edm.Int32'/></EntityType>"
			 "<EntityType Name='Keyless'><Property Name='A' Type='Edm.Guid'/></EntityType>"
			 "<EntityContainer Name='C'><EntitySet Name='PairSet' EntityType='N.Pair'/>"
			 "<EntitySet Name='CountedSet' EntityType='N.Counted'/>"
			 "<EntitySet Name='KeylessSet' EntityType='N.Keyless'/>"
			 "<EntitySet Name='GoneSet' EntityType='N.Gone'/>"
			 "<EntitySet Name='Things' EntityType='N.Thing'/></EntityContainer>");
	List	   *entities = entities_of(body);

	CHECK_INT(list_length(entities), 1);
	CHECK_STR(((CrmEntityDef *) linitial(entities))->set, "Things");
}

static void
test_wrong_shape(void)
{
	CHECK_ERROR("HV000", entities_of("<feed/>"));
	CHECK_ERROR("HV000", entities_of(EDMX("")));
	CHECK_ERROR("HV000", entities_of(EDMX("<EntityType><Key/></EntityType>")));
	CHECK_ERROR("2200M", entities_of(""));
	CHECK_ERROR("2200M", entities_of("<edmx:Edmx xmlns:edmx='x'>"));
	CHECK_ERROR("2200M", entities_of("<!DOCTYPE x><Edmx/>"));
}

static void
test_limits(void)
{
	StringInfoData body;

	initStringInfo(&body);
	appendStringInfoString(&body, "<Edmx><Schema><EntityContainer>");
	for (int i = 0; i <= 10000; i++)
		appendStringInfo(&body, "<EntitySet Name='S%d' EntityType='N.T'/>", i);
	appendStringInfoString(&body, "</EntityContainer></Schema></Edmx>");
	CHECK_ERROR("54000", entities_of(body.data));
}

static const UnitTest tests[] = {
	{"an entity set with its key and properties", test_entity},
	{"the order of elements does not matter", test_order},
	{"unknown complex types give their members", test_complex},
	{"types that CRM 2011 does not use", test_unused_types},
	{"sets without one Guid for a key are left out", test_keys},
	{"another document is an error", test_wrong_shape},
	{"sizes are limited", test_limits}
};

UNIT_SUITE("cdms_metadata", tests)
