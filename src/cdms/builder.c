/*
 * cdms/builder.c
 *	  Objects built value by value.
 *
 * Properties are found through a hash table made once for each page, and the
 * fields that one property fills (the Id and the Name of a reference) stand side
 * by side in a sorted array.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#include "cdms/builder.h"
#include "cdms/type.h"
#include "cdms/value.h"

/* What CDMS gives at once by default (cdms-protocol 1.4). */
#define USUAL_PAGE 50
#define MOST_OBJECTS 10000		/* in an answer, each with room for all fields */

struct CrmSlot
{
	const char *property;		/* hash key */
	uint32		hash;
	char		status;
	int			first;			/* in the builder's order */
	int			count;
	bool		complex;
	int			met;			/* number of the object it was last met in */
};

#define SH_PREFIX slots
#define SH_ELEMENT_TYPE CrmSlot
#define SH_KEY_TYPE const char *
#define SH_KEY property
#define SH_HASH_KEY(tb, key) hash_bytes((const unsigned char *) (key), strlen(key))
#define SH_EQUAL(tb, a, b) (strcmp((a), (b)) == 0)
#define SH_STORE_HASH
#define SH_GET_HASH(tb, a) ((a)->hash)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct CrmBuilder
{
	const CrmEntity *entity;
	MemoryContext own;			/* table, order, seen */
	MemoryContext objects;
	slots_hash *slots;
	int		   *order;			/* indexes of wanted fields, by property */
	int			nwanted;
	bool	   *seen;			/* by field */
	int			nseen;
	CrmObject  *object;			/* in the making */
	CrmPage    *page;
	int			room;			/* allocated in page->objects */
	ErrorContextCallback context;
};

void
crm_builder_wrong_shape(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("CDMS answered with something other than was asked for"),
			 errdetail_internal("%s", detail)));
}

static void
name_object(void *arg)
{
	CrmBuilder *builder = arg;
	const CrmEntity *entity = builder->entity;

	if (builder->object && builder->seen[entity->key] &&
		!builder->object->nulls[entity->key])
		errcontext("object %s of %s",
				   DatumGetCString(DirectFunctionCall1(uuid_out,
													   UUIDPGetDatum(&builder->object->key))),
				   entity->set);
	else
		errcontext("answer of CDMS for %s", entity->set);
}

static int
compare_properties(const void *a, const void *b, void *entity)
{
	const CrmField *fields = ((const CrmEntity *) entity)->fields;

	return strcmp(fields[*(const int *) a].property, fields[*(const int *) b].property);
}

/* Sorts the wanted fields by property and enters each property in the table. */
static void
make_slots(CrmBuilder *builder, const Bitmapset *wanted)
{
	const CrmEntity *entity = builder->entity;

	builder->order = palloc(sizeof(int) * entity->nfields);
	for (int i = 0; i < entity->nfields; i++)
	{
		if (wanted == NULL || i == entity->key || bms_is_member(i, wanted))
			builder->order[builder->nwanted++] = i;
	}
	qsort_arg(builder->order, builder->nwanted, sizeof(int), compare_properties,
			  unconstify(CrmEntity *, entity));

	builder->slots = slots_create(builder->own, builder->nwanted, NULL);
	for (int i = 0; i < builder->nwanted; i++)
	{
		const CrmField *field = &entity->fields[builder->order[i]];
		bool		found;
		CrmSlot    *slot = slots_insert(builder->slots, field->property, &found);

		if (!found)
		{
			slot->first = i;
			slot->count = 0;
			slot->complex = false;
			slot->met = 0;
		}
		slot->count++;
		slot->complex |= field->member != NULL;
	}
}

CrmBuilder *
crm_builder_start(const CrmEntity *entity, const Bitmapset *wanted)
{
	MemoryContext own = AllocSetContextCreate(CurrentMemoryContext, "crm_sync builder",
											  ALLOCSET_SMALL_SIZES);
	MemoryContext before = MemoryContextSwitchTo(own);
	CrmBuilder *builder = palloc0(sizeof(CrmBuilder));

	builder->entity = entity;
	builder->own = own;
	builder->objects = before;
	builder->seen = palloc0(sizeof(bool) * entity->nfields);
	make_slots(builder, wanted);
	MemoryContextSwitchTo(before);

	builder->page = palloc0(sizeof(CrmPage));
	builder->room = USUAL_PAGE;
	builder->page->objects = palloc(sizeof(CrmObject) * builder->room);

	builder->context.callback = name_object;
	builder->context.arg = builder;
	builder->context.previous = error_context_stack;
	error_context_stack = &builder->context;
	return builder;
}

const CrmSlot *
crm_builder_find(CrmBuilder *builder, const char *property)
{
	CrmSlot    *slot = slots_lookup(builder->slots, property);

	if (slot)
		slot->met = builder->page->nobjects + 1;
	return slot;
}

