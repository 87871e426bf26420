/*
 * sync/commit.h
 *	  What is to be done before this transaction commits, as long as code of users may
 *	  run.
 */
#ifndef CRM_COMMIT_H
#define CRM_COMMIT_H

#include "postgres.h"

/*
 * Calls action in the COMMIT of this transaction: once its deferred constraints have been
 * checked, before other extensions and PostgreSQL itself end what they have under way.
 * What action leaves to be done, cursors to be closed, constraints to be checked, further
 * calls of this function, is done afterwards.  An ERROR in it fails the COMMIT.
 */
extern void crm_commit_call(void (*action) (void));

/* Amid that: closes the cursors that there are, and checks deferred constraints. */
extern void crm_commit_end_others(void);

/* After the end of the transaction. */
extern void crm_commit_at_end(void);

extern void crm_commit_init(void);

#endif							/* CRM_COMMIT_H */
