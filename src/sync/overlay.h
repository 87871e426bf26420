/*
 * sync/overlay.h
 *	  What CDMS has newer than the store, where the store can't have it now.
 *
 * A reader waits for nobody, and in a read-only transaction or on a standby
 * nothing is stored (contract, read rule 6).  The rows concerned are kept here
 * for as long as the statement lasts and take the place of the store's.
 */
#ifndef CRM_OVERLAY_H
#define CRM_OVERLAY_H

#include "postgres.h"
#include "utils/uuid.h"

#include "cdms/cdms.h"
#include "sync/table.h"

typedef struct CrmOverlay CrmOverlay;

/*
 * Row security of the store can't be applied to rows that are not in it: where it
 * holds for the table's owner there is no overlay.
 */
extern bool crm_overlay_is_allowed(CrmTable *table);

/* An empty overlay over a table's store, in this memory context. */
extern CrmOverlay *crm_overlay_make(CrmTable *table, MemoryContext memory);

extern bool crm_overlay_is_empty(CrmOverlay *overlay);

/* Of how many objects it has something to say. */
extern int64 crm_overlay_count(CrmOverlay *overlay);

/* Has it something to say of this row of this store? */
extern bool crm_overlay_has(CrmOverlay *overlay, Oid store, const pg_uuid_t *key);

/*
 * Puts an object in the place of the store's row of its key; columns that are
 * the CRM's own have what the store has when the overlay is read.
 */
extern void crm_overlay_put(CrmOverlay *overlay, const CrmObject *object);

/* Hides the store's row of this key. */
extern void crm_overlay_hide(CrmOverlay *overlay, const pg_uuid_t *key);

/*
 * A relation for FROM, "(SELECT ...) overlaid", with the table's columns in their
 * order and of their types.  It has two parameters, whose numbers begin with
 * first: their types and values are put in types[] and values[].
 */
extern char *crm_overlay_sql(CrmOverlay *overlay, int first, Oid *types, Datum *values);

/* A column of that relation, as relation 1 of a query. */
extern Node *crm_overlay_column_expr(CrmTable *table, const CrmColumn *column);

#endif							/* CRM_OVERLAY_H */
