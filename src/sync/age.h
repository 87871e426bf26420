/*
 * sync/age.h
 *	  max_age: what was asked of CDMS not longer ago is not asked again.
 *
 * A moment is when the request was about to be sent.  It counts once all that was
 * answered is in the store: for the transaction that stored it at once, for
 * others when that has committed.
 */
#ifndef CRM_AGE_H
#define CRM_AGE_H

#include "postgres.h"

#include "sync/pull.h"
#include "sync/table.h"

/*
 * Was this asked within the table's max_age, or something that covers it?  The
 * whole table covers every question, a key every question for that key,
 * conditions themselves.  What was answered is visible to snapshots taken after
 * this call, under REPEATABLE READ and above to the transaction's.  *answer:
 * whose moment it was.
 */
extern bool crm_age_within(CrmTable *table, const CrmAsk *ask, CrmAnswer *answer);

/*
 * The same for any question about the table, whatever it is: the whole table was
 * asked.  Not under REPEATABLE READ and above, where it takes more to repeat answers.
 */
extern bool crm_age_whole_within(CrmTable *table, CrmAnswer *answer);

/* CDMS is about to be asked: the moment, for crm_age_note. */
extern int64 crm_age_begin(CrmTable *table);

/*
 * It has been asked, at that moment, and all that came is in the store.  whole:
 * the answer was about the whole table.
 */
extern void crm_age_note(CrmTable *table, const CrmAsk *ask, bool whole, int64 asked);

/*
 * What is in the table's store is no longer what was answered: it must be asked
 * again, by this transaction and, when it has committed, by all.  The table stays
 * locked against others who say so.
 */
extern void crm_age_void(Oid foreign_table);

extern void crm_age_at_commit(void);
extern void crm_age_at_end(void);
extern void crm_age_at_subabort(SubTransactionId aborted);

#endif							/* CRM_AGE_H */
