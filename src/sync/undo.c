/*
 * sync/undo.c
 *	  A transaction's writes are all or nothing (contract, write rule 3): when one
 *	  is refused, those before it are taken back, with the rows still locked here.
 *
 * CDMS has no transaction and no compare-and-swap.  So each object is got first:
 * what differs from what was sent is somebody else's by now and stays.  An object
 * that was deleted is created again under its key; what CDMS sets itself, and
 * what it deleted along with it, is lost, and that is said.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "sync/attempt.h"
#include "sync/pull.h"
#include "sync/store.h"
#include "sync/undo.h"

#define UNDO_TIMEOUT_MS 60000	/* for all of it; the caller waits for it */
#define MOST_LOST 2				/* requests in a row, then the rest is left */
#define MOST_CANCELS 10			/* of one undoing that is not to be canceled */

static void
keep_now(CrmObject *objects, int n, void *arg)
{
	if (n > 0)
		((CrmUndoing *) arg)->now = &objects[0];
}

/* CDMS rounds amounts, and dates to whole seconds: is that all there is between them? */
static bool
is_rounded(const CrmField *field, Datum sent, Datum now)
{
	Datum		rounded;
	TimestampTz difference;

	if (field->basetype == NUMERICOID)
	{
		int			scale = DatumGetInt32(DirectFunctionCall1(numeric_scale, now));

		rounded = DirectFunctionCall2(numeric_round, sent, Int32GetDatum(scale));
		return DatumGetBool(DirectFunctionCall2(numeric_eq, rounded, now));
	}
	if (field->basetype == TIMESTAMPTZOID)
	{
		difference = DatumGetTimestampTz(sent) - DatumGetTimestampTz(now);
		return difference > -USECS_PER_SEC && difference < USECS_PER_SEC;
	}
	return field->scalar == CRM_DOUBLE;
}

bool
crm_undo_holds(CrmObject *object, const CrmEntity *entity, const CrmAssignment *assignment)
{
	int			field = assignment->field - entity->fields;

	if (crm_value_equal(assignment->field->pgtype, assignment->value, assignment->isnull,
						object->values[field], object->nulls[field]))
		return true;
	return !assignment->isnull && !object->nulls[field] &&
		is_rounded(assignment->field, assignment->value, object->values[field]);
}

static CrmAssignment *
assignment_of(List *assignments, const CrmField *field)
{
	ListCell   *lc;

	foreach(lc, assignments)
		if (((CrmAssignment *) lfirst(lc))->field == field)
			return lfirst(lc);
	return NULL;
}

/* One write, now; what CDMS or the network says against it is an ERROR. */
static CrmOutcome
write_now(CrmSent *sent, CrmWriteKind kind, List *assignments)
{
	CrmWrite	write = {
		.kind = kind,.entity = &sent->table->entity,.key = sent->key,.assignments = assignments
	};

	sent->conn->protocol->write(sent->conn, list_make1(&write));
	if (write.error)
		ReThrowError(write.error);
	return write.outcome;
}

static void
undo_create(CrmUndoing *undoing)
{
	CrmSent    *sent = undoing->sent;
	ListCell   *lc;

	if (undoing->now == NULL)
	{
		/* Hidden from him whose creation was answered; of others nobody knows. */
		undoing->undone = sent->answered && write_now(sent, CRM_REMOVE, NIL) == CRM_DONE;
		return;
	}
	/* Of its key alone every object is one that it may have made. */
	if (!sent->answered && list_length(sent->after) < 2)
	{
		undoing->left = CRM_ANYBODYS;
		return;
	}
	foreach(lc, sent->after)
		if (!crm_undo_holds(undoing->now, &sent->table->entity, lfirst(lc)))
		{
			undoing->left = CRM_CHANGED_SINCE;
			return;
		}
	(void) write_now(sent, CRM_REMOVE, NIL);
	undoing->undone = true;
}

static void
undo_update(CrmUndoing *undoing)
{
	CrmSent    *sent = undoing->sent;
	CrmEntity  *entity = &sent->table->entity;
	List	   *restored = NIL;
	ListCell   *lc;

	if (undoing->now == NULL)
	{
		undoing->left = CRM_GONE_SINCE;
		return;
	}
	foreach(lc, sent->before)
	{
		CrmAssignment *before = lfirst(lc);
		CrmAssignment *after = assignment_of(sent->after, before->field);

		if (crm_undo_holds(undoing->now, entity, before))
			continue;
		if (after && crm_undo_holds(undoing->now, entity, after))
			restored = lappend(restored, before);
		else
			undoing->left = CRM_CHANGED_SINCE;
	}
	if (restored == NIL)
		return;
	(void) write_now(sent, CRM_UPDATE, restored);
	undoing->undone = true;
}

