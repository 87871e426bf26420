/*
 * sync/reconcile.h
 *	  Comparing CDMS and the store whole.
 */
#ifndef CRM_RECONCILE_H
#define CRM_RECONCILE_H

#include "postgres.h"
#include "utils/uuid.h"

#include "sync/table.h"

/*
 * Gets each difference: "missing in CDMS", "missing in the store",
 * "differs: name, city", "pending", "pending: name".
 */
typedef void (*CrmDifferenceVisitor) (const pg_uuid_t *key, const char *difference, void *arg);

/*
 * Asks for all objects of the table's entity, in memory that does not grow with
 * their number.  repair: CDMS's version is stored, and what CDMS lacks is treated
 * as on_missing says; what is pending is left alone.  Not in crm_sync.mode local.
 */
extern void crm_reconcile_table(CrmTable *table, bool repair, CrmDifferenceVisitor visit,
								void *arg);

#endif							/* CRM_RECONCILE_H */
