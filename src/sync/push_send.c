/*
 * sync/push_send.c
 *	  Sending the writes of a COMMIT.
 *
 * Writes that don't depend on each other go out together.  Each is noted first, for
 * should the transaction fail it may have to be undone.  An answer may be lost: a
 * change carries absolute values and a deletion names its object, so they are
 * repeated; a creation only when the object is not there, by its key.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "sync/connection.h"
#include "sync/ledger.h"
#include "sync/push_got.h"
#include "sync/push_send.h"

#define MOST_WAYS 3				/* to write an object: there, gone, there again */

/* A write that is under way. */
typedef struct Sending
{
	CrmPushObject *object;
	CrmSent    *note;
	CrmWrite	write;
} Sending;

/* ------------------------------------------------------ what is written */

static List *
assign(List *assignments, CrmTable *table, CrmColumn *column, Datum value, bool isnull)
{
	CrmAssignment *assignment = palloc_object(CrmAssignment);

	assignment->field = crm_push_field(table, column);
	assignment->value = column->constant ? crm_table_constant(table, column) : value;
	assignment->isnull = column->constant ? false : isnull;
	return lappend(assignments, assignment);
}

/* Values of the columns wanted, and constants, which go with every write. */
static List *
make_assignments(CrmPushObject *object, bool all)
{
	CrmTable   *table = object->table;
	List	   *result = NIL;

	for (int i = 0; i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];
		bool		wanted;

		if (!crm_push_is_sent(column) || (column == table->key && !all) ||
			list_member_ptr(object->deferred, column))
			continue;
		wanted = all ? !object->row->nulls[column->field] :
			list_member_ptr(object->columns, column);
		if (wanted || column->constant)
			result = assign(result, table, column, object->row->values[column->field],
							object->row->nulls[column->field]);
	}
	return result;
}

/* The value that a column had in CDMS before, as a write that puts it back. */
static List *
assign_before(List *assignments, CrmPushObject *object, CrmColumn *column)
{
	CrmAssignment *assignment = palloc_object(CrmAssignment);

	assignment->field = crm_push_field(object->table, column);
	if (object->got)
	{
		assignment->value = object->got->values[column->field];
		assignment->isnull = object->got->nulls[column->field];
	}
	else
		assignment->value = crm_push_base_value(object, column, &assignment->isnull);
	return lappend(assignments, assignment);
}

/* What puts back an update, or an object that is deleted. */
static List *
before_assignments(CrmPushObject *object)
{
	CrmTable   *table = object->table;
	List	   *result = NIL;

	for (int i = 0; i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];

		if (!crm_push_is_sent(column) || list_member_ptr(object->deferred, column))
			continue;
		if (object->action == CRM_PUSH_DELETE || list_member_ptr(object->columns, column) ||
			(column->constant && object->got))
			result = assign_before(result, object, column);
	}
	return result;
}

static CrmSent *
make_write(CrmPushObject *object, CrmSentAction action, List *before, List *after)
{
	CrmSent    *write = palloc0_object(CrmSent);

	write->action = action;
	write->table = object->table;
	write->conn = object->conn;
	write->role = ((CrmOutboxRow *) llast(object->rows))->role;
	write->key = object->id.key;
	write->sent_again = crm_push_is_sent_again(object);
	write->before = before;
	write->after = after;
	if (object->write)
		write->intent = object->write->intent;
	else
		ItemPointerSetInvalid(&write->intent);
	return write;
}

CrmSent *
crm_push_plan(CrmPushObject *object)
{
	switch (object->action)
	{
		case CRM_PUSH_CREATE:
			return make_write(object, CRM_SENT_CREATE, NIL, make_assignments(object, true));
		case CRM_PUSH_UPDATE:
			return make_write(object, CRM_SENT_UPDATE, before_assignments(object),
							  make_assignments(object, false));
		case CRM_PUSH_DELETE:
			return make_write(object, CRM_SENT_DELETE, before_assignments(object), NIL);
		case CRM_PUSH_NONE:
			break;
	}
	return NULL;
}

void
crm_push_check(CrmPushObject *object)
{
	if (object->action == CRM_PUSH_CREATE || object->action == CRM_PUSH_UPDATE)
		object->conn->protocol->check(object->conn, &object->table->entity,
									  make_assignments(object, object->action == CRM_PUSH_CREATE));
}

/* ------------------------------------------------- what became of it */

