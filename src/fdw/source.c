/*
 * fdw/source.c
 *	  The columns and conditions of a foreign table, said of what is read in its
 *	  place.
 */
#include "postgres.h"

#include "nodes/nodeFuncs.h"
#include "nodes/primnodes.h"
#include "utils/builtins.h"

#include "fdw/source.h"
#include "sync/overlay.h"
#include "sync/store.h"

static char *
overlaid_column_sql(CrmTable *table, const CrmColumn *column)
{
	return pstrdup(quote_identifier(column->name));
}

const CrmRowSource crm_store_source = {crm_store_column_sql, crm_store_column_expr};
const CrmRowSource crm_overlaid_source = {overlaid_column_sql, crm_overlay_column_expr};

typedef struct ColumnMapping
{
	CrmTable   *table;
	const CrmRowSource *source;
} ColumnMapping;

static Node *
map_columns(Node *node, void *context)
{
	ColumnMapping *mapping = context;

	if (node == NULL)
		return NULL;
	if (IsA(node, Var))
		return mapping->source->column_expr(mapping->table,
											crm_table_var_column(mapping->table, (Var *) node));
	return expression_tree_mutator(node, map_columns, context);
}

List *
crm_source_quals(const CrmRowSource *source, CrmTable *table, List *quals)
{
	ColumnMapping mapping = {table, source};

	return (List *) map_columns((Node *) quals, &mapping);
}
