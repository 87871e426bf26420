/*
 * sync/push_turns.h
 *	  Several roles' changes of one object: each is sent as the role that wrote it,
 *	  one after the other, and none with another's values.
 */
#ifndef CRM_PUSH_TURNS_H
#define CRM_PUSH_TURNS_H

#include "postgres.h"

#include "sync/ledger.h"
#include "sync/push_object.h"

/*
 * Takes from the rows (CrmOutboxRow *, in order) of each object those that one role
 * wrote before any other did.  The others stay in the list, and deletions as long as
 * there is something else.
 */
extern List *crm_push_take_turn(List **rows);

/* The rows that this role wrote. */
extern List *crm_push_rows_of(List *rows, Oid role);

/* A visitor: notes for each object what waits of it and is not in the push. */
extern void crm_push_read_others(CrmPush *push, CrmTable *table, CrmConnection *conn,
								 List *objects);

/*
 * The object's row as it would be without that.  NULL when it would not be there, or
 * another has deleted it since.
 */
extern void crm_push_leave_out_others(CrmPushObject *object);

/* Another role's creation of it that waits; NULL: none. */
extern CrmOutboxRow *crm_push_creation_by_other(CrmPushObject *object);

#endif							/* CRM_PUSH_TURNS_H */
