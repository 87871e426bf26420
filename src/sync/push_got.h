/*
 * sync/push_got.h
 *	  What CDMS has of the objects that are about to be written, and what of it the
 *	  write overwrites.
 */
#ifndef CRM_PUSH_GOT_H
#define CRM_PUSH_GOT_H

#include "postgres.h"

#include "sync/push_object.h"

/*
 * Gets the objects that are to be changed or deleted, unless they were got a moment
 * ago, and notes conflicts.  One that is there no more is dealt with as on_missing
 * says: it is created again, or an ERROR.
 */
extern void crm_push_get(CrmPush *push);

/* The same for one object that is said to be there, or to be gone. */
extern void crm_push_get_one(CrmPushObject *object);
extern void crm_push_treat_gone(CrmPushObject *object);

/*
 * What somebody changed in CDMS since both were last in step, and what this write
 * overwrites (contract, write rule 4), goes to history.
 */
extern void crm_push_note_conflict(CrmPushObject *object);

#endif							/* CRM_PUSH_GOT_H */
