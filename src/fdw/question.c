/*
 * fdw/question.c
 *	  From the scans of a plan to what CDMS is asked.
 *
 * A statement asks once for each table (contract, read rule 4).  Where it scans a
 * table several times under different conditions, one question covers them all:
 * the keys of all, or the conditions ORed.  Only where a URL can't carry those are
 * there several.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
#include "utils/acl.h"

#include "fdw/condition.h"
#include "fdw/fdw.h"
#include "fdw/question.h"
#include "fdw/source.h"
#include "sync/age.h"
#include "sync/connection.h"
#include "sync/overlay.h"
#include "sync/push.h"
#include "sync/store.h"

/* ------------------------------------------------------ scans of a plan */

typedef struct Collection
{
	PlannedStmt *plan;
	List	   *questions;
} Collection;

static List *
find_question(Collection *collection, Oid relid)
{
	ListCell   *lc;
	List	   *question;

	foreach(lc, collection->questions)
		if (linitial_oid(linitial(lfirst(lc))) == relid)
			return lfirst(lc);
	question = list_make2(list_make1_oid(relid), NIL);
	collection->questions = lappend(collection->questions, question);
	return question;
}

static void
collect_scan(ForeignScan *scan, Collection *collection)
{
	Index		relid = scan->scan.scanrelid;
	int			number = -1;
	Relids		numbers;
	List	   *question;
	List	   *quals;

	if (relid == 0 ||
		crm_table_synchronised(rt_fetch(relid, collection->plan->rtable)->relid) == NULL)
		return;
	question = find_question(collection, rt_fetch(relid, collection->plan->rtable)->relid);
	quals = copyObject(list_nth(scan->fdw_private, CRM_SCAN_ASK_QUALS));

	/* Conditions kept their number from before the plan's parts were put together. */
	numbers = pull_varnos(NULL, (Node *) quals);
	while ((number = bms_next_member(numbers, number)) >= 0)
		if (number != 1)
			ChangeVarNodes((Node *) quals, number, 1, 0);
	lsecond(question) = list_append_unique(lsecond(question), quals);
}

static List *
further_children(Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_Append:
			return ((Append *) plan)->appendplans;
		case T_MergeAppend:
			return ((MergeAppend *) plan)->mergeplans;
		case T_SubqueryScan:
			return list_make1(((SubqueryScan *) plan)->subplan);
		case T_CustomScan:
			return ((CustomScan *) plan)->custom_plans;
		default:
			return NIL;
	}
}

static void
collect(Plan *plan, Collection *collection)
{
	ListCell   *lc;

	if (plan == NULL)
		return;
	check_stack_depth();
	if (IsA(plan, ForeignScan))
		collect_scan((ForeignScan *) plan, collection);
	collect(outerPlan(plan), collection);
	collect(innerPlan(plan), collection);
	foreach(lc, further_children(plan))
		collect(lfirst(lc), collection);
}

List *
crm_questions_of_plan(PlannedStmt *plan)
{
	Collection	collection = {plan, NIL};
	ListCell   *lc;

	collect(plan->planTree, &collection);
	foreach(lc, plan->subplans)
		collect(lfirst(lc), &collection);
	return collection.questions;
}

/* --------------------------------------------------- several as one */

static CrmAsk *
ask_of_scan(CrmTable *table, List *quals, ParamListInfo params)
{
	CrmAsk	   *ask = palloc_object(CrmAsk);

	crm_ask_from_quals(table, quals, params, ask);
	ask->quals = crm_source_quals(&crm_store_source, table, crm_bind_params(quals, params));
	return ask;
}

static CrmAsk *
all_keys(List *asks)
{
	CrmAsk	   *result = palloc0_object(CrmAsk);
	HTAB	   *known = crm_key_hash("crm_sync keys", sizeof(pg_uuid_t));
	int			n = 0;
	ListCell   *lc;

	foreach(lc, asks)
		n += ((CrmAsk *) lfirst(lc))->nkeys;
	result->by_key = true;
	result->keys = MemoryContextAllocHuge(CurrentMemoryContext, n * sizeof(pg_uuid_t));
	foreach(lc, asks)
	{
		CrmAsk	   *ask = lfirst(lc);

		for (int i = 0; i < ask->nkeys; i++)
		{
			bool		found;

			hash_search(known, &ask->keys[i], HASH_ENTER, &found);
			if (!found)
				result->keys[result->nkeys++] = ask->keys[i];
		}
	}
	return result;
}

/* What is sent for one of several; NULL: nothing that would narrow it. */
static CrmCondition *
condition_of(CrmTable *table, CrmAsk *ask)
{
	if (ask->by_key)
		return crm_condition_keys(&table->entity, ask->keys, ask->nkeys);
	if (ask->filters == NIL)
		return NULL;
	return list_length(ask->filters) == 1 ? linitial(ask->filters) :
		crm_condition_group(CRM_AND, ask->filters);
}

/* The rows of the store that matter to one of them at least; NIL: all. */
static List *
any_quals(List *asks)
{
	List	   *alternatives = NIL;
	ListCell   *lc;

	foreach(lc, asks)
	{
		CrmAsk	   *ask = lfirst(lc);

		if (ask->quals == NIL)
			return NIL;
		alternatives = lappend(alternatives, make_ands_explicit(ask->quals));
	}
	return list_make1(make_orclause(alternatives));
}

