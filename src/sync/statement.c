/*
 * sync/statement.c
 *	  Planning and running statements on stores.
 *
 * SPI would do, but for two things: it checks rights against the current user,
 * so that one would have to become the owner and with him run the triggers and
 * operators of others; and it copies the rows it returns.  So the statement is
 * analysed here, the owner is written into its range table, and the executor is
 * driven directly.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/analyze.h"
#include "parser/parsetree.h"
#include "tcop/dest.h"
#include "tcop/tcopprot.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/queryenvironment.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "rights.h"
#include "sync/statement.h"

#define EXPECTED_ROWS 50		/* a page */

static uint64 rollbacks = 0;	/* of subtransactions, in this session */

struct CrmScan
{
	CrmStatement *statement;
	Snapshot	snapshot;
	QueryDesc  *desc;			/* NULL: not started */
	MemoryContext memory;		/* of desc */
};

/* A destination that hands each row to a visitor. */
typedef struct VisitReceiver
{
	DestReceiver pub;
	CrmRowVisitor visit;
	void	   *arg;
	MemoryContext memory;		/* the caller's */
} VisitReceiver;

/*
 * Names are looked up as the table's owner: a reader need have no rights on the
 * store's schema.  Nothing of anybody's runs here.
 */
static Query *
analysed(CrmStatement *statement, CrmTable *table)
{
	Query	   *query;
	CrmRights	former;

	crm_rights_take(&former, table->owner);
	query = parse_analyze_fixedparams(linitial_node(RawStmt, pg_parse_query(statement->sql)),
									  statement->sql, statement->types, statement->nparams,
									  statement->rows);
	crm_rights_give_back(&former);
	return query;
}

/* A rule would make another statement of it, or several. */
static void
refuse_rules(Query *query)
{
	Relation	target;

	if (query->resultRelation == 0)
		return;
	target = table_open(rt_fetch(query->resultRelation, query->rtable)->relid, NoLock);
	if (target->rd_rules)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a store can't have rules"),
				 errhint("Use triggers instead.")));
	table_close(target, NoLock);
}

/*
 * The SQL names the store, by its name.  While CDMS was asked somebody may have given
 * the name to something else, or have made a view of the store, whose functions would
 * run as whoever runs the statement; now it is locked.
 */
static bool
check_relations(Node *node, void *table)
{
	ListCell   *lc;

	if (node == NULL)
		return false;
	if (!IsA(node, Query))
		return expression_tree_walker(node, check_relations, table);
	foreach(lc, ((Query *) node)->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);

		if (rte->rtekind == RTE_RELATION &&
			(rte->relid != ((CrmTable *) table)->store ||
			 get_rel_relkind(rte->relid) != RELKIND_RELATION))
			crm_table_throw_altered(table);
	}
	return query_tree_walker((Query *) node, check_relations, table, 0);
}

/*
 * Row security may add to it.  Nobody's code runs here, or it would be spared its
 * FORCE, too, in tables of others.
 */
static Query *
rewritten(Query *query, bool unfiltered)
{
	Oid			user;
	int			security;

	GetUserIdAndSecContext(&user, &security);
	if (unfiltered)
		SetUserIdAndSecContext(user, security | SECURITY_NOFORCE_RLS);
	query = linitial_node(Query, pg_rewrite_query(query));
	SetUserIdAndSecContext(user, security);
	return query;
}

static void
plan(CrmStatement *statement, CrmTable *table, List *quals)
{
	Query	   *query = analysed(statement, table);

	(void) check_relations((Node *) query, table);
	refuse_rules(query);
	crm_table_check_unaltered(table);
	/* Conditions on an overlay are on columns of the table's own types. */
	if (quals != NIL && rt_fetch(1, query->rtable)->rtekind == RTE_RELATION)
		crm_table_check_vars(table, quals);
	crm_query_check_as(query, table->owner);
	if (quals != NIL)
		query->jointree->quals =
			make_and_qual(query->jointree->quals, (Node *) make_ands_explicit(quals));

	query = rewritten(query, statement->unfiltered);
	statement->plan = pg_plan_query(query, statement->sql, 0, NULL);
}

