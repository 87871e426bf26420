/*
 * sync/worker.h
 *	  The background worker that sends what waits in the outbox, where the library
 *	  is preloaded.
 */
#ifndef CRM_WORKER_H
#define CRM_WORKER_H

#include "postgres.h"
#include "fmgr.h"

/* Setting crm_sync.worker_naptime: seconds between two rounds; 0: none. */
extern int	crm_worker_naptime;

/*
 * Setting crm_sync.worker_timeout: seconds after which a worker begins nothing more,
 * and those that one transaction of its may take.
 */
extern int	crm_worker_timeout;

/* Has the postmaster start it; to be called while it preloads libraries. */
extern void crm_worker_init(void);

/* Where the processes begin: of the launcher, and of a worker for one database. */
extern PGDLLEXPORT void crm_launcher_main(Datum arg);
extern PGDLLEXPORT void crm_worker_main(Datum database);

#endif							/* CRM_WORKER_H */