/* What lets pass all that any of them lets pass. */
static CrmAsk *
any_of(CrmTable *table, List *asks)
{
	CrmAsk	   *result = palloc0_object(CrmAsk);
	List	   *alternatives = NIL;
	ListCell   *lc;

	result->quals = any_quals(asks);
	foreach(lc, asks)
	{
		CrmCondition *condition = condition_of(table, lfirst(lc));

		if (condition == NULL)
			return result;
		alternatives = lappend(alternatives, condition);
	}
	result->filters = list_make1(crm_condition_group(CRM_OR, alternatives));
	return result;
}

static bool
fits(CrmTable *table, CrmAsk *ask)
{
	CrmConnection *conn = crm_connection_get(table->serverid, table->owner);
	CrmQuery	query = {.entity = &table->entity};

	if (ask->filters == NIL || !crm_pushdown)
		return true;
	query.filter = linitial(ask->filters);
	return conn->protocol->fits(conn, &query);
}

/* One question in place of several, where one can carry them. */
static List *
combine(CrmTable *table, List *asks)
{
	TimestampTz pulled_through;
	bool		by_key = true;
	CrmAsk	   *together;
	ListCell   *lc;

	foreach(lc, asks)
	{
		CrmAsk	   *ask = lfirst(lc);

		if (ask->by_key && ask->nkeys == 0 && list_length(asks) > 1)
			asks = foreach_delete_current(asks, lc);
		else if (!ask->by_key)
			by_key = false;
	}
	if (list_length(asks) == 1)
		return asks;
	if (by_key)
		return list_make1(all_keys(asks));
	together = any_of(table, asks);
	return fits(table, together) || crm_pull_is_complete(table, &pulled_through) ?
		list_make1(together) : asks;
}

static List *
asks_of(CrmTable *table, List *question, ParamListInfo params)
{
	List	   *asks = NIL;
	ListCell   *lc;

	foreach(lc, lsecond(question))
		asks = lappend(asks, ask_of_scan(table, lfirst(lc), params));
	return list_length(asks) == 1 ? asks : combine(table, asks);
}

/* ------------------------------------------------------------- asking */

CrmTable *
crm_question_table(List *question)
{
	return crm_table_get(linitial_oid(linitial(question)));
}

bool
crm_question_is_answered(List *question)
{
	CrmAnswer	answer;

	return crm_age_whole_within(crm_question_table(question), &answer);
}

/* Several requests in one: it was asked now if a part of it was. */
static void
add_asked(CrmAsked *sum, CrmAsked asked)
{
	sum->requests += asked.requests;
	sum->objects += asked.objects;
	sum->written += asked.written;
	if (sum->answer != CRM_ANSWER_ASKED)
		sum->answer = asked.answer;
	sum->overlay = asked.overlay;
}

CrmReply *
crm_question_put(List *question, ParamListInfo params, bool describe, MemoryContext statement)
{
	CrmReply   *reply = palloc0_object(CrmReply);
	ListCell   *lc;

	reply->table = crm_question_table(question);
	foreach(lc, asks_of(reply->table, question, params))
	{
		if (describe)
			reply->requests = lappend(reply->requests,
									   crm_ask_describe(reply->table, lfirst(lc)));
		add_asked(&reply->asked, crm_pull(reply->table, lfirst(lc), statement));
	}
	return reply;
}

/* ---------------------------------------------------------- explaining */

char *
crm_ask_describe(CrmTable *table, const CrmAsk *ask)
{
	if (crm_mode == CRM_MODE_LOCAL)
		return "none (crm_sync.mode is local)";
	if (ask->by_key && ask->nkeys == 0)
		return "none (nothing can match)";
	return crm_pull_describe(crm_connection_get(table->serverid, table->owner), table, ask);
}

List *
crm_question_requests(List *question, ParamListInfo params)
{
	CrmTable   *table = crm_question_table(question);
	List	   *requests = NIL;
	ListCell   *lc;

	foreach(lc, asks_of(table, question, params))
		requests = lappend(requests, crm_ask_describe(table, lfirst(lc)));
	return requests;
}

/* Counts are of all rows, also of those that policies hide from who asks. */
static bool
is_hidden(CrmTable *table)
{
	return OidIsValid(table->store) && !crm_overlay_is_allowed(table) &&
		!has_privs_of_role(GetUserId(), table->owner);
}

void
crm_explain_asked(const CrmAsked *asked, CrmTable *table, ExplainState *es)
{
	if (is_hidden(table))
		return;
	ExplainPropertyInteger("CDMS Requests Sent", NULL, asked->requests, es);
	ExplainPropertyInteger("CDMS Objects Received", NULL, asked->objects, es);
	if (!OidIsValid(table->store))
		return;
	ExplainPropertyInteger("Store Rows Written", NULL, asked->written, es);
	if (!crm_overlay_is_empty(asked->overlay))
		ExplainPropertyInteger("Rows Overlaid", NULL, crm_overlay_count(asked->overlay), es);
	if (table->max_age > 0 || asked->answer > CRM_ANSWER_ASKED)
		ExplainPropertyText("CDMS Answer", crm_answer_name(asked->answer), es);
}