/*
 * Planning runs what is immutable of the owner's: in defaults, in the predicates of
 * indexes.  So it is he who plans, in a security-restricted operation; unless there
 * are conditions of the reader's, in which what is his would run as well.
 */
static void
plan_as_owner(CrmStatement *statement, CrmTable *table, List *quals)
{
	CrmRights	former;

	statement->rollbacks = rollbacks;
	if (quals != NIL)
	{
		plan(statement, table, quals);
		return;
	}
	crm_rights_take(&former, table->owner);
	plan(statement, table, NIL);
	crm_rights_give_back(&former);
}

static CrmStatement *
make_statement(const char *sql, int nparams, const Oid *types)
{
	CrmStatement *statement = palloc0_object(CrmStatement);

	statement->sql = pstrdup(sql);
	statement->nparams = nparams;
	statement->types = palloc_array(Oid, nparams + 1);
	if (nparams > 0)
		memcpy(statement->types, types, nparams * sizeof(Oid));
	return statement;
}

CrmStatement *
crm_statement_prepare(const char *sql, int nparams, const Oid *types, CrmTable *table,
					  List *quals)
{
	CrmStatement *statement = make_statement(sql, nparams, types);

	plan_as_owner(statement, table, quals);
	return statement;
}

CrmStatement *
crm_statement_prepare_unfiltered(const char *sql, int nparams, const Oid *types, CrmTable *table)
{
	CrmStatement *statement = make_statement(sql, nparams, types);

	statement->unfiltered = true;
	plan_as_owner(statement, table, NIL);
	return statement;
}

CrmStatement *
crm_statement_prepare_rows(const char *sql, TupleDesc rows, CrmTable *table)
{
	CrmStatement *statement = make_statement(sql, 0, NULL);
	EphemeralNamedRelation relation = palloc0_object(EphemeralNamedRelationData);

	relation->md.name = "crm_rows";
	relation->md.reliddesc = InvalidOid;
	relation->md.tupdesc = rows;
	relation->md.enrtype = ENR_NAMED_TUPLESTORE;
	relation->md.enrtuples = EXPECTED_ROWS;
	statement->unfiltered = true;
	statement->rows = create_queryEnv();
	register_ENR(statement->rows, relation);
	plan_as_owner(statement, table, NIL);
	return statement;
}

bool
crm_statement_is_locked(const CrmStatement *statement)
{
	return statement->rollbacks == rollbacks;
}

void
crm_statement_at_subabort(void)
{
	rollbacks++;
}

/* Ways to find rows that read a table from end to end. */
static const char *const reading_all[] = {"enable_seqscan", "enable_hashjoin", "enable_mergejoin"};

