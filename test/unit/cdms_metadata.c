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

/* What would mean something else in a URL, a body or SQL is no name. */
static void
check_name_refused(const char *name)
{
	CHECK_ERROR("HV000", entities_of(psprintf(EDMX(THING("<Property Name='%s' Type='Edm.String'/>")
												   THING_SET), name)));
	CHECK_CONTAINS(unit_error->detail, "which is no name.");
	CHECK_ERROR("HV000", entities_of(psprintf(EDMX(THING("") "<EntityType Name='%s'/>" THING_SET), name)));
	CHECK_ERROR("HV000", entities_of(psprintf(EDMX(THING("") "<EntityContainer Name='C'>"
												   "<EntitySet Name='%s' EntityType='N.Thing'/>"
												   "</EntityContainer>"), name)));
}

static void
test_names(void)
{
	static const char *const names[] = {
		"", " ", "a b", "&quot;", "a&quot;:1,&quot;b", "x&apos;; DROP TABLE a; --", "a;b", "a&#10;b",
		"1a", "a/b", "../../a", "a,b", "a)", "&lt;a>", "a?b", "a#b", "a%41", "a=b", "a.b", "a-b", "$a",
		"a&#x1;"
	};
	char		longest[256 + 1] = {0};

	for (int i = 0; i < lengthof(names) - 1; i++)
		check_name_refused(names[i]);
	CHECK_ERROR("2200M", entities_of(psprintf(EDMX(THING("<Property Name='%s'/>")), names[lengthof(names) - 1])));

	memset(longest, 'x', 256);
	check_name_refused(longest);
	longest[255] = '\0';
	CHECK_STR(properties_of(linitial(entities_of(psprintf(EDMX(THING("<Property Name='%s' Type='Edm.String'/>")
															   THING_SET), longest)))),
			  psprintf("ThingId Edm.Guid!, %s Edm.String", longest));
	CHECK_STR(properties_of(linitial(entities_of(EDMX(THING("<Property Name='_\xC3\xA9" "1' Type='Edm.String'/>")
													  THING_SET)))),
			  "ThingId Edm.Guid!, _\xC3\xA9" "1 Edm.String");
}

/* Which of two would be meant? */
static void
test_twice(void)
{
	CHECK_ERROR("HV000", entities_of(EDMX(THING("") THING("") THING_SET)));
	CHECK_ERROR("HV000", entities_of(EDMX(THING("") THING_SET THING_SET)));
	CHECK_ERROR("HV000", entities_of(EDMX(THING("<Property Name='a' Type='Edm.String'/>"
												"<Property Name='b' Type='Edm.String'/>"
												"<Property Name='a' Type='Edm.Int32'/>") THING_SET)));
	CHECK_STR(unit_error->detail, "Name \"a\" comes twice.");
	CHECK_STR(properties_of(linitial(entities_of(EDMX(THING("<Property Name='a' Type='Edm.String'/>"
															"<Property Name='A' Type='Edm.Int32'/>")
													  THING_SET)))),
			  "ThingId Edm.Guid!, a Edm.String, A Edm.Int32");
}

/* Types in a circle: of each other, and made of themselves. */
static void
test_circles(void)
{
	static const char body[] =
		EDMX("<EntityType Name='Thing' BaseType='N.Other'><Key><PropertyRef Name='ThingId'/></Key>"
			 "<Property Name='ThingId' Type='Edm.Guid'/><Property Name='P' Type='N.A'/></EntityType>"
			 "<EntityType Name='Other' BaseType='N.Thing'/>"
			 "<ComplexType Name='A' BaseType='N.A'><Property Name='B' Type='N.B'/></ComplexType>"
			 "<ComplexType Name='B'><Property Name='A' Type='N.A'/></ComplexType>" THING_SET);

	CHECK_STR(properties_of(linitial(entities_of(body))), "ThingId Edm.Guid");
}

static void
append_numbered(StringInfo out, int n, const char *format)
{
	for (int i = 0; i < n; i++)
		appendStringInfo(out, "<%s%d'/>", format, i);
}

/* A small document that stands for a very large one. */
static void
test_amplified(void)
{
	StringInfoData body;

	initStringInfo(&body);
	appendStringInfoString(&body, "<Edmx><Schema><ComplexType Name='C'>");
	append_numbered(&body, 3000, "Property Type='Edm.Int32' Name='m");
	appendStringInfoString(&body, "</ComplexType><EntityType Name='Thing'><Key><PropertyRef Name='K'/></Key>"
						   "<Property Name='K' Type='Edm.Guid'/>");
	append_numbered(&body, 3000, "Property Type='N.C' Name='p");
	appendStringInfoString(&body, "</EntityType>" THING_SET "</Schema></Edmx>");
	CHECK_ERROR("54000", entities_of(body.data));
	CHECK_CONTAINS(unit_error->message, "more than 10000 properties for one entity set");

	resetStringInfo(&body);
	appendStringInfoString(&body, "<Edmx><Schema><EntityType Name='Thing'><Key><PropertyRef Name='K'/></Key>"
						   "<Property Name='K' Type='Edm.Guid'/>");
	append_numbered(&body, 3000, "Property Type='Edm.Int32' Name='p");
	appendStringInfoString(&body, "</EntityType><EntityContainer>");
	append_numbered(&body, 3000, "EntitySet EntityType='N.Thing' Name='s");
	appendStringInfoString(&body, "</EntityContainer></Schema></Edmx>");
	CHECK_ERROR("54000", entities_of(body.data));
	CHECK_CONTAINS(unit_error->message, "more than 500000 properties");

	/* What no column can have takes time all the same. */
	resetStringInfo(&body);
	appendStringInfoString(&body, "<Edmx><Schema><ComplexType Name='C'>");
	append_numbered(&body, 3000, "Property Type='Edm.Stream' Name='m");
	appendStringInfoString(&body, "</ComplexType><EntityType Name='Thing'><Key><PropertyRef Name='K'/></Key>"
						   "<Property Name='K' Type='Edm.Guid'/>");
	append_numbered(&body, 3000, "Property Type='N.C' Name='p");
	appendStringInfoString(&body, "</EntityType>" THING_SET "</Schema></Edmx>");
	CHECK_ERROR("54000", entities_of(body.data));
	CHECK_CONTAINS(unit_error->message, "more than 1000000 properties");
}

static const UnitTest tests[] = {
	{"an entity set with its key and properties", test_entity},
	{"the order of elements does not matter", test_order},
	{"unknown complex types give their members", test_complex},
	{"types that CRM 2011 does not use", test_unused_types},
	{"sets without one Guid for a key are left out", test_keys},
	{"another document is an error", test_wrong_shape},
	{"what is no name is an error", test_names},
	{"what comes twice is an error", test_twice},
	{"types may go in circles", test_circles},
	{"a small document can't stand for a large one", test_amplified},
	{"sizes are limited", test_limits}
};

UNIT_SUITE("cdms_metadata", tests)
