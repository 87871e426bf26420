/*
 * fdw/question.h
 *	  What a statement asks of CDMS about one synchronised table, however many
 *	  scans of it the plan has.
 */
#ifndef CRM_QUESTION_H
#define CRM_QUESTION_H

#include "postgres.h"
#include "nodes/params.h"
#include "nodes/plannodes.h"

#include "compat.h"
#include "sync/pull.h"
#include "sync/table.h"

/*
 * The questions of a plan, in a form that lives in plans: for each synchronised
 * table that it scans a list of the table's oid (a list of one) and, for each scan
 * whose conditions differ, the list of those that can be asked by.
 */
extern List *crm_questions_of_plan(PlannedStmt *plan);

/* What came of one of them. */
typedef struct CrmReply
{
	CrmTable   *table;
	List	   *requests;		/* char *: what was asked, where EXPLAIN wants to know */
	CrmAsked	asked;
} CrmReply;

/* The table that a question is about. */
extern CrmTable *crm_question_table(List *question);

/*
 * Was the table asked whole within its max_age?  Then whatever a statement wants to
 * know of it is in snapshots taken from now on.
 */
extern bool crm_question_is_answered(List *question);

/*
 * Asks CDMS, on behalf of the statement of this memory context (see crm_pull);
 * the reply lives in the current one.
 */
extern CrmReply *crm_question_put(List *question, ParamListInfo params, bool describe,
								   MemoryContext statement);

/* What would be asked: char *, one for each request that would be begun. */
extern List *crm_question_requests(List *question, ParamListInfo params);

/* What would be asked of a synchronised table, in words. */
extern char *crm_ask_describe(CrmTable *table, const CrmAsk *ask);

/* What asking took; for EXPLAIN (ANALYZE). */
extern void crm_explain_asked(const CrmAsked *asked, CrmTable *table, ExplainState *es);

#endif							/* CRM_QUESTION_H */
