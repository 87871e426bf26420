/*
 * fdw/store_plan.h
 *	  Queries over synchronised tables, planned over their stores.
 */
#ifndef CRM_STORE_PLAN_H
#define CRM_STORE_PLAN_H

#include "postgres.h"
#include "nodes/plannodes.h"

/*
 * A plan over stores is one node, below it what PostgreSQL planned for the same
 * query over the stores, and in it the plan with foreign scans, for when the stores
 * are not the answer.
 */
enum CrmStorePlanPrivate
{
	CRM_STORE_PLAN_QUESTIONS,	/* see crm_questions_of_plan */
	CRM_STORE_PLAN_GENERAL		/* PlannedStmt */
};

/* The node of such a plan; NULL when it is another. */
extern CustomScan *crm_store_plan(PlannedStmt *plan);

/* Setting crm_sync.store_plans: are there such plans at all? */
extern bool crm_store_plans;

/*
 * Close relations that were opened lest the code of owners alters them.  Their locks
 * stay, and the list is freed.
 */
extern void crm_let_go(List *relations);

extern void crm_store_plan_init(void);

#endif							/* CRM_STORE_PLAN_H */
