/*
 * sync/record.h
 *	  A change's rows of history and outbox, without a statement for each.
 */
#ifndef CRM_RECORD_H
#define CRM_RECORD_H

#include "sync/ledger.h"

/*
 * Writes a change to history, or to history and outbox, as a statement of its
 * own would: who looks next sees it.  False, with nothing done: the tables are
 * not as this extension made them (somebody's triggers, columns, constraints),
 * and it takes SQL to serve those.
 */
extern bool crm_record(const CrmChange *change, bool outbox);

#endif							/* CRM_RECORD_H */
