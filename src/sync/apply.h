/*
 * sync/apply.h
 *	  Writing what CDMS answered to the store.
 */
#ifndef CRM_APPLY_H
#define CRM_APPLY_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/snapshot.h"

#include "cdms/cdms.h"
#include "sync/overlay.h"
#include "sync/store.h"

/* How an answer is to be written. */
typedef struct CrmApplication
{
	CrmStore   *store;

	/*
	 * For a reader, who waits for nobody: gets what can't be stored at once, or
	 * not at all.  NULL: other sessions' locks are waited for.
	 */
	CrmOverlay *overlay;

	/*
	 * Taken before CDMS was asked: what another transaction has changed since is
	 * newer than the answer, and left alone.  NULL: the rows are our own.
	 */
	Snapshot	asked;

	/* gets the keys (pg_uuid_t *) of those objects: they must be asked for again */
	List	   *late;
	MemoryContext memory;		/* of late */
} CrmApplication;

/*
 * Writes those of n objects that differ from the store's rows; columns that are
 * to be pushed from here keep their values.  Result: rows written.
 */
extern int	crm_apply(CrmApplication *application, CrmObject *objects, int n);

/* Deletes a row that is gone in CDMS, or hides it. */
extern int	crm_apply_deletion(CrmStore *store, const pg_uuid_t *key, CrmOverlay *overlay);

#endif							/* CRM_APPLY_H */
