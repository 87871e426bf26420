/*
 * test/fuzz/target_definition.c
 *	  What IMPORT FOREIGN SCHEMA makes of $metadata, read by PostgreSQL's grammar.
 */
#include "postgres.h"

#include "catalog/pg_attribute.h"
#include "nodes/parsenodes.h"
#include "nodes/value.h"
#include "parser/parser.h"

#include "cdms/format.h"
#include "fdw/definition.h"
#include "fuzz.h"

/* The value of an option that is there once; NULL: it is not there. */
static const char *
option(List *options, const char *name)
{
	const char *value = NULL;
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *def = lfirst(lc);

		if (strcmp(def->defname, name) != 0)
			continue;
		FUZZ_CHECK(value == NULL);
		value = strVal(def->arg);
	}
	return value;
}

/* A name that fits, in lower case, that no other column and no system column has. */
static void
check_name(const List *columns, int index)
{
	static const char *const system[] = {"tableoid", "cmax", "xmax", "cmin", "xmin", "ctid"};
	const char *name = ((ColumnDef *) list_nth(columns, index))->colname;

	FUZZ_CHECK(strlen(name) < NAMEDATALEN && fuzz_is_text(name, strlen(name)));
	for (int i = 0; i < lengthof(system); i++)
		FUZZ_CHECK(strcmp(name, system[i]) != 0);
	for (int i = 0; i < index; i++)
		FUZZ_CHECK(strcmp(name, ((ColumnDef *) list_nth(columns, i))->colname) != 0);
	for (const char *c = name; *c; c++)
		FUZZ_CHECK(*c < 'A' || *c > 'Z');
}

/* This column is of that property: the option says so, and nothing else. */
static void
check_column(const ColumnDef *column, const char *path)
{
	const char *property = option(column->fdwoptions, "property");

	FUZZ_CHECK(property != NULL && strcmp(property, path) == 0);
	FUZZ_CHECK(list_length(column->fdwoptions) ==
			   1 + (option(column->fdwoptions, "type") != NULL) + (option(column->fdwoptions, "key") != NULL));
}

static void
check_columns(const List *columns, const CrmEntityDef *entity)
{
	int			index = 0;
	ListCell   *lc;

	foreach(lc, entity->properties)
	{
		CrmPropertyDef *property = lfirst(lc);

		FUZZ_CHECK(index < list_length(columns));
		check_name(columns, index);
		check_column(list_nth(columns, index++), property->member ?
					 psprintf("%s/%s", property->name, property->member) : property->name);
		if (property->type != CRM_ENTITY_REFERENCE || property->member)
			continue;
		FUZZ_CHECK(index < list_length(columns));
		check_name(columns, index);
		check_column(list_nth(columns, index++), psprintf("%s/Name", property->name));
	}
	FUZZ_CHECK(index == list_length(columns));
}

/* One statement, which says what it was made of. */
static void
check_definition(const char *sql, const CrmEntityDef *entity, const char *table,
				 const char *schema, const char *server)
{
	List	   *statements = raw_parser(sql, RAW_PARSE_DEFAULT);
	CreateForeignTableStmt *create;
	const char *set;

	FUZZ_CHECK(list_length(statements) == 1);
	create = (CreateForeignTableStmt *) linitial_node(RawStmt, statements)->stmt;
	FUZZ_CHECK(IsA(create, CreateForeignTableStmt));
	FUZZ_CHECK(strcmp(create->base.relation->relname, table) == 0);
	FUZZ_CHECK(strcmp(create->base.relation->schemaname, schema) == 0);
	FUZZ_CHECK(create->base.relation->catalogname == NULL);
	FUZZ_CHECK(strcmp(create->servername, server) == 0);
	FUZZ_CHECK(strcmp(option(create->options, "entity"), entity->name) == 0);
	set = option(create->options, "entity_set");
	FUZZ_CHECK(strcmp(set ? set : psprintf("%sSet", entity->name), entity->set) == 0);
	FUZZ_CHECK(list_length(create->options) == (set ? 2 : 1));
	check_columns(create->base.tableElts, entity);
}

/* A line of the data, as an identifier that somebody chose; moves behind it. */
static char *
take_identifier(const char **data, size_t *size)
{
	const char *end = memchr(*data, '\n', *size);
	size_t		length = end ? end - *data : *size;
	size_t		used = Min(length, NAMEDATALEN - 1);
	char	   *name = memchr(*data, '\0', used) == NULL && fuzz_is_text(*data, used) ?
	pnstrdup(*data, used) : pstrdup("\"; --");

	*data += end ? length + 1 : length;
	*size -= end ? length + 1 : length;
	return *name ? name : pstrdup("'");
}

/* The first line is a schema's name, the second a server's, then comes $metadata. */
static void
define(const char *data, size_t size)
{
	char	   *schema = take_identifier(&data, &size);
	char	   *server = take_identifier(&data, &size);
	HTAB	   *names = crm_names_start();
	ListCell   *lc;

	foreach(lc, crm_metadata_read(data, size))
	{
		CrmEntityDef *entity = lfirst(lc);
		char	   *table = crm_names_take(names, entity->name);

		check_definition(crm_definition(entity, table, schema, server), entity, table, schema, server);
	}
}

static void __attribute__((constructor))
fuzz_register_definition(void)
{
	fuzz_register("definition", define);
}
