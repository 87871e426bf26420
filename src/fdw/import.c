/*
 * fdw/import.c
 *	  IMPORT FOREIGN SCHEMA: which entities of $metadata become tables.
 */
#include "postgres.h"

#include "foreign/foreign.h"
#include "miscadmin.h"

#include "cdms/cdms.h"
#include "fdw/definition.h"
#include "fdw/fdw.h"
#include "sync/connection.h"

List *
crm_import(ImportForeignSchemaStmt *stmt, Oid serverid)
{
	CrmConnection *conn = crm_connection_get(serverid, GetUserId());
	HTAB	   *names = crm_names_start();
	List	   *commands = NIL;
	ListCell   *lc;

	if (stmt->options != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("IMPORT FOREIGN SCHEMA of crm_sync has no options")));
	foreach(lc, conn->protocol->metadata(conn))
	{
		CrmEntityDef *entity = lfirst(lc);
		char	   *table = crm_names_take(names, entity->name);

		if (IsImportableForeignTable(table, stmt))
			commands = lappend(commands, crm_definition(entity, table, stmt->local_schema,
														conn->server_name));
	}
	return commands;
}
