/*
 * cdms/filter.c
 *	  Conditions: made by the layers above, rendered for OData v2.
 *
 * Only what CDMS implements has a kind (cdms-protocol 1.5): comparisons, null
 * tests, and, or, not, startswith, endswith, substringof.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/uuid.h"

#include "cdms/filter.h"
#include "cdms/value.h"

typedef enum Shape
{
	SHAPE_INFIX,				/* args joined by word */
	SHAPE_PREFIX,				/* word (arg) */
	SHAPE_COMPARE,				/* field word value */
	SHAPE_NULL_TEST,			/* field word */
	SHAPE_FUNCTION,				/* word(field,value) */
	SHAPE_FUNCTION_REVERSED		/* word(value,field) */
} Shape;

static const struct
{
	Shape		shape;
	const char *word;
}			kinds[] = {
	[CRM_AND] = {SHAPE_INFIX, " and "},
	[CRM_OR] = {SHAPE_INFIX, " or "},
	[CRM_NOT] = {SHAPE_PREFIX, "not "},
	[CRM_EQ] = {SHAPE_COMPARE, " eq "},
	[CRM_NE] = {SHAPE_COMPARE, " ne "},
	[CRM_LT] = {SHAPE_COMPARE, " lt "},
	[CRM_LE] = {SHAPE_COMPARE, " le "},
	[CRM_GT] = {SHAPE_COMPARE, " gt "},
	[CRM_GE] = {SHAPE_COMPARE, " ge "},
	[CRM_IS_NULL] = {SHAPE_NULL_TEST, " eq null"},
	[CRM_IS_NOT_NULL] = {SHAPE_NULL_TEST, " ne null"},
	[CRM_STARTS_WITH] = {SHAPE_FUNCTION, "startswith"},
	[CRM_ENDS_WITH] = {SHAPE_FUNCTION, "endswith"},
	[CRM_CONTAINS] = {SHAPE_FUNCTION_REVERSED, "substringof"}
};

CrmCondition *
crm_condition_compare(CrmConditionKind kind, const CrmField *field,
					  Datum value, Oid valuetype)
{
	CrmCondition *condition = palloc0(sizeof(CrmCondition));

	condition->kind = kind;
	condition->field = field;
	condition->value = value;
	condition->valuetype = valuetype;
	return condition;
}

CrmCondition *
crm_condition_group(CrmConditionKind kind, List *args)
{
	CrmCondition *condition;

	Assert(args != NIL);
	if (kind != CRM_NOT && list_length(args) == 1)
		return linitial(args);

	condition = palloc0(sizeof(CrmCondition));
	condition->kind = kind;
	condition->args = args;
	return condition;
}

CrmCondition *
crm_condition_keys(const CrmEntity *entity, const pg_uuid_t *keys, int n)
{
	const CrmField *field = &entity->fields[entity->key];
	List	   *args = NIL;

	for (int i = 0; i < n; i++)
	{
		pg_uuid_t  *key = palloc(sizeof(pg_uuid_t));

		*key = keys[i];
		args = lappend(args, crm_condition_compare(CRM_EQ, field,
												   UUIDPGetDatum(key), UUIDOID));
	}
	return crm_condition_group(CRM_OR, args);
}

static void
append_path(StringInfo out, const CrmField *field)
{
	appendStringInfoString(out, crm_name_to_wire(field->property));
	if (field->member)
		appendStringInfo(out, "/%s", crm_name_to_wire(field->member));
}

static void
append_value(StringInfo out, const CrmCondition *condition)
{
	crm_value_write_literal(out, condition->field, condition->value,
							condition->valuetype);
}

/* A group inside a group has parentheses, so that nobody need know precedences. */
static void
append_group(StringInfo out, const CrmCondition *group, const char *word)
{
	const char *joint = "";
	ListCell   *cell;

	foreach(cell, group->args)
	{
		const CrmCondition *arg = lfirst(cell);
		bool		nested = kinds[arg->kind].shape == SHAPE_INFIX;

		appendStringInfoString(out, joint);
		if (nested)
			appendStringInfoChar(out, '(');
		crm_filter_append(out, arg);
		if (nested)
			appendStringInfoChar(out, ')');
		joint = word;
	}
}

static void
append_function(StringInfo out, const CrmCondition *condition, const char *word,
				bool reversed)
{
	appendStringInfo(out, "%s(", word);
	if (reversed)
		append_value(out, condition);
	else
		append_path(out, condition->field);
	appendStringInfoChar(out, ',');
	if (reversed)
		append_path(out, condition->field);
	else
		append_value(out, condition);
	appendStringInfoChar(out, ')');
}

void
crm_filter_append(StringInfo out, const CrmCondition *condition)
{
	const char *word = kinds[condition->kind].word;
	Shape		shape = kinds[condition->kind].shape;

	check_stack_depth();
	switch (shape)
	{
		case SHAPE_INFIX:
			append_group(out, condition, word);
			break;
		case SHAPE_PREFIX:
			appendStringInfo(out, "%s(", word);
			crm_filter_append(out, linitial(condition->args));
			appendStringInfoChar(out, ')');
			break;
		case SHAPE_COMPARE:
			append_path(out, condition->field);
			appendStringInfoString(out, word);
			append_value(out, condition);
			break;
		case SHAPE_NULL_TEST:
			append_path(out, condition->field);
			appendStringInfoString(out, word);
			break;
		case SHAPE_FUNCTION:
		case SHAPE_FUNCTION_REVERSED:
			append_function(out, condition, word, shape == SHAPE_FUNCTION_REVERSED);
			break;
	}
}
