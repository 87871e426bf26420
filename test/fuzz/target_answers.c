/*
 * test/fuzz/target_answers.c
 *	  What CDMS, or somebody in its place, may answer.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/uuid.h"

#include "cdms/error.h"
#include "cdms/format.h"
#include "fuzz.h"

/* A page that was read has whole objects, each once, and text that the database can hold. */
static void
check_page(const CrmEntity *entity, const CrmPage *page, const char *next)
{
	for (int i = 0; i < page->nobjects; i++)
	{
		const CrmObject *object = &page->objects[i];

		FUZZ_CHECK(!object->nulls[entity->key]);
		FUZZ_CHECK(memcmp(DatumGetUUIDP(object->values[entity->key]), &object->key, UUID_LEN) == 0);
		for (int j = 0; j < i; j++)
			FUZZ_CHECK(memcmp(&page->objects[j].key, &object->key, UUID_LEN) != 0);
		if (!object->nulls[1])
			FUZZ_CHECK(fuzz_is_text(VARDATA_ANY(DatumGetPointer(object->values[1])),
									VARSIZE_ANY_EXHDR(DatumGetPointer(object->values[1]))));
	}
	FUZZ_CHECK(next == NULL || fuzz_is_text(next, strlen(next)));
}

/* The first byte chooses: all properties or some, a page or an object. */
static void
read_with(const CrmFormatMethods *format, const char *data, size_t size)
{
	CrmEntity  *entity = fuzz_entity();
	Bitmapset  *few = bms_add_member(bms_make_singleton(1), 4);
	char	   *next = NULL;

	if (size == 0)
		return;
	if (data[0] == 'o')
		(void) format->read_object(data + 1, size - 1, entity);
	else
		check_page(entity, format->read_page(data + 1, size - 1, entity,
											 data[0] == 'f' ? few : NULL, &next), next);
}

static void
read_json(const char *data, size_t size)
{
	read_with(&crm_format_json, data, size);
}

static void
read_atom(const char *data, size_t size)
{
	read_with(&crm_format_atom, data, size);
}

/* Names that were read are names. */
static void
read_metadata(const char *data, size_t size)
{
	ListCell   *cell;
	ListCell   *inner;

	foreach(cell, crm_metadata_read(data, size))
	{
		CrmEntityDef *entity = lfirst(cell);

		FUZZ_CHECK(crm_is_name(entity->name) && crm_is_name(entity->set) && crm_is_name(entity->key));
		foreach(inner, entity->properties)
		{
			CrmPropertyDef *property = lfirst(inner);

			FUZZ_CHECK(crm_is_name(property->name));
			FUZZ_CHECK(property->member == NULL || crm_is_name(property->member));
		}
	}
}

/* Whatever the body, there is a fault, of words in one line that can be shown, secrets not. */
static void
read_error(const char *data, size_t size)
{
	CrmHttpResponse response = {
		.status = 500,.content_type = "",.body = unconstify(char *, data),.body_length = size,
		.retry_after = -1
	};
	CrmFault   *fault = crm_fault_read(&response, list_make2("password", "p\xC3\xA4ss w%\"rd"));

	FUZZ_CHECK(fault->words != NULL && fuzz_is_text(fault->words, strlen(fault->words)));
	FUZZ_CHECK(strlen(fault->words) <= 2000);
	for (const char *c = fault->words; *c; c++)
		FUZZ_CHECK((unsigned char) *c >= ' ' && *c != '\x7F');
	FUZZ_CHECK(strstr(fault->words, "password") == NULL);
	(void) crm_fault_describe(fault);
}

static void __attribute__((constructor))
fuzz_register_answers(void)
{
	fuzz_register("json", read_json);
	fuzz_register("atom", read_atom);
	fuzz_register("metadata", read_metadata);
	fuzz_register("error", read_error);
}
