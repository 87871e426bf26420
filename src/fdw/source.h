/*
 * fdw/source.h
 *	  What a synchronised table's rows are read from.
 */
#ifndef CRM_SOURCE_H
#define CRM_SOURCE_H

#include "postgres.h"
#include "nodes/pg_list.h"

#include "sync/table.h"

/* The store itself, or the store with its overlay, as relation 1 of a query. */
typedef struct CrmRowSource
{
	char	   *(*column_sql) (CrmTable *table, const CrmColumn *column);
	Node	   *(*column_expr) (CrmTable *table, const CrmColumn *column);
} CrmRowSource;

extern const CrmRowSource crm_store_source;
extern const CrmRowSource crm_overlaid_source;

/* Conditions on the foreign table (Exprs) as conditions on the source; a copy. */
extern List *crm_source_quals(const CrmRowSource *source, CrmTable *table, List *quals);

#endif							/* CRM_SOURCE_H */