static char *
key_text(CrmPushObject *object)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&object->id.key)));
}

static void
throw_duplicate(CrmPushObject *object, bool hidden)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("CDMS already has an object of key %s of entity \"%s\"", key_text(object),
					object->table->entity.name),
			 hidden ? errdetail("It is hidden from this user.") :
			 errhint("SELECT it from %s, then UPDATE it.", object->table->name)));
}

/* It is written another way now.  Not for ever, whatever CDMS says. */
static void
go_another_way(CrmPushObject *object, List **again)
{
	if (++object->ways > MOST_WAYS)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("CDMS says of object %s of %s both that it is there and that it is not",
						key_text(object), object->table->name)));
	object->maybe_done = false;
	object->unanswered = NULL;
	*again = lappend(*again, object);
}

/* Is all there is to push that a read did not find it? */
static bool
is_found_missing(CrmPushObject *object)
{
	CrmOutboxRow *row = linitial(object->rows);

	return list_length(object->rows) == 1 && row->operation == 'i' && row->changed == NULL;
}

static bool
holds_all(CrmPushObject *object, List *assignments)
{
	ListCell   *lc;

	foreach(lc, assignments)
		if (!crm_undo_holds(object->got, &object->table->entity, lfirst(lc)))
			return false;
	return true;
}

/* Rights on the store are as good: whoever has them can write to it. */
static bool
may_update(CrmPushObject *object, Oid role)
{
	CrmTable   *table = object->table;
	ListCell   *lc;

	if (pg_class_aclcheck(table->relid, role, ACL_UPDATE) == ACLCHECK_OK ||
		pg_class_aclcheck(table->store, role, ACL_UPDATE) == ACLCHECK_OK)
		return true;
	foreach(lc, object->columns)
		if (pg_attribute_aclcheck(table->relid, ((CrmColumn *) lfirst(lc))->attnum, role,
								  ACL_UPDATE) != ACLCHECK_OK)
			return false;
	return true;
}

/* What differs between the row and what CDMS has, as columns to be sent. */
static void
collect_different(CrmPushObject *object)
{
	CrmTable   *table = object->table;

	for (int i = 0; i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];

		if (crm_push_is_sent(column) && column != table->key && !object->row->nulls[column->field] &&
			!crm_value_equal(column->type, object->row->values[column->field], false,
							 object->got->values[column->field], object->got->nulls[column->field]))
			object->columns = lappend(object->columns, column);
	}
}

/*
 * What differs is written over what was got, which is noted.  That takes the right to
 * change, or INSERT would give it: whose object it is nobody can say, for that it was
 * sent before does not mean that it was not there then.
 */
static void
update_existing(CrmPushObject *object, CrmSent *write, List **again)
{
	write->not_done = true;
	object->action = CRM_PUSH_UPDATE;
	collect_different(object);
	if (object->columns == NIL)
		object->deferred = NIL;
	else if ((object->deferred != NIL || !holds_all(object, write->after)) &&
			 !may_update(object, write->role))
		throw_duplicate(object, false);
	else
		crm_push_note_conflict(object);
	/* References that are put off go out later. */
	object->columns = list_difference_ptr(object->columns, object->deferred);
	if (object->columns != NIL)
		go_another_way(object, again);
}

/*
 * Did the write surely not happen?  Of an answer that was lost nobody can say, and a
 * 500 may come from anybody on the way.
 */
static bool
is_surely_not_done(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION ||
		error->sqlerrcode == ERRCODE_INVALID_PASSWORD;
}

/* It is in CDMS as it was sent, so the answer to its creation was lost. */
static void
note_arrival(Sending *sending)
{
	sending->object->made = sending->object->got;
	sending->note->answered = true;
	sending->note->not_done = false;
}

/*
 * A creation is of an object that is there: its answer was lost, or, when it was
 * pending, the answer to an earlier one; or somebody else made it.
 */
static void
treat_existing(Sending *sending, List **again)
{
	CrmPushObject *object = sending->object;

	if (is_found_missing(object))
	{
		/* It is back, or was hidden: CDMS's version stands. */
		object->action = CRM_PUSH_UPDATE;
		object->deferred = NIL;
	}
	else if (object->got && object->maybe_done && holds_all(object, sending->note->after))
		note_arrival(sending);
	else if (object->got && crm_push_was_pending(object))
		update_existing(object, sending->note, again);
	else
		throw_duplicate(object, object->got == NULL && crm_push_was_pending(object));
}