int
crm_guc_by_index(void)
{
	int			level = NewGUCNestLevel();

	for (int i = 0; i < lengthof(reading_all); i++)
		(void) set_config_option(reading_all[i], "off", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	return level;
}

static ParamListInfo
make_params(CrmStatement *statement, Datum *values, bool *nulls)
{
	ParamListInfo params;

	if (statement->nparams == 0)
		return NULL;
	params = makeParamList(statement->nparams);
	for (int i = 0; i < statement->nparams; i++)
	{
		params->params[i].value = values[i];
		params->params[i].isnull = nulls ? nulls[i] : false;
		params->params[i].ptype = statement->types[i];
		params->params[i].pflags = 0;
	}
	return params;
}

/* The caller's values need not outlive the call. */
static void
copy_params(ParamListInfo params)
{
	for (int i = 0; params && i < params->numParams; i++)
	{
		ParamExternData *param = &params->params[i];
		int16		length;
		bool		byval;

		get_typlenbyval(param->ptype, &length, &byval);
		if (!param->isnull)
			param->value = datumCopy(param->value, byval, length);
	}
}

static bool
visit_row(TupleTableSlot *slot, DestReceiver *self)
{
	VisitReceiver *receiver = (VisitReceiver *) self;
	MemoryContext before;

	if (receiver->visit)
	{
		/* The executor's own goes when the statement ends. */
		before = MemoryContextSwitchTo(receiver->memory);
		receiver->visit(slot, receiver->arg);
		MemoryContextSwitchTo(before);
	}
	return true;
}

static void
visit_startup(DestReceiver *self, int operation, TupleDesc desc)
{
}

static void
visit_nothing(DestReceiver *self)
{
}

uint64
crm_statement_run(CrmStatement *statement, Datum *values, bool *nulls,
				  CrmRowVisitor visit, void *arg)
{
	VisitReceiver receiver = {
		{visit_row, visit_startup, visit_nothing, visit_nothing, DestNone}, visit, arg, CurrentMemoryContext
	};
	QueryDesc  *desc;
	uint64		processed;

	PushActiveSnapshot(GetTransactionSnapshot());
	desc = CreateQueryDesc(statement->plan, statement->sql, GetActiveSnapshot(),
						   InvalidSnapshot, &receiver.pub,
						   make_params(statement, values, nulls), statement->rows, 0);
	ExecutorStart(desc, 0);
	crm_executor_run(desc);
	processed = desc->estate->es_processed;
	ExecutorFinish(desc);
	ExecutorEnd(desc);
	FreeQueryDesc(desc);
	PopActiveSnapshot();
	if (statement->plan->commandType != CMD_SELECT)
		CommandCounterIncrement();
	return processed;
}

uint64
crm_statement_run_rows(CrmStatement *statement, Tuplestorestate *rows, CrmRowVisitor visit,
					   void *arg)
{
	get_ENR(statement->rows, "crm_rows")->reldata = rows;
	return crm_statement_run(statement, NULL, NULL, visit, arg);
}

CrmScan *
crm_scan_open(CrmStatement *statement, Snapshot snapshot)
{
	CrmScan    *scan = palloc0_object(CrmScan);

	scan->statement = statement;
	scan->snapshot = snapshot;
	scan->memory = AllocSetContextCreate(CurrentMemoryContext, "crm_sync store scan",
										 ALLOCSET_DEFAULT_SIZES);
	return scan;
}

static void
stop(CrmScan *scan)
{
	if (scan->desc)
	{
		ExecutorFinish(scan->desc);
		ExecutorEnd(scan->desc);
		FreeQueryDesc(scan->desc);
		scan->desc = NULL;
	}
	MemoryContextReset(scan->memory);
}

void
crm_scan_rescan(CrmScan *scan, Datum *values, bool *nulls)
{
	MemoryContext before;
	ParamListInfo params;

	stop(scan);
	before = MemoryContextSwitchTo(scan->memory);
	params = make_params(scan->statement, values, nulls);
	copy_params(params);
	scan->desc = CreateQueryDesc(scan->statement->plan, scan->statement->sql, scan->snapshot,
								 InvalidSnapshot, None_Receiver, params, NULL, 0);
	ExecutorStart(scan->desc, EXEC_FLAG_SKIP_TRIGGERS);

	/*
	 * A row that the statement has written itself since its snapshot was taken is
	 * then passed over, as in an UPDATE of a table.
	 */
	if (scan->statement->plan->rowMarks != NIL)
		scan->desc->estate->es_output_cid = scan->snapshot->curcid;
	MemoryContextSwitchTo(before);
}

TupleTableSlot *
crm_scan_next(CrmScan *scan)
{
	EState	   *estate = scan->desc->estate;
	MemoryContext before = MemoryContextSwitchTo(estate->es_query_cxt);
	TupleTableSlot *slot;

	ResetPerTupleExprContext(estate);
	slot = ExecProcNode(scan->desc->planstate);
	MemoryContextSwitchTo(before);
	return TupIsNull(slot) ? NULL : slot;
}

void
crm_scan_close(CrmScan *scan)
{
	stop(scan);
	MemoryContextDelete(scan->memory);
	pfree(scan);
}
