/*
 * fdw/definition.h
 *	  CREATE FOREIGN TABLE for an entity, as IMPORT FOREIGN SCHEMA has it run.
 *
 * Nothing here asks the catalogs or CDMS: text is made of what $metadata says.
 */
#ifndef CRM_DEFINITION_H
#define CRM_DEFINITION_H

#include "postgres.h"
#include "utils/hsearch.h"

#include "cdms/cdms.h"

/* Names of one schema, or of one table's columns; in the current memory context. */
extern HTAB *crm_names_start(void);

/*
 * The wanted name in lower case, cut to what an identifier may have, with a number
 * where another has it already.
 */
extern char *crm_names_take(HTAB *names, const char *wanted);

/*
 * The statement.  table is a name as it is, not yet quoted, and so are schema and
 * server.
 */
extern char *crm_definition(const CrmEntityDef *entity, const char *table,
							const char *schema, const char *server);

#endif							/* CRM_DEFINITION_H */