/* The first refusal is the transaction's; it is thrown when all have been answered. */
typedef struct Verdict
{
	ErrorData  *refusal;
	List	   *unknown;		/* Sending *: got no answer */
	List	   *again;			/* CrmPushObject *: to be written another way */
} Verdict;

/* A note speaks for the writes of the object that got no answer before, too. */
static void
note_not_done(Sending *sending, bool not_done)
{
	sending->note->not_done = not_done && !sending->object->maybe_done;
}

/*
 * What the outcome says of the note; nothing here can fail, so that no note of a group is
 * left without.
 */
static void
note_outcome(Sending *sending)
{
	CrmWrite   *write = &sending->write;

	switch (write->outcome)
	{
		case CRM_DONE:
			sending->note->answered = true;
			break;
		case CRM_MISSING:
			/* A deletion may have been done by an earlier try; a change has nothing to put back. */
			note_not_done(sending, true);
			if (sending->object->action == CRM_PUSH_UPDATE || sending->object->gone)
				sending->note->not_done = true;
			break;
		case CRM_REFUSED:
			note_not_done(sending, write->not_done || is_surely_not_done(write->error));
			break;
		case CRM_UNKNOWN:
			sending->object->maybe_done |= !write->not_done;
			sending->object->unanswered = sending->note;
			note_not_done(sending, true);
			break;
		case CRM_DUPLICATE:
		case CRM_UNSENT:
			note_not_done(sending, true);
			break;
	}
}

static void
judge_missing(CrmPushObject *object, Verdict *verdict)
{
	if (object->action != CRM_PUSH_UPDATE)
		return;					/* gone already is as good */
	crm_push_treat_gone(object);
	go_another_way(object, &verdict->again);
}

static void
judge_duplicate(Sending *sending, Verdict *verdict)
{
	CrmPushObject *object = sending->object;

	if (!is_found_missing(object) && (object->maybe_done || crm_push_was_pending(object)))
		crm_push_get_one(object);
	treat_existing(sending, &verdict->again);
}

static void
judge(Sending *sending, Verdict *verdict)
{
	switch (sending->write.outcome)
	{
		case CRM_MISSING:
			judge_missing(sending->object, verdict);
			break;
		case CRM_DUPLICATE:
			judge_duplicate(sending, verdict);
			break;
		case CRM_REFUSED:
			if (verdict->refusal == NULL)
				verdict->refusal = sending->write.error;
			break;
		case CRM_UNKNOWN:
			verdict->unknown = lappend(verdict->unknown, sending);
			break;
		case CRM_DONE:
		case CRM_UNSENT:
			break;
	}
}

/* -------------------------------------------------------------- sending */

static Sending *
begin_sending(CrmPushObject *object, List **sent)
{
	static const CrmWriteKind kinds[] = {
		[CRM_SENT_CREATE] = CRM_CREATE,
		[CRM_SENT_UPDATE] = CRM_UPDATE,
		[CRM_SENT_DELETE] = CRM_REMOVE,
	};
	Sending    *sending = palloc0_object(Sending);

	sending->object = object;
	sending->note = crm_push_plan(object);
	sending->note->not_done = true; /* nor begun */
	sending->write.kind = kinds[sending->note->action];
	sending->write.entity = &object->table->entity;
	sending->write.key = object->id.key;
	sending->write.assignments = sending->note->after;
	/* The store holds what the table's owner sees (contract, read rule 9). */
	sending->write.read_back = object->conn ==
		crm_connection_get(object->table->serverid, object->table->owner);
	*sent = lappend(*sent, sending->note);
	return sending;
}

/* Those of the list that have the first one's connection; the others stay in it. */
static List *
take_group(List **objects)
{
	CrmConnection *conn = ((CrmPushObject *) linitial(*objects))->conn;
	List	   *group = NIL;
	List	   *others = NIL;
	ListCell   *lc;

	foreach(lc, *objects)
		if (((CrmPushObject *) lfirst(lc))->conn == conn)
			group = lappend(group, lfirst(lc));
		else
			others = lappend(others, lfirst(lc));
	*objects = others;
	return group;
}

/* From here on it may have been done.  The note speaks for a try without an answer, too. */
static void
begin_writing(Sending *sending)
{
	CrmPushObject *object = sending->object;

	sending->note->not_done = false;
	if (object->unanswered)
		object->unanswered->not_done = true;
	object->unanswered = NULL;
}

