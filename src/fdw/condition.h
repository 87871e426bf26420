/*
 * fdw/condition.h
 *	  From SQL's conditions to what can be asked of CDMS.
 */
#ifndef CRM_CONDITION_H
#define CRM_CONDITION_H

#include "postgres.h"
#include "nodes/params.h"
#include "nodes/pg_list.h"

#include "sync/pull.h"
#include "sync/table.h"

/*
 * Fills ask with what of quals (Exprs, ANDed, over the foreign table, without
 * PARAM_EXEC) can be sent.  Nothing that meets them is left out of the answer:
 * contract, read rule 5.  params: values of external parameters, or NULL.
 */
extern void crm_ask_from_quals(CrmTable *table, List *quals, ParamListInfo params, CrmAsk *ask);

/* Copy of quals with the values of external parameters in place of the Params. */
extern List *crm_bind_params(List *quals, ParamListInfo params);

#endif							/* CRM_CONDITION_H */
