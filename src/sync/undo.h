/*
 * sync/undo.h
 *	  Taking back what CDMS has accepted of a transaction that then fails.
 */
#ifndef CRM_UNDO_H
#define CRM_UNDO_H

#include "postgres.h"
#include "storage/itemptr.h"

#include "cdms/cdms.h"
#include "sync/table.h"

typedef enum CrmSentAction
{
	CRM_SENT_CREATE,
	CRM_SENT_UPDATE,
	CRM_SENT_DELETE
} CrmSentAction;

/* What undoing a write for good leaves of it. */
typedef enum CrmRemainder
{
	CRM_NO_REMAINDER,
	CRM_BEING_CREATED,			/* not for good: a deleted object, to be had again; perhaps it is */
	CRM_CREATED_AGAIN,
	CRM_CHANGED_SINCE,
	CRM_GONE_SINCE,
	CRM_TAKEN_SINCE,
	CRM_ANYBODYS,
	CRM_ELSEWHERE
} CrmRemainder;

/* A write that was sent, or is about to be; whether it was carried out may be unknown. */
typedef struct CrmSent
{
	CrmSentAction action;
	CrmTable   *table;
	CrmConnection *conn;
	Oid			role;			/* whose connection it is */
	pg_uuid_t	key;
	List	   *before;			/* CrmAssignment *: what puts it back; of a
								 * deletion the whole object, of a creation
								 * nothing */
	List	   *after;			/* CrmAssignment *: what was sent */
	bool		answered;		/* CDMS said that it was done */
	bool		not_done;		/* surely not, or another note speaks for it */
	bool		sent_again;		/* whatever becomes of the transaction */
	CrmRemainder remainder;		/* as undoing has found out, now or before */
	ItemPointerData intent;		/* its row of crm_sync.intent; invalid: none */
} CrmSent;

/* How the undoing of one write fared. */
typedef struct CrmUndoing
{
	CrmSent    *sent;
	CrmObject  *now;			/* as CDMS has it, or NULL */
	bool		undone;			/* something was */
	CrmRemainder left;
	const char *failure;		/* NULL: none; otherwise another try may succeed */
} CrmUndoing;

/*
 * Undoes these writes (CrmSent *), the last first, leaving alone what somebody
 * else has changed since.  Result: how each fared (CrmUndoing *).  Throws nothing
 * that CDMS or the network is to blame for.
 *
 * canceled is NULL where nobody comes after: who presses Ctrl-C again does not mean
 * that half of it should stay.  Else a cancel ends it and is kept there; what was
 * not undone by then has failed.
 */
extern List *crm_undo(List *sent, ErrorData **canceled);

/* Why something is left, as the rest of a sentence about it. */
extern const char *crm_undo_remainder(CrmRemainder remainder);

/* The same in words, for a DETAIL; NULL where there was nothing to undo. */
extern char *crm_undo_summary(List *undoings);

/*
 * Has the object the value that was assigned?  CDMS rounds amounts, and dates to
 * whole seconds.
 */
extern bool crm_undo_holds(CrmObject *object, const CrmEntity *entity,
						   const CrmAssignment *assignment);

#endif							/* CRM_UNDO_H */
