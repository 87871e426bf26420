/*
 * sync/stats.h
 *	  What requests have cost, server by server: the session's, or where the
 *	  library is preloaded the cluster's.
 */
#ifndef CRM_STATS_H
#define CRM_STATS_H

#include "postgres.h"

#include "net/http.h"

typedef struct CrmStats
{
	CrmHttpCounters requests;
	int64		objects;		/* received */
} CrmStats;

/*
 * Adds what has come to a connection's counters since they were last reported;
 * never throws.
 */
extern void crm_stats_report(Oid serverid, const CrmStats *now, CrmStats *reported);

/* Calls visit for each server of this database that was ever asked. */
extern void crm_stats_foreach(void (*visit) (Oid serverid, const CrmStats *stats, void *arg),
							  void *arg);

/* Are they the cluster's? */
extern bool crm_stats_are_shared(void);

#endif							/* CRM_STATS_H */