static void
undo_delete(CrmUndoing *undoing)
{
	CrmSent    *sent = undoing->sent;

	if (undoing->now && sent->remainder != CRM_BEING_CREATED)
		return;					/* it was not carried out */
	sent->remainder = CRM_BEING_CREATED;	/* also where CDMS does it and does not answer */
	if (undoing->now == NULL && write_now(sent, CRM_CREATE, sent->before) == CRM_DUPLICATE)
		undoing->left = CRM_TAKEN_SINCE;
	else
		undoing->left = CRM_CREATED_AGAIN;
}

static void (*const undo_actions[]) (CrmUndoing *undoing) = {
	[CRM_SENT_CREATE] = undo_create,
	[CRM_SENT_UPDATE] = undo_update,
	[CRM_SENT_DELETE] = undo_delete,
};

static void
undo_one(void *arg)
{
	CrmUndoing *undoing = arg;
	CrmSent    *sent = undoing->sent;

	crm_pull_by_keys(sent->conn, sent->table, &sent->key, 1, keep_now, undoing);
	undo_actions[sent->action] (undoing);
}

const char *
crm_undo_remainder(CrmRemainder remainder)
{
	static const char *const words[] = {
		[CRM_CREATED_AGAIN] = "it was created again, without what CDMS sets itself",
		[CRM_CHANGED_SINCE] = "somebody has changed it since",
		[CRM_GONE_SINCE] = "it is not in CDMS any more",
		[CRM_TAKEN_SINCE] = "it was deleted, and is hidden or somebody else's now",
		[CRM_ANYBODYS] = "nobody knows whether it was made by this transaction",
		[CRM_ELSEWHERE] = "its table belongs to another server by now",
	};

	return words[remainder];
}

static void
append_left(StringInfo text, CrmSent *sent, const char *reason)
{
	appendStringInfo(text, " %s(guid'%s'): %s.", sent->table->entity.set,
					 DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&sent->key))),
					 reason);
}

static void
note_failure(CrmUndoing *undoing, const char *reason)
{
	undoing->failure = psprintf("it could not be undone: %s", reason);
}

static bool
is_cancel(const ErrorData *error)
{
	return error && error->sqlerrcode == ERRCODE_QUERY_CANCELED;
}

/* The error, if it was not undone. */
static ErrorData *
undo_attempt(CrmUndoing *undoing, bool cancelable)
{
	ErrorData  *error = crm_attempt(undo_one, undoing);

	/* Not for ever: an owner's check can throw the same. */
	for (int i = 0; i < MOST_CANCELS && is_cancel(error) && !cancelable; i++)
		error = crm_attempt(undo_one, undoing);
	if (error)
		note_failure(undoing, error->message);
	else if (undoing->left)
		undoing->sent->remainder = undoing->left;
	return error;
}

static bool
is_unreached(const ErrorData *error)
{
	return error && ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_CONNECTION_EXCEPTION;
}

List *
crm_undo(List *sent, ErrorData **canceled)
{
	List	   *undoings = NIL;
	int			lost = 0;		/* in a row */
	ErrorData  *error = NULL;

	crm_http_set_deadline(TimestampTzPlusMilliseconds(GetCurrentTimestamp(), UNDO_TIMEOUT_MS),
						  "commit_timeout");
	for (int i = list_length(sent) - 1; i >= 0; i--)
	{
		CrmUndoing *undoing;

		if (((CrmSent *) list_nth(sent, i))->not_done)
			continue;
		undoing = palloc0_object(CrmUndoing);
		undoing->sent = list_nth(sent, i);
		if (canceled && *canceled)
			note_failure(undoing, (*canceled)->message);
		else if (lost < MOST_LOST)
		{
			error = undo_attempt(undoing, canceled != NULL);
			lost = is_unreached(error) ? lost + 1 : 0;
			if (canceled && is_cancel(error))
				*canceled = error;
		}
		else
			note_failure(undoing, "CDMS does not answer");
		undoings = lappend(undoings, undoing);
	}
	return undoings;
}

char *
crm_undo_summary(List *undoings)
{
	StringInfoData left;
	bool		undone = false;
	ListCell   *lc;

	initStringInfo(&left);
	foreach(lc, undoings)
	{
		CrmUndoing *undoing = lfirst(lc);

		undone |= undoing->undone;
		if (undoing->failure)
			append_left(&left, undoing->sent, undoing->failure);
		else if (undoing->left)
			append_left(&left, undoing->sent, crm_undo_remainder(undoing->left));
	}
	if (left.len == 0 && !undone)
		return NULL;
	if (left.len == 0)
		return "What had been sent of this transaction was undone in CDMS.";
	return psprintf("Not all that had been sent of this transaction could be undone in CDMS:%s",
					left.data);
}