/* Who was cancelled, or has no time left, is to know what may have been done. */
static void
write_all(CrmConnection *conn, List *sendings, List *writes)
{
	PG_TRY();
	{
		conn->protocol->write(conn, writes);
	}
	PG_CATCH();
	{
		ListCell   *lc;

		foreach(lc, sendings)
		{
			Sending    *sending = lfirst(lc);

			if (sending->write.outcome == CRM_UNSENT)
				note_not_done(sending, sending->write.not_done);
			else
				note_outcome(sending);
		}
		PG_RE_THROW();
	}
	PG_END_TRY();
}

/* What CDMS made of them, where the answers say it. */
static void
keep_made(CrmConnection *conn, List *sendings, List *writes)
{
	ListCell   *lc;

	conn->protocol->read_made(conn, writes);
	foreach(lc, sendings)
	{
		Sending    *sending = lfirst(lc);

		if (sending->write.outcome == CRM_DONE)
			sending->object->made = sending->write.made;
	}
}

/* One after the other's answers are judged when all are there: nothing is forgotten. */
static void
send_group(List *group, List **sent, Verdict *verdict)
{
	CrmConnection *conn = ((CrmPushObject *) linitial(group))->conn;
	List	   *sendings = NIL;
	List	   *writes = NIL;
	ListCell   *lc;

	foreach(lc, group)
	{
		Sending    *sending = begin_sending(lfirst(lc), sent);

		sendings = lappend(sendings, sending);
		writes = lappend(writes, &sending->write);
	}
	foreach(lc, sendings)
		begin_writing(lfirst(lc));
	write_all(conn, sendings, writes);
	foreach(lc, sendings)
		note_outcome(lfirst(lc));
	foreach(lc, sendings)
		judge(lfirst(lc), verdict);
	if (verdict->refusal)
		ReThrowError(verdict->refusal);
	keep_made(conn, sendings, writes);
}

static int
longest_retry_after(List *unknown)
{
	int			seconds = -1;
	ListCell   *lc;

	foreach(lc, unknown)
		seconds = Max(seconds, ((Sending *) lfirst(lc))->write.retry_after);
	return seconds;
}

static bool
is_created_there(CrmPushObject *object)
{
	if (object->action != CRM_PUSH_CREATE)
		return false;
	crm_push_get_one(object);
	return object->got != NULL;
}

/* Which of these must be sent again, after a pause; ERROR when they were often enough. */
static List *
find_out(List *unknown, int attempt)
{
	Sending    *first = linitial(unknown);
	CrmConnection *conn = first->object->conn;
	List	   *again = NIL;
	ListCell   *lc;

	if (attempt >= conn->max_retries)
		ReThrowError(first->write.error);
	crm_http_pause(crm_retry_pause(longest_retry_after(unknown), attempt));
	foreach(lc, unknown)
	{
		Sending    *sending = lfirst(lc);

		if (is_created_there(sending->object))
		{
			treat_existing(sending, &again);
			continue;
		}
		crm_http_counters(conn->http)->retries++;
		ereport(crm_log_requests,
				(errmsg("a write that got no answer is repeated"),
				 errdetail_internal("%s", sending->write.error->message)));
		again = lappend(again, sending->object);
	}
	return again;
}

void
crm_push_send(List *objects, List **sent)
{
	for (int attempt = 0; objects != NIL; attempt++)
	{
		Verdict		verdict = {NULL};

		CHECK_FOR_INTERRUPTS();
		while (objects != NIL)
			send_group(take_group(&objects), sent, &verdict);
		objects = verdict.again;
		if (verdict.unknown != NIL)
			objects = list_concat(objects, find_out(verdict.unknown, attempt));
	}
}

void
crm_push_send_deferred(List *objects, List **sent)
{
	List	   *deferred = NIL;
	ListCell   *lc;

	foreach(lc, objects)
	{
		CrmPushObject *object = lfirst(lc);

		if (object->deferred == NIL || (object->made == NULL && object->action != CRM_PUSH_UPDATE))
			continue;
		object->action = CRM_PUSH_UPDATE;
		if (object->made)
			object->got = object->made;
		object->made = NULL;	/* it is read back as changed */
		object->columns = object->deferred;
		object->deferred = NIL;
		deferred = lappend(deferred, object);
	}
	crm_push_send(deferred, sent);
}