bool
crm_slot_is_complex(const CrmSlot *slot)
{
	return slot->complex;
}

void
crm_builder_begin_object(CrmBuilder *builder)
{
	CrmPage    *page = builder->page;
	int			nfields = builder->entity->nfields;
	MemoryContext before = MemoryContextSwitchTo(builder->objects);

	if (page->nobjects == MOST_OBJECTS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("CDMS's answer has more than %d objects", MOST_OBJECTS)));
	if (page->nobjects == builder->room)
	{
		builder->room *= 2;
		page->objects = repalloc_huge(page->objects, sizeof(CrmObject) * builder->room);
	}
	builder->object = &page->objects[page->nobjects];
	builder->object->values = palloc0(sizeof(Datum) * nfields);
	builder->object->nulls = palloc(sizeof(bool) * nfields);
	memset(builder->object->nulls, true, sizeof(bool) * nfields);
	MemoryContextSwitchTo(before);

	memset(builder->seen, false, sizeof(bool) * nfields);
	builder->nseen = 0;
}

/* The object's key from the key field's value, whatever type its column has. */
static void
keep_key(CrmBuilder *builder, const CrmField *field, Datum value, const char *text)
{
	if (field->basetype != UUIDOID)
		value = DirectFunctionCall1(uuid_in, CStringGetDatum(text));
	builder->object->key = *DatumGetUUIDP(value);
}

static void
set_field(CrmBuilder *builder, int index, const char *text)
{
	const CrmField *field = &builder->entity->fields[index];
	CrmObject  *object = builder->object;

	if (builder->seen[index])
		crm_builder_wrong_shape(psprintf("Property \"%s\" comes twice.", crm_field_path(field)));
	object->nulls[index] = text == NULL;
	if (text == NULL)
		crm_value_read_null(field);
	else
	{
		MemoryContext before = MemoryContextSwitchTo(builder->objects);

		object->values[index] = crm_value_read(field, text);
		MemoryContextSwitchTo(before);
		if (index == builder->entity->key)
			keep_key(builder, field, object->values[index], text);
	}
	builder->seen[index] = true;
	builder->nseen++;
}

void
crm_builder_value(CrmBuilder *builder, const CrmSlot *slot,
				  const char *member, const char *text)
{
	for (int i = slot->first; i < slot->first + slot->count; i++)
	{
		int			index = builder->order[i];
		const char *its = builder->entity->fields[index].member;
		bool		meant;

		if (member)
			meant = its && strcmp(its, member) == 0;
		else
			meant = its == NULL || text == NULL;
		if (meant)
			set_field(builder, index, text);
	}
}

/* The first field that got no value: its property did not come, or not as such. */
static void
refuse_incomplete(CrmBuilder *builder)
{
	const CrmField *field;
	int			i = 0;

	while (builder->seen[builder->order[i]])
		i++;
	field = &builder->entity->fields[builder->order[i]];

	if (slots_lookup(builder->slots, field->property)->met == builder->page->nobjects + 1)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("CDMS gave property \"%s\" in another form than its column expects",
						crm_field_path(field)),
				 errhint("A reference, an option set or an amount of money needs the column option "
						 "type: 'EntityReference', 'OptionSetValue' or 'Money'. "
						 "IMPORT FOREIGN SCHEMA shows which.")));
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("CDMS left out property \"%s\"", crm_field_path(field)),
			 errhint("IMPORT FOREIGN SCHEMA shows the properties there are.")));
}

void
crm_builder_end_object(CrmBuilder *builder)
{
	if (builder->nseen < builder->nwanted)
		refuse_incomplete(builder);
	if (builder->object->nulls[builder->entity->key])
		crm_builder_wrong_shape("An object has no key.");
	builder->object = NULL;
	builder->page->nobjects++;
}

static int
compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, UUID_LEN);
}

/* Two versions of one object in one answer: which of them would be meant? */
static void
refuse_repeated(const CrmBuilder *builder)
{
	const CrmPage *page = builder->page;
	pg_uuid_t  *keys = MemoryContextAllocHuge(builder->own, sizeof(pg_uuid_t) * (page->nobjects + 1));

	for (int i = 0; i < page->nobjects; i++)
		keys[i] = page->objects[i].key;
	qsort(keys, page->nobjects, sizeof(pg_uuid_t), compare_keys);
	for (int i = 1; i < page->nobjects; i++)
	{
		if (compare_keys(&keys[i - 1], &keys[i]) == 0)
			crm_builder_wrong_shape(psprintf("Object %s comes twice.",
											 DatumGetCString(DirectFunctionCall1(uuid_out,
																				 UUIDPGetDatum(&keys[i])))));
	}
}

CrmPage *
crm_builder_finish(CrmBuilder *builder)
{
	CrmPage    *page = builder->page;

	refuse_repeated(builder);
	error_context_stack = builder->context.previous;
	MemoryContextDelete(builder->own);
	return page;
}
