/*
 * sync/load_table.h
 *	  CALL crm_sync.load(): a big entity in several transactions.
 */
#ifndef CRM_LOAD_TABLE_H
#define CRM_LOAD_TABLE_H

#include "postgres.h"

/*
 * Loads the table, committing every few seconds, or goes on with a load that was
 * cancelled; of a complete table, what changed since.  SPI is connected, not
 * atomic.
 */
extern void crm_load_table(Oid relid);

#endif							/* CRM_LOAD_TABLE_H */
