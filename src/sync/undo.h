/*
 * sync/undo.h
 *	  Taking back what CDMS has accepted of a transaction that then fails.
 */
#ifndef CRM_UNDO_H
#define CRM_UNDO_H

#include "postgres.h"

#include "cdms/cdms.h"
#include "sync/table.h"

typedef enum CrmSentAction
{
	CRM_SENT_CREATE,
	CRM_SENT_UPDATE,
	CRM_SENT_DELETE
} CrmSentAction;

/* A write that was sent; whether it was carried out may be unknown. */
typedef struct CrmSent
{
	CrmSentAction action;
	CrmTable   *table;
	CrmConnection *conn;
	pg_uuid_t	key;
	List	   *before;			/* CrmAssignment *: what puts it back; of a
								 * deletion the whole object, of a creation
								 * nothing */
	List	   *after;			/* CrmAssignment *: what was sent */
	bool		answered;		/* CDMS said that it was done */
} CrmSent;

/*
 * Undoes these writes (CrmSent *), the last first, leaving alone what somebody
 * else has changed since.  Result: a sentence that says what became of them, for
 * the DETAIL of the error that made it necessary; NULL where there was nothing to
 * undo.  Throws nothing that CDMS or
 * the network is to blame for.
 */
extern char *crm_undo(List *sent);

#endif							/* CRM_UNDO_H */
