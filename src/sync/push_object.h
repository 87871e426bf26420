/*
 * sync/push_object.h
 *	  From rows of the outbox to objects: what is to be done for each, and in
 *	  which order.
 */
#ifndef CRM_PUSH_OBJECT_H
#define CRM_PUSH_OBJECT_H

#include "postgres.h"
#include "utils/hsearch.h"
#include "utils/jsonb.h"

#include "cdms/cdms.h"
#include "sync/store.h"
#include "sync/table.h"
#include "sync/undo.h"

typedef enum CrmPushAction
{
	CRM_PUSH_NONE,				/* in the end nothing changed */
	CRM_PUSH_CREATE,
	CRM_PUSH_UPDATE,
	CRM_PUSH_DELETE
} CrmPushAction;

typedef struct CrmPushKey
{
	pg_uuid_t	key;
	Oid			store;
} CrmPushKey;

/* All that is to be done for one object. */
typedef struct CrmPushObject
{
	CrmPushKey	id;				/* hash key */
	CrmTable   *table;
	List	   *rows;			/* CrmOutboxRow *, in order, of one role */
	List	   *others;			/* CrmOutboxRow *, in order: wait for another push */
	CrmPushAction		action;
	CrmConnection *conn;		/* the writing role's */
	List	   *columns;		/* CrmColumn * to send (update) */
	CrmStoreRow *row;			/* as it stands here, less what others wrote (create,
								 * update) */
	CrmObject  *got;			/* as it stood in CDMS, or NULL */
	CrmObject  *made;			/* what CDMS made of it (create) */
	bool		gone;			/* CDMS was asked, and did not show it (deletion) */
	bool		maybe_done;		/* a write of it got no answer */
	CrmSent    *unanswered;		/* note of that write until it is sent again, or NULL */
	int			ways;			/* how often what CDMS has made it another action */
	List	   *deferred;		/* CrmColumn *: references sent after creation */
	CrmSent    *write;			/* as it was planned, or NULL */
	int			level;			/* deeper than all it refers to */
	bool		ordered;
	bool		open;			/* what it refers to is being ordered */
} CrmPushObject;

/* One round of pushing. */
typedef struct CrmPush
{
	HTAB	   *index;			/* of CrmPushObject, by key and store */
	List	   *stores;			/* that occur in it */
	List	   *objects;		/* in order of their first change */
} CrmPush;

/* The table of a store that has something to send; ERROR when there is none. */
extern CrmTable *crm_push_table(Oid store);

/*
 * The rows, with those of pending creations that they refer to: CDMS takes no
 * reference to what it does not have.  Only of tables with the same owner and
 * server, that may be written.  ERROR 55P03 where another session has the row of one.
 */
extern List *crm_push_with_parents(List *rows);

/*
 * The objects that these rows (CrmOutboxRow *) are about, with the store's rows
 * and what is to be done for them.  Of each object they are one role's.
 */
extern CrmPush *crm_push_collect(List *rows);

extern CrmPushObject *crm_push_find(CrmPush *push, const pg_uuid_t *key, Oid store,
									HASHACTION action, bool *found);

/* A column's value in a row that was kept as jsonb, or in none: null. */
extern Datum crm_push_json_value(Jsonb *json, CrmColumn *column, CrmField *field, bool *isnull);

/* What the column held when it was last in step with CDMS. */
extern Datum crm_push_base_value(CrmPushObject *object, CrmColumn *column, bool *isnull);

/* Was it waiting before this transaction wrote it? */
extern bool crm_push_was_pending(CrmPushObject *object);

/*
 * Does it go out whatever becomes of this transaction?  All of it was pending, or
 * it is a creation that was, which is known again when it is repeated.
 */
extern bool crm_push_is_sent_again(CrmPushObject *object);

/* Is the column one whose value CDMS takes? */
extern bool crm_push_is_sent(const CrmColumn *column);

extern CrmField *crm_push_field(CrmTable *table, const CrmColumn *column);

/*
 * Values to be written (CrmAssignment *) by column name, in the form that history
 * keeps rows in; and back, less the columns that are there no more.
 */
extern Datum crm_push_assignments_json(CrmTable *table, List *assignments);
extern List *crm_push_assignments_from_json(CrmTable *table, Jsonb *json);

/*
 * The objects with this action: what an object refers to comes before it.
 */
extern List *crm_push_in_order(CrmPush *push, CrmPushAction action);

/* Those of them that have this level: none refers to another.  NIL: nor has any a higher. */
extern List *crm_push_at_level(List *objects, int level);

/*
 * Calls visit with each group of objects that have one table and one connection
 * and of which wanted is true.
 */
typedef bool (*CrmPushTest) (CrmPushObject *object);
typedef void (*CrmPushVisitor) (CrmPush *push, CrmTable *table, CrmConnection *conn, List *objects);

extern void crm_push_foreach_group(CrmPush *push, CrmPushTest wanted, CrmPushVisitor visit);

/* The keys of a list of objects, as an array. */
extern pg_uuid_t *crm_push_keys(List *objects);

#endif							/* CRM_PUSH_OBJECT_H */
