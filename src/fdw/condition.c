/*
 * fdw/condition.c
 *	  Which conditions can be sent to CDMS, decided from a table of operators.
 *
 * What is sent may let pass too much, never too little, for every condition is
 * checked again here (contract, read rule 5).  CDMS compares strings without
 * case and pads blanks (cdms-protocol 1.5), so:
 *
 *	  - equality of strings can be sent, inequality and order can't;
 *	  - a LIKE pattern is sent as the literal text it must contain;
 *	  - of numbers, booleans, GUIDs and dates all comparisons can be sent;
 *	  - NOT is sent only where it stands over a boolean column, for what lets pass
 *		too much lets pass too little when it is negated.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/datum.h"
#include "utils/formatting.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "fdw/condition.h"
#include "sync/store.h"

#define MAX_IN_LIST 25			/* alternatives that are sent for one IN */
#define MAX_DIGITS 20			/* of a number's text: CDMS refuses longer ones */
#define MAX_SCALE 10
#define MAX_MONEY_SCALE 4		/* SQL Server's money might round more */

/* Groups of types whose values compare alike here and there. */
typedef enum ValueClass
{
	CLASS_TEXT = 1 << 0,
	CLASS_GUID = 1 << 1,
	CLASS_BOOLEAN = 1 << 2,
	CLASS_NUMBER = 1 << 3,
	CLASS_DATE = 1 << 4,
} ValueClass;

#define CLASSES_EXACT (CLASS_GUID | CLASS_BOOLEAN | CLASS_NUMBER | CLASS_DATE)
#define CLASSES_ORDERED (CLASS_NUMBER | CLASS_DATE)

typedef enum Pattern
{
	PATTERN_NONE,
	PATTERN_LIKE,
	PATTERN_ILIKE,
	PATTERN_PREFIX
} Pattern;

/* The operators of pg_catalog that can be sent, and for which classes. */
static const struct
{
	const char *name;
	CrmConditionKind kind;
	CrmConditionKind commuted;	/* with the constant on the left */
	int			classes;
	Pattern		pattern;
}			operators[] = {
	{"=", CRM_EQ, CRM_EQ, CLASS_TEXT | CLASSES_EXACT},
	{"<>", CRM_NE, CRM_NE, CLASSES_EXACT},
	{"<", CRM_LT, CRM_GT, CLASSES_ORDERED},
	{"<=", CRM_LE, CRM_GE, CLASSES_ORDERED},
	{">", CRM_GT, CRM_LT, CLASSES_ORDERED},
	{">=", CRM_GE, CRM_LE, CLASSES_ORDERED},
	{"~~", CRM_CONTAINS, CRM_CONTAINS, CLASS_TEXT, PATTERN_LIKE},
	{"~~*", CRM_CONTAINS, CRM_CONTAINS, CLASS_TEXT, PATTERN_ILIKE},
	{"^@", CRM_STARTS_WITH, CRM_STARTS_WITH, CLASS_TEXT, PATTERN_PREFIX},
};

static const struct
{
	Oid			type;
	ValueClass	class;
}			value_classes[] = {
	{TEXTOID, CLASS_TEXT},
	{VARCHAROID, CLASS_TEXT},
	{UUIDOID, CLASS_GUID},
	{BOOLOID, CLASS_BOOLEAN},
	{INT2OID, CLASS_NUMBER},
	{INT4OID, CLASS_NUMBER},
	{INT8OID, CLASS_NUMBER},
	{NUMERICOID, CLASS_NUMBER},
	{TIMESTAMPTZOID, CLASS_DATE},
};

/* What each wire type must be held in for comparisons to mean the same. */
static const struct
{
	CrmType		scalar;
	ValueClass	class;
}			scalar_classes[] = {
	{CRM_STRING, CLASS_TEXT},
	{CRM_GUID, CLASS_GUID},
	{CRM_BOOLEAN, CLASS_BOOLEAN},
	{CRM_INT16, CLASS_NUMBER},
	{CRM_INT32, CLASS_NUMBER},
	{CRM_INT64, CLASS_NUMBER},
	{CRM_DECIMAL, CLASS_NUMBER},
	{CRM_DATETIME, CLASS_DATE},
};

