/*
 * fdw/definition.c
 *	  CREATE FOREIGN TABLE for an entity, as IMPORT FOREIGN SCHEMA has it run.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "parser/scansup.h"
#include "utils/builtins.h"

#include "fdw/definition.h"

/* A name given in one table or schema, and the number for the next that would be it. */
typedef struct TakenName
{
	char		name[NAMEDATALEN];	/* hash key */
	int			next;
} TakenName;

HTAB *
crm_names_start(void)
{
	HASHCTL		ctl = {
		.keysize = NAMEDATALEN,.entrysize = sizeof(TakenName),.hcxt = CurrentMemoryContext
	};

	return hash_create("crm_sync imported names", 64, &ctl,
					   HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
}

/* Takes the name.  NULL: it is taken already. */
static TakenName *
take_name(HTAB *names, const char *name)
{
	bool		found;
	TakenName  *taken = hash_search(names, name, HASH_ENTER, &found);

	if (found)
		return NULL;
	taken->next = 2;
	return taken;
}

/* Names of a table's columns; it has some already that nobody gave it. */
static HTAB *
start_column_names(void)
{
	static const char *const system[] = {"tableoid", "cmax", "xmax", "cmin", "xmin", "ctid"};
	HTAB	   *names = crm_names_start();

	for (int i = 0; i < lengthof(system); i++)
		(void) take_name(names, system[i]);
	return names;
}

char *
crm_names_take(HTAB *names, const char *wanted)
{
	char	   *lower = downcase_identifier(wanted, strlen(wanted), false, false);
	int			room = NAMEDATALEN - 1;
	char	   *name = pnstrdup(lower, pg_mbcliplen(lower, strlen(lower), room));
	TakenName  *first = hash_search(names, name, HASH_FIND, NULL);

	if (first == NULL)
	{
		(void) take_name(names, name);
		return name;
	}
	do
	{
		const char *suffix = psprintf("_%d", first->next++);

		name = psprintf("%.*s%s", pg_mbcliplen(lower, strlen(lower), room - strlen(suffix)),
						lower, suffix);
	} while (take_name(names, name) == NULL);
	return name;
}

static void
append_option(StringInfo sql, const char *separator, const char *name, const char *value)
{
	appendStringInfo(sql, "%s%s %s", separator, name, quote_literal_cstr(value));
}

static void
append_column(StringInfo sql, HTAB *names, CrmPropertyDef *property, bool key, bool marked)
{
	const char *path = property->member ?
	psprintf("%s/%s", property->name, property->member) : property->name;
	const char *wanted = property->member ?
	psprintf("%s_%s", property->name, property->member) : property->name;

	appendStringInfo(sql, ",\n  %s %s OPTIONS (", quote_identifier(crm_names_take(names, wanted)),
					 crm_type_sql(property->type));
	append_option(sql, "", "property", path);
	if (crm_type_member(property->type) || property->type == CRM_INT16)
		append_option(sql, ", ", "type", crm_type_name(property->type));
	if (marked)
		append_option(sql, ", ", "key", "true");
	appendStringInfo(sql, ")%s", key ? " NOT NULL" : "");
}

/* The second column of a reference: what it refers to is called. */
static void
append_name_column(StringInfo sql, HTAB *names, CrmPropertyDef *property)
{
	appendStringInfo(sql, ",\n  %s text OPTIONS (",
					 quote_identifier(crm_names_take(names, psprintf("%s_name", property->name))));
	append_option(sql, "", "property", psprintf("%s/Name", property->name));
	append_option(sql, ", ", "type", crm_type_name(CRM_ENTITY_REFERENCE));
	appendStringInfoChar(sql, ')');
}

char *
crm_definition(const CrmEntityDef *entity, const char *table, const char *schema, const char *server)
{
	HTAB	   *names = start_column_names();
	bool		usual_key = strcmp(entity->key, psprintf("%sId", entity->name)) == 0;
	StringInfoData sql;
	StringInfoData columns;
	ListCell   *lc;

	initStringInfo(&columns);
	foreach(lc, entity->properties)
	{
		CrmPropertyDef *property = lfirst(lc);
		bool		key = property->member == NULL && strcmp(property->name, entity->key) == 0;

		append_column(&columns, names, property, key, key && !usual_key);
		if (property->type == CRM_ENTITY_REFERENCE && property->member == NULL)
			append_name_column(&columns, names, property);
	}

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE FOREIGN TABLE %s (%s\n) SERVER %s OPTIONS (",
					 quote_qualified_identifier(schema, table), columns.data + 1,
					 quote_identifier(server));
	append_option(&sql, "", "entity", entity->name);
	if (strcmp(entity->set, psprintf("%sSet", entity->name)) != 0)
		append_option(&sql, ", ", "entity_set", entity->set);
	appendStringInfoChar(&sql, ')');
	return sql.data;
}
