/*
 * sync/push.h
 *	  The write rule: what a transaction changed goes to CDMS at its COMMIT.
 */
#ifndef CRM_PUSH_H
#define CRM_PUSH_H

#include "postgres.h"

#include "sync/table.h"

typedef enum CrmMode
{
	CRM_MODE_SYNC,
	CRM_MODE_LOCAL				/* this session leaves CDMS alone */
} CrmMode;

/* Setting crm_sync.mode. */
extern int	crm_mode;

/* This transaction has rows in the outbox that its COMMIT must send. */
extern void crm_push_at_commit(void);

/*
 * Rows that a reader found never pushed, and what crm_sync.push() was asked to
 * send: sent by this transaction's COMMIT too, but a refusal parks the change
 * with a WARNING and fails nothing.
 */
extern void crm_push_pending_inserts(CrmTable *table, int limit);
extern int64 crm_push_pending(CrmTable *table, int limit);

/*
 * Where nobody waits for the COMMIT, and it may be broken off: how long its requests may
 * take, in milliseconds, whatever the servers' options say.  Being cancelled is a
 * refusal of the change that it was at then.  0: as everybody else.
 */
extern int	crm_push_limit;

/* Is there anything that this transaction must send, and has not? */
extern bool crm_push_is_bound(void);

/* Has CDMS accepted anything of this transaction? */
extern bool crm_push_has_sent(void);

extern void crm_push_at_abort(void);
extern void crm_push_at_end(void);

#endif							/* CRM_PUSH_H */
