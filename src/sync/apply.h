/*
 * sync/apply.h
 *	  Writing what CDMS answered to the store.
 */
#ifndef CRM_APPLY_H
#define CRM_APPLY_H

#include "postgres.h"

#include "cdms/cdms.h"
#include "sync/overlay.h"
#include "sync/store.h"

/*
 * Writes those of n objects that differ from the store's rows; columns that are
 * to be pushed from here keep their values.  It waits for other sessions' locks.
 * Result: rows written.
 */
extern int	crm_apply(CrmStore *store, CrmObject *objects, int n);

/*
 * The same for a reader: what can't be stored at once, or not at all, is put in
 * the overlay.
 */
extern int	crm_apply_or_overlay(CrmStore *store, CrmObject *objects, int n, CrmOverlay *overlay);

/* Deletes a row that is gone in CDMS, or hides it. */
extern int	crm_apply_deletion(CrmStore *store, const pg_uuid_t *key, CrmOverlay *overlay);

#endif							/* CRM_APPLY_H */
