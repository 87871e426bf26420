/*
 * sync/push_send.h
 *	  Sending the writes of a COMMIT.
 */
#ifndef CRM_PUSH_SEND_H
#define CRM_PUSH_SEND_H

#include "postgres.h"

#include "sync/push_object.h"
#include "sync/undo.h"

/*
 * The write that the object's action stands for: what will be sent, and what would
 * put it back.  NULL: nothing is sent.
 */
extern CrmSent *crm_push_plan(CrmPushObject *object);

/* ERROR when a value of it can't be written; nothing is sent. */
extern void crm_push_check(CrmPushObject *object);

/*
 * Sends the writes of these objects, in any order, several at a time.  Each is noted
 * in *sent (CrmSent *) beforehand.  What got no answer is sent again, where that is
 * safe or after a look at what CDMS has by now, as often as max_retries says.  ERROR
 * when one is refused; by then the others have been answered, or were not sent.
 */
extern void crm_push_send(List *objects, List **sent);

/*
 * The references that these new objects were created without, for what they refer
 * to was not there yet.
 */
extern void crm_push_send_deferred(List *objects, List **sent);

#endif							/* CRM_PUSH_SEND_H */
