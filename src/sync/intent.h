/*
 * sync/intent.h
 *	  What a COMMIT is about to do to CDMS, written where no rollback and no crash
 *	  takes it away, so that half of a transaction never stays there.
 */
#ifndef CRM_INTENT_H
#define CRM_INTENT_H

#include "postgres.h"
#include "nodes/pg_list.h"

/*
 * Makes these writes (CrmSent *) durable before the first of them is sent, on this
 * server's disk and in its WAL; each gets its place in CrmSent.intent.  The rows
 * vanish with the COMMIT of this transaction, at the same instant.
 */
extern void crm_intent_note(List *writes);

/* This write was undone, or it was said why it could not be: nobody need do it again. */
extern void crm_intent_settled(const ItemPointerData *intent);

/*
 * Notes what undoing these writes (CrmSent *) has left, whatever becomes of this
 * transaction: who has to do with them once more shall not ask again, nor take for
 * somebody else's what was made in undoing them.
 */
extern void crm_intent_note_remainders(List *writes);

/*
 * Undoes what transactions that never committed have left at this server of this
 * owner's tables, unless another session is at it.  What can't be undone in full is
 * parked; what fails stays for the next time.  Nothing is done where nothing may be
 * written: READ ONLY, standby.
 *
 * Of other owners' tables nothing: undoing reads objects, which runs their owner's
 * checks, and says what became of them.
 */
extern void crm_intent_settle(Oid serverid, Oid owner);

/* Where there is something to settle.  Invalid owner: of tables that are gone. */
typedef struct CrmIntentSite
{
	Oid			server;
	Oid			owner;
} CrmIntentSite;

/* sites, of CrmIntentSite *, with this one if it is not among them. */
extern List *crm_intent_add_site(List *sites, Oid server, Oid owner);

extern List *crm_intent_sites(void);

/* Writes of a store that transactions which never committed may have left in CDMS. */
extern int64 crm_intent_unresolved(Oid store);

#endif							/* CRM_INTENT_H */
