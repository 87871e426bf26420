/*
 * sync/shared.h
 *	  Shared memory, where the library is in shared_preload_libraries: what the
 *	  sessions of the cluster know together.  Nothing in it survives a restart.
 */
#ifndef CRM_SHARED_H
#define CRM_SHARED_H

#include "postgres.h"
#include "storage/lwlock.h"

/* Something that is kept there, by its owner's file. */
typedef struct CrmSharedPart
{
	const char *name;			/* of the memory, and of its locks in
								 * pg_stat_activity */
	int			nlocks;
	Size		(*size) (void);

	/*
	 * Called in the postmaster, before there are sessions, and again after a
	 * crash of one: the memory is zeroed then.  What it leaves in variables the
	 * sessions inherit.
	 */
	void		(*attach) (void *memory, LWLockPadded *locks);
} CrmSharedPart;

extern const CrmSharedPart crm_age_part;	/* sync/age.c */
extern const CrmSharedPart crm_stats_part;	/* sync/stats.c */
extern const CrmSharedPart crm_refusals_part;	/* sync/refusals.c */

/* From _PG_init; without preloading it does nothing, and no part is attached. */
extern void crm_shared_init(void);

#endif							/* CRM_SHARED_H */
