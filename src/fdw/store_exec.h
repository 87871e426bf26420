/*
 * fdw/store_exec.h
 *	  Running plans over stores: CDMS is asked first.
 */
#ifndef CRM_STORE_EXEC_H
#define CRM_STORE_EXEC_H

#include "postgres.h"
#include "nodes/execnodes.h"
#include "nodes/extensible.h"

#include "sync/pull.h"

extern const CustomScanMethods crm_store_scan_methods;

/*
 * For a foreign scan that begins: was its table asked before the statement was
 * started?  Then *asked is what came of it; the numbers go to the first scan that
 * wants to know.
 */
extern bool crm_already_asked(EState *estate, CrmTable *table, CrmAsked *asked);

extern void crm_store_exec_init(void);

#endif							/* CRM_STORE_EXEC_H */