/*
 * Characters that ILIKE takes for an ASCII letter (it lower-cases both sides)
 * and that a collation of CDMS may tell from it: texts with them are let pass.
 * Under the rules of Turkish or Lithuanian there are more.  They are in UTF-8, as the
 * database must be.
 */
static const struct
{
	char		letter;
	const char *also;
}			folded[] = {
	{'i', "\xC4\xB0"},			/* U+0130, I with dot above */
	{'k', "\xE2\x84\xAA"},		/* U+212A, Kelvin sign */
};

static CrmCondition *to_condition(CrmTable *table, Node *node);

/* ------------------------------------------------------------- columns */

static int
class_of_type(Oid type)
{
	for (int i = 0; i < lengthof(value_classes); i++)
		if (value_classes[i].type == type)
			return value_classes[i].class;
	return 0;
}

static int
class_of_scalar(CrmType scalar)
{
	for (int i = 0; i < lengthof(scalar_classes); i++)
		if (scalar_classes[i].scalar == scalar)
			return scalar_classes[i].class;
	return 0;
}

static Node *
strip_relabel(Node *node)
{
	while (node && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return node;
}

static bool
has_typmod(Oid type, int32 typmod)
{
	(void) getBaseTypeAndTypmod(type, &typmod);
	return typmod >= 0;
}

/* Does the column, its domain, or the store's hold a rounded value? */
static bool
is_rounded(const CrmTable *table, const CrmColumn *column, const CrmField *field)
{
	Oid			type;
	int32		typmod;
	Oid			collation;

	if (field->basetype == VARCHAROID)
		return false;			/* what is too long is refused */
	if (has_typmod(column->type, column->typmod))
		return true;
	if (!OidIsValid(table->store) || column->store_attnum == InvalidAttrNumber ||
		TypeCategory(field->basetype) == TYPCATEGORY_STRING)
		return false;
	get_atttypetypmodcoll(table->store, column->store_attnum, &type, &typmod, &collation);
	return getBaseType(type) != field->basetype || has_typmod(type, typmod);
}

/*
 * The field of a column reference; *class what it can be compared as, 0 where
 * the column holds something else than CDMS does (a rounded number, say).  NULL
 * for a reference's name, too, and for the version (cdms-protocol 9).
 */
static const CrmField *
field_of(CrmTable *table, Node *node, int *class)
{
	CrmColumn  *column;
	const CrmField *field;

	node = strip_relabel(node);
	*class = 0;
	if (node == NULL || !IsA(node, Var))
		return NULL;
	column = crm_table_var_column(table, (Var *) node);
	if (column->field < 0)
		return NULL;
	field = &table->entity.fields[column->field];
	if (!field->writable || strcmp(field->property, "VersionNumber") == 0)
		return NULL;			/* nobody says that CDMS can be asked for these */
	if (!is_rounded(table, column, field))
		*class = class_of_type(field->basetype) & class_of_scalar(field->scalar);
	return field;
}

/* ----------------------------------------------------------- constants */

/* A value that does not depend on a row, or NULL. */
static Const *
constant_of(Node *node)
{
	node = strip_relabel(node);
	if (node == NULL)
		return NULL;
	if (!IsA(node, Const) && !contain_var_clause(node) && !contain_volatile_functions(node) &&
		!contain_subplans(node) && !expression_returns_set(node) &&
		!contain_agg_clause(node) && !IsA(node, Param))
		node = (Node *) evaluate_expr((Expr *) node, exprType(node), exprTypmod(node),
									  exprCollation(node));
	return IsA(node, Const) && !((Const *) node)->constisnull ? (Const *) node : NULL;
}

/* What a property of this type can be compared with and nothing is converted. */
static bool
is_sendable_number(const CrmField *field, Datum value, Oid type)
{
	int			scale = field->type == CRM_MONEY ? MAX_MONEY_SCALE : MAX_SCALE;
	char	   *text;
	char	   *point;

	if (type == INT8OID && field->scalar != CRM_INT64)
		return DatumGetInt64(value) == (int32) DatumGetInt64(value);
	if (type != NUMERICOID)
		return true;
	if (numeric_is_nan(DatumGetNumeric(value)) || numeric_is_inf(DatumGetNumeric(value)))
		return false;
	text = numeric_normalize(DatumGetNumeric(value));
	point = strchr(text, '.');
	return strlen(text) <= MAX_DIGITS && (point == NULL || strlen(point + 1) <= scale);
}

/*
 * CDMS keeps whole seconds: a bound between two of them is moved outwards.
 * False where the date is beyond SQL Server's datetime (1753 to 9999), or where
 * equality with a fraction is asked.
 */
static bool
widen_date(CrmConditionKind kind, Datum *value)
{
	TimestampTz date = DatumGetTimestampTz(*value);
	TimestampTz first = (date2j(1753, 1, 2) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY;
	TimestampTz last = (date2j(9999, 12, 30) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY;
	int64		fraction;

	if (TIMESTAMP_NOT_FINITE(date) || date < first || date > last)
		return false;
	fraction = ((date % USECS_PER_SEC) + USECS_PER_SEC) % USECS_PER_SEC;
	if (fraction == 0)
		return true;
	if (kind == CRM_EQ || kind == CRM_NE)
		return false;
	date -= fraction;
	if (kind == CRM_LT || kind == CRM_LE)
		date += USECS_PER_SEC;
	*value = TimestampTzGetDatum(date);
	return true;
}

static CrmCondition *
compare(CrmConditionKind kind, const CrmField *field, int class, Datum value, Oid type)
{
	if (class == CLASS_NUMBER && !is_sendable_number(field, value, type))
		return NULL;
	if (class == CLASS_DATE && !widen_date(kind, &value))
		return NULL;
	return crm_condition_compare(kind, field, value, class == CLASS_TEXT ? TEXTOID : type);
}

/* ------------------------------------------------------------ patterns */

/* One stretch of a pattern that stands there literally. */
typedef struct Run
{
	StringInfoData text;
	bool		at_start;
	bool		at_end;
} Run;

static CrmCondition *
text_condition(CrmConditionKind kind, const CrmField *field, const char *text)
{
	return crm_condition_compare(kind, field, CStringGetTextDatum(text), TEXTOID);
}

/*
 * Texts with characters that fold to a letter of the run are let pass, too; NULL: they
 * can't be named here.
 */
static CrmCondition *
or_folded(CrmCondition *condition, const CrmField *field, const char *text)
{
	List	   *alternatives = list_make1(condition);

	for (int i = 0; i < lengthof(folded); i++)
	{
		if (strchr(text, folded[i].letter) == NULL && strchr(text, pg_toupper(folded[i].letter)) == NULL)
			continue;
		if (GetDatabaseEncoding() != PG_UTF8)
			return NULL;
		alternatives = lappend(alternatives, text_condition(CRM_CONTAINS, field, folded[i].also));
	}
	return list_length(alternatives) == 1 ? condition :
		crm_condition_group(CRM_OR, alternatives);
}

/* Trailing blanks may be dropped there; a run of blanks says nothing. */
static CrmCondition *
run_condition(const CrmField *field, Run *run, Pattern pattern)
{
	CrmCondition *condition;
	CrmConditionKind kind = run->at_start ? CRM_STARTS_WITH :
		run->at_end ? CRM_ENDS_WITH : CRM_CONTAINS;

	while (run->text.len > 0 && run->text.data[run->text.len - 1] == ' ')
	{
		run->text.data[--run->text.len] = '\0';
		if (kind == CRM_ENDS_WITH)
			kind = CRM_CONTAINS;
	}
	if (run->text.len == 0)
		return NULL;
	condition = text_condition(kind, field, run->text.data);
	return pattern == PATTERN_ILIKE ? or_folded(condition, field, run->text.data) : condition;
}

/*
 * Does a character end a run?  '[' might be taken for a pattern there.  Of
 * characters beyond ASCII nobody can say how two systems fold them.
 */
static bool
ends_run(const char *p, Pattern pattern)
{
	return *p == '[' || (pattern == PATTERN_ILIKE && IS_HIGHBIT_SET(*p));
}

/* The longest stretch of a LIKE pattern that must stand in the text as it is. */
static Run
longest_run(const char *pattern, Pattern kind)
{
	Run			best = {.at_start = false};
	Run			run = {.at_start = true};
	const char *p = pattern;

	initStringInfo(&best.text);
	initStringInfo(&run.text);
	for (;; p++)
	{
		bool		escaped = *p == '\\' && p[1] != '\0';
		bool		wildcard;

		if (escaped)
			p++;
		wildcard = *p == '\0' || ends_run(p, kind) || (!escaped && (*p == '%' || *p == '_'));
		if (!wildcard)
		{
			appendStringInfoChar(&run.text, *p);
			continue;
		}
		run.at_end = *p == '\0';
		if (run.text.len > best.text.len)
		{
			resetStringInfo(&best.text);
			appendStringInfoString(&best.text, run.text.data);
			best.at_start = run.at_start;
			best.at_end = run.at_end;
		}
		if (*p == '\0')
			break;
		resetStringInfo(&run.text);
		run.at_start = false;
	}
	return best;
}

static CrmCondition *
match(const CrmField *field, Pattern pattern, Const *constant)
{
	char	   *pattern_text;
	Run			run;

	if (class_of_type(constant->consttype) != CLASS_TEXT)
		return NULL;
	pattern_text = TextDatumGetCString(constant->constvalue);
	if (pattern == PATTERN_PREFIX)
	{
		run = (Run) {.at_start = true};
		initStringInfo(&run.text);
		appendBinaryStringInfo(&run.text, pattern_text, strcspn(pattern_text, "["));
	}
	else
		run = longest_run(pattern_text, pattern);
	return run_condition(field, &run, pattern);
}

/* ----------------------------------------------------------- operators */

static int
find_operator(Oid opno)
{
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(opno));
	int			result = -1;

	if (!HeapTupleIsValid(tuple))
		return -1;
	if (((Form_pg_operator) GETSTRUCT(tuple))->oprnamespace == PG_CATALOG_NAMESPACE)
		for (int i = 0; i < lengthof(operators); i++)
			if (strcmp(operators[i].name,
					   NameStr(((Form_pg_operator) GETSTRUCT(tuple))->oprname)) == 0)
				result = i;
	ReleaseSysCache(tuple);
	return result;
}

/* Under a collation that takes different texts for equal, CDMS might not. */
static bool
is_usable_collation(int class, Oid collation)
{
	return class != CLASS_TEXT || !OidIsValid(collation) ||
		get_collation_isdeterministic(collation);
}

/* Is I lower-cased to i, and of other letters none to it?  Not in all languages. */
static bool
is_usual_case(Oid collation)
{
	static const char *grave = "\xC3\x8C"; /* U+00CC, I with grave */

	return strcmp(str_tolower("I", 1, collation), "i") == 0 &&
		(GetDatabaseEncoding() != PG_UTF8 ||
		 IS_HIGHBIT_SET(*str_tolower(grave, strlen(grave), collation)));
}

static CrmCondition *
translate_operator(CrmTable *table, OpExpr *expr)
{
	int			op = find_operator(expr->opno);
	bool		commuted = false;
	Const	   *constant;
	const CrmField *field;
	int			class;

	if (op < 0 || list_length(expr->args) != 2)
		return NULL;
	field = field_of(table, linitial(expr->args), &class);
	constant = constant_of(lsecond(expr->args));
	if (field == NULL && operators[op].pattern == PATTERN_NONE)
	{
		commuted = true;
		field = field_of(table, lsecond(expr->args), &class);
		constant = constant_of(linitial(expr->args));
	}
	if (field == NULL || constant == NULL || !(class & operators[op].classes) ||
		class_of_type(constant->consttype) != class ||
		!is_usable_collation(class, expr->inputcollid) ||
		(operators[op].pattern == PATTERN_ILIKE && !is_usual_case(expr->inputcollid)))
		return NULL;
	if (operators[op].pattern != PATTERN_NONE)
		return match(field, operators[op].pattern, constant);
	return compare(commuted ? operators[op].commuted : operators[op].kind, field, class,
				   constant->constvalue, constant->consttype);
}

/* The elements of a constant array that are not null. */
static bool
array_elements(Node *node, Oid *type, Datum **elements, int *n)
{
	Const	   *constant = constant_of(node);
	ArrayType  *array;
	bool	   *nulls;
	int			all;
	int16		length;
	bool		byval;
	char		align;

	if (constant == NULL || !OidIsValid(get_element_type(constant->consttype)))
		return false;
	array = DatumGetArrayTypeP(constant->constvalue);
	*type = ARR_ELEMTYPE(array);
	get_typlenbyvalalign(*type, &length, &byval, &align);
	deconstruct_array(array, *type, length, byval, align, elements, &nulls, &all);
	*n = 0;
	for (int i = 0; i < all; i++)
		if (!nulls[i])
			(*elements)[(*n)++] = (*elements)[i];
	return true;
}

/* column IN (...) */
static CrmCondition *
translate_in(CrmTable *table, ScalarArrayOpExpr *expr)
{
	int			op = find_operator(expr->opno);
	List	   *alternatives = NIL;
	const CrmField *field;
	int			class;
	Oid			type;
	Datum	   *elements;
	int			n;

	if (!expr->useOr || op < 0 || operators[op].kind != CRM_EQ)
		return NULL;
	field = field_of(table, linitial(expr->args), &class);
	if (field == NULL || class == 0 || !is_usable_collation(class, expr->inputcollid) ||
		!array_elements(lsecond(expr->args), &type, &elements, &n) ||
		class_of_type(type) != class || n == 0 || n > MAX_IN_LIST)
		return NULL;
	for (int i = 0; i < n; i++)
	{
		CrmCondition *condition = compare(CRM_EQ, field, class, elements[i], type);

		if (condition == NULL)
			return NULL;
		alternatives = lappend(alternatives, condition);
	}
	return n == 1 ? linitial(alternatives) : crm_condition_group(CRM_OR, alternatives);
}

static CrmCondition *
translate_null_test(CrmTable *table, NullTest *test)
{
	int			class;
	const CrmField *field = field_of(table, (Node *) test->arg, &class);

	if (field == NULL || test->argisrow)
		return NULL;
	return crm_condition_compare(test->nulltesttype == IS_NULL ? CRM_IS_NULL : CRM_IS_NOT_NULL,
								 field, 0, InvalidOid);
}

static CrmCondition *
boolean_is(CrmTable *table, Node *node, bool value)
{
	int			class;
	const CrmField *field = field_of(table, node, &class);

	if (field == NULL || class != CLASS_BOOLEAN)
		return NULL;
	return crm_condition_compare(CRM_EQ, field, BoolGetDatum(value), BOOLOID);
}

static CrmCondition *
translate_boolean_test(CrmTable *table, BooleanTest *test)
{
	if (test->booltesttype != IS_TRUE && test->booltesttype != IS_FALSE)
		return NULL;
	return boolean_is(table, (Node *) test->arg, test->booltesttype == IS_TRUE);
}

/* Of an AND any part may go, of an OR none. */
static CrmCondition *
translate_bool(CrmTable *table, BoolExpr *expr)
{
	List	   *parts = NIL;
	ListCell   *lc;

	if (expr->boolop == NOT_EXPR)
		return boolean_is(table, linitial(expr->args), false);
	foreach(lc, expr->args)
	{
		CrmCondition *part = to_condition(table, lfirst(lc));

		if (part)
			parts = lappend(parts, part);
		else if (expr->boolop == OR_EXPR)
			return NULL;
	}
	if (list_length(parts) <= 1)
		return parts ? linitial(parts) : NULL;
	return crm_condition_group(expr->boolop == OR_EXPR ? CRM_OR : CRM_AND, parts);
}

static CrmCondition *
to_condition(CrmTable *table, Node *node)
{
	check_stack_depth();
	switch (nodeTag(node))
	{
		case T_OpExpr:
			return translate_operator(table, (OpExpr *) node);
		case T_ScalarArrayOpExpr:
			return translate_in(table, (ScalarArrayOpExpr *) node);
		case T_NullTest:
			return translate_null_test(table, (NullTest *) node);
		case T_BooleanTest:
			return translate_boolean_test(table, (BooleanTest *) node);
		case T_BoolExpr:
			return translate_bool(table, (BoolExpr *) node);
		case T_Var:
			return boolean_is(table, node, true);
		default:
			return NULL;
	}
}

/* --------------------------------------------------------------- by key */

static bool
is_key(CrmTable *table, Node *node)
{
	node = strip_relabel(node);
	return IsA(node, Var) && ((Var *) node)->varattno == table->key->attnum;
}

/* uuid = uuid, as pg_catalog has it? */
static bool
is_key_equality(Oid opno)
{
	int			op = find_operator(opno);
	Oid			left;
	Oid			right;

	if (op < 0 || operators[op].kind != CRM_EQ)
		return false;
	op_input_types(opno, &left, &right);
	return left == UUIDOID && right == UUIDOID;
}

static void
add_keys(CrmAsk *ask, Datum *values, int n)
{
	HTAB	   *known = crm_key_hash("crm_sync keys", sizeof(pg_uuid_t));

	ask->by_key = true;
	ask->keys = MemoryContextAllocHuge(CurrentMemoryContext, (n + 1) * sizeof(pg_uuid_t));
	for (int i = 0; i < n; i++)
	{
		bool		found;

		hash_search(known, DatumGetUUIDP(values[i]), HASH_ENTER, &found);
		if (!found)
			ask->keys[ask->nkeys++] = *DatumGetUUIDP(values[i]);
	}
	hash_destroy(known);
}

/* key = value, or key IN (...): the objects are asked for by key. */
static bool
find_keys(CrmTable *table, Node *node, CrmAsk *ask)
{
	Datum	   *elements;
	Oid			type;
	int			n;

	if (IsA(node, OpExpr) && is_key_equality(((OpExpr *) node)->opno))
	{
		List	   *args = ((OpExpr *) node)->args;
		bool		left = is_key(table, linitial(args));
		Node	   *other = left ? lsecond(args) : linitial(args);
		Const	   *constant;

		if (!left && !is_key(table, lsecond(args)))
			return false;
		if (IsA(strip_relabel(other), Const) && ((Const *) strip_relabel(other))->constisnull)
		{
			add_keys(ask, NULL, 0); /* nothing equals null */
			return true;
		}
		constant = constant_of(other);
		if (constant)
			add_keys(ask, &constant->constvalue, 1);
		return constant != NULL;
	}
	if (IsA(node, ScalarArrayOpExpr) && ((ScalarArrayOpExpr *) node)->useOr &&
		is_key_equality(((ScalarArrayOpExpr *) node)->opno))
	{
		List	   *args = ((ScalarArrayOpExpr *) node)->args;

		if (!is_key(table, linitial(args)) ||
			!array_elements(lsecond(args), &type, &elements, &n))
			return false;
		add_keys(ask, elements, n);
		return true;
	}
	return false;
}

/* ---------------------------------------------------------------- both */

static Node *
bind_params_mutator(Node *node, void *context)
{
	ParamListInfo params = context;
	Param	   *param = (Param *) node;
	ParamExternData *value;
	ParamExternData workspace;
	int16		length;
	bool		byval;

	if (node == NULL)
		return NULL;
	if (!IsA(node, Param) || param->paramkind != PARAM_EXTERN || params == NULL ||
		param->paramid > params->numParams)
		return expression_tree_mutator(node, bind_params_mutator, context);

	value = params->paramFetch ? params->paramFetch(params, param->paramid, false, &workspace) :
		&params->params[param->paramid - 1];
	if (!OidIsValid(value->ptype) || value->ptype != param->paramtype)
		return copyObject(node);
	get_typlenbyval(param->paramtype, &length, &byval);
	return (Node *) makeConst(param->paramtype, param->paramtypmod, param->paramcollid, length,
							  value->isnull ? (Datum) 0 : datumCopy(value->value, byval, length),
							  value->isnull, byval);
}

List *
crm_bind_params(List *quals, ParamListInfo params)
{
	return (List *) bind_params_mutator((Node *) quals, params);
}

/* As a comparison with a parameter that is null. */
static bool
is_never_true(Node *qual)
{
	return IsA(qual, Const) &&
		(((Const *) qual)->constisnull || !DatumGetBool(((Const *) qual)->constvalue));
}

void
crm_ask_from_quals(CrmTable *table, List *quals, ParamListInfo params, CrmAsk *ask)
{
	ListCell   *lc;

	memset(ask, 0, sizeof(*ask));
	foreach(lc, crm_bind_params(quals, params))
	{
		Node	   *qual = eval_const_expressions(NULL, lfirst(lc));
		CrmCondition *condition;

		if (is_never_true(qual))
		{
			ask->by_key = true;
			ask->nkeys = 0;
			return;
		}
		if (!ask->by_key && crm_pushdown && find_keys(table, qual, ask))
			continue;
		condition = to_condition(table, qual);
		if (condition)
			ask->filters = lappend(ask->filters, condition);
	}
}
