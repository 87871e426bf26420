/*
 * cdms/metadata.c
 *	  $metadata (CSDL, captures/wcf/02) read into a list of entity sets.
 *
 * Elements and types are recognised by their local names, so the version of
 * the namespaces does not matter.  What can't be mapped is left out:
 *
 * - an entity set whose objects have no key, or one that is not a single
 *   Edm.Guid: nothing could be said about its objects;
 * - navigation properties, which are queries of their own;
 * - properties of a type that has no place in a column (streams, spatial types).
 *
 * Primitive types that CRM 2011 does not use are mapped to the nearest it does.
 * A complex type that this code does not know gives one property definition
 * for each of its simple members.  Types don't inherit in CRM: BaseType, which
 * might lead in a circle, is not looked at.
 *
 * The document is a foreigner's, and what is made of it may be far larger than
 * it: all sizes are limited, and nothing is looked for in a list.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "mb/pg_wchar.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "cdms/atom.h"
#include "cdms/builder.h"
#include "cdms/format.h"
#include "cdms/words.h"

/* A real organisation has 374 entity types, the widest of 308 properties. */
#define MOST_TYPES 10000
#define MOST_PROPERTIES 10000
#define MOST_DEFINITIONS 500000 /* of properties, for all entity sets */
#define MOST_LOOKED_AT 1000000	/* also those that no column can have */

#define NAME_KEY 256			/* room for the longest of names */
#define QUOTED_NAME 100			/* bytes of a bad name in a message */

typedef struct Property
{
	char	   *name;
	char	   *type;			/* "Edm.Guid", "Microsoft...Money" */
	bool		nullable;
} Property;

/* An entity type or a complex type. */
typedef struct Type
{
	char	   *name;
	List	   *keys;			/* of char * */
	List	   *properties;		/* of Property * */
} Type;

typedef struct Set
{
	char	   *name;
	char	   *type;
} Set;

/* Types by name, entity types and complex types apart. */
typedef struct NamedType
{
	char		name[NAME_KEY]; /* hash key */
	Type	   *type;
} NamedType;

typedef struct Model
{
	HTAB	   *entities;		/* of NamedType */
	HTAB	   *complexes;		/* of NamedType */
	List	   *sets;			/* of Set * */
	int			ndefinitions;
	int			nlooked;		/* properties and members, set by set */
} Model;

static const struct
{
	const char *name;
	CrmType		type;
}			nearest[] = {
	{"Edm.Byte", CRM_INT16},
	{"Edm.SByte", CRM_INT16},
	{"Edm.Single", CRM_DOUBLE},
	{"Edm.DateTimeOffset", CRM_DATETIME},
	{"Edm.Time", CRM_STRING}
};

static void read_children(Model *model, CrmXmlReader *xml);
static void read_entity_type(Model *model, CrmXmlReader *xml);
static void read_complex_type(Model *model, CrmXmlReader *xml);
static void read_set(Model *model, CrmXmlReader *xml);

/* The elements that lead to something; all others are passed over. */
static const struct
{
	const char *name;
	void		(*read) (Model *model, CrmXmlReader *xml);
}			elements[] = {
	{"DataServices", read_children},
	{"Schema", read_children},
	{"EntityContainer", read_children},
	{"EntityType", read_entity_type},
	{"ComplexType", read_complex_type},
	{"EntitySet", read_set}
};

/* ------------------------------------------------------------------- reading */

static void
check_size(int size, int most, const char *what)
{
	if (size >= most)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("$metadata of CDMS has more than %d %s", most, what)));
}

/* An attribute that must be there, in the database's encoding. */
static char *
read_attribute(CrmXmlReader *xml, const char *name)
{
	char	   *value = crm_xml_attribute(xml, NULL, name);

	if (value == NULL)
		crm_builder_wrong_shape(psprintf("Element \"%s\" has no attribute \"%s\".",
										 crm_xml_name(xml), name));
	return pg_any_to_server(value, strlen(value), PG_UTF8);
}

/* The name of what is described; it goes into URLs, bodies and SQL. */
static char *
read_name(CrmXmlReader *xml)
{
	char	   *name = read_attribute(xml, "Name");

	if (!crm_is_name(name))
		crm_builder_wrong_shape(psprintf("An element \"%s\" is called \"%s\", which is no name.",
										 crm_xml_name(xml), crm_words_tidy(name, QUOTED_NAME, NIL)));
	return name;
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/* Names of one kind must differ: which of two things would be meant? */
static void
refuse_repeated(List *names)
{
	ListCell   *cell;
	const char *last = "";

	list_sort(names, compare_names);
	foreach(cell, names)
	{
		if (strcmp(lfirst(cell), last) == 0)
			crm_builder_wrong_shape(psprintf("Name \"%s\" comes twice.", last));
		last = lfirst(cell);
	}
}

static void
read_children(Model *model, CrmXmlReader *xml)
{
	while (crm_xml_next_child(xml))
	{
		int			i = 0;

		while (i < lengthof(elements) && strcmp(elements[i].name, crm_xml_name(xml)) != 0)
			i++;
		if (i < lengthof(elements))
			elements[i].read(model, xml);
		else
			crm_xml_skip(xml);
	}
}

static void
read_key(Type *type, CrmXmlReader *xml)
{
	while (crm_xml_next_child(xml))
	{
		if (strcmp(crm_xml_name(xml), "PropertyRef") == 0)
			type->keys = lappend(type->keys, read_attribute(xml, "Name"));
		crm_xml_skip(xml);
	}
}

static void
read_property(Type *type, CrmXmlReader *xml)
{
	Property   *property = palloc(sizeof(Property));
	char	   *nullable = crm_xml_attribute(xml, NULL, "Nullable");

	check_size(list_length(type->properties), MOST_PROPERTIES, "properties for one type");
	property->name = read_name(xml);
	property->type = read_attribute(xml, "Type");
	property->nullable = nullable == NULL || strcmp(nullable, "false") != 0;
	type->properties = lappend(type->properties, property);
	crm_xml_skip(xml);
}

static void
check_properties(const Type *type)
{
	List	   *names = NIL;
	ListCell   *cell;

	foreach(cell, type->properties)
		names = lappend(names, ((Property *) lfirst(cell))->name);
	refuse_repeated(names);
	list_free(names);
}

static void
read_type(HTAB *types, CrmXmlReader *xml)
{
	Type	   *type = palloc0(sizeof(Type));
	NamedType  *named;
	bool		found;

	check_size(hash_get_num_entries(types), MOST_TYPES, "types");
	type->name = read_name(xml);
	named = hash_search(types, type->name, HASH_ENTER, &found);
	if (found)
		crm_builder_wrong_shape(psprintf("Type \"%s\" comes twice.", type->name));
	named->type = type;
	while (crm_xml_next_child(xml))
	{
		if (strcmp(crm_xml_name(xml), "Key") == 0)
			read_key(type, xml);
		else if (strcmp(crm_xml_name(xml), "Property") == 0)
			read_property(type, xml);
		else
			crm_xml_skip(xml);
	}
	check_properties(type);
}

static void
read_entity_type(Model *model, CrmXmlReader *xml)
{
	read_type(model->entities, xml);
}

static void
read_complex_type(Model *model, CrmXmlReader *xml)
{
	read_type(model->complexes, xml);
}

static void
read_set(Model *model, CrmXmlReader *xml)
{
	Set		   *set = palloc(sizeof(Set));

	check_size(list_length(model->sets), MOST_TYPES, "entity sets");
	set->name = read_name(xml);
	set->type = read_attribute(xml, "EntityType");
	model->sets = lappend(model->sets, set);
	crm_xml_skip(xml);
}

/* ----------------------------------------------------------------- assembling */

/* The type of this qualified name; NULL when the model has none. */
static const Type *
find_type(HTAB *types, const char *qualified)
{
	const char *dot = strrchr(qualified, '.');
	const char *name = dot ? dot + 1 : qualified;
	NamedType  *named = NULL;

	if (strlen(name) < NAME_KEY)
		named = hash_search(types, name, HASH_FIND, NULL);
	return named ? named->type : NULL;
}

/* The type that a type's name stands for in a column. */
static bool
map_type(const char *name, CrmType *type)
{
	if (crm_type_by_name(name, type))
		return true;
	for (int i = 0; i < lengthof(nearest); i++)
	{
		if (strcmp(nearest[i].name, name) == 0)
		{
			*type = nearest[i].type;
			return true;
		}
	}
	return false;
}

static List *
add_definition(Model *model, List *definitions, const char *name, const char *member,
			   CrmType type, bool nullable)
{
	CrmPropertyDef *definition = palloc(sizeof(CrmPropertyDef));

	check_size(list_length(definitions), MOST_PROPERTIES, "properties for one entity set");
	check_size(model->ndefinitions++, MOST_DEFINITIONS, "properties");
	definition->name = pstrdup(name);
	definition->member = member ? pstrdup(member) : NULL;
	definition->type = type;
	definition->nullable = nullable;
	return lappend(definitions, definition);
}

/*
 * Complex properties are said to be not nullable, but that means the whole: its
 * members may be null (captures/wcf/02 and 03, Revenue).
 */
static List *
add_property(Model *model, List *definitions, const Property *property)
{
	CrmType		type;
	const Type *complex;
	ListCell   *cell;

	CHECK_FOR_INTERRUPTS();
	check_size(model->nlooked++, MOST_LOOKED_AT, "properties");
	if (map_type(property->type, &type))
		return add_definition(model, definitions, property->name, NULL, type,
							  property->nullable || crm_type_member(type) != NULL);

	complex = find_type(model->complexes, property->type);
	if (complex == NULL)
		return definitions;
	foreach(cell, complex->properties)
	{
		const Property *member = lfirst(cell);

		check_size(model->nlooked++, MOST_LOOKED_AT, "properties");
		if (map_type(member->type, &type) && crm_type_member(type) == NULL)
			definitions = add_definition(model, definitions, property->name, member->name,
										 type, true);
	}
	return definitions;
}

/* The one key property of type Edm.Guid, or NULL. */
static const char *
key_of(const Type *type)
{
	ListCell   *cell;
	CrmType		key_type;

	if (list_length(type->keys) != 1)
		return NULL;
	foreach(cell, type->properties)
	{
		const Property *property = lfirst(cell);

		if (strcmp(property->name, linitial(type->keys)) == 0)
			return map_type(property->type, &key_type) && key_type == CRM_GUID ?
				property->name : NULL;
	}
	return NULL;
}

static List *
add_entity(Model *model, List *entities, const Set *set)
{
	const Type *type = find_type(model->entities, set->type);
	const char *key = type ? key_of(type) : NULL;
	CrmEntityDef *entity;
	ListCell   *cell;

	CHECK_FOR_INTERRUPTS();
	if (key == NULL)
		return entities;

	entity = palloc0(sizeof(CrmEntityDef));
	entity->name = pstrdup(type->name);
	entity->set = pstrdup(set->name);
	entity->key = pstrdup(key);
	foreach(cell, type->properties)
		entity->properties = add_property(model, entity->properties, lfirst(cell));
	return lappend(entities, entity);
}

static HTAB *
named_types(void)
{
	HASHCTL		ctl = {
		.keysize = NAME_KEY,.entrysize = sizeof(NamedType),.hcxt = CurrentMemoryContext
	};

	return hash_create("crm_sync metadata types", 512, &ctl,
					   HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
}

static void
check_sets(const Model *model)
{
	List	   *names = NIL;
	ListCell   *cell;

	foreach(cell, model->sets)
		names = lappend(names, ((Set *) lfirst(cell))->name);
	refuse_repeated(names);
}

List *
crm_metadata_read(const char *body, size_t length)
{
	Model		model = {0};
	List	   *entities = NIL;
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "crm_sync metadata",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(scratch);
	CrmXmlReader *xml = crm_xml_open(body, length, "$metadata of CDMS");
	ListCell   *cell;

	model.entities = named_types();
	model.complexes = named_types();
	if (crm_xml_next(xml) != CRM_XML_START || strcmp(crm_xml_name(xml), "Edmx") != 0)
		crm_builder_wrong_shape("Its root is not the element \"Edmx\".");
	read_children(&model, xml);
	if (crm_xml_next(xml) != CRM_XML_EOF || model.sets == NIL)
		crm_builder_wrong_shape("It has no entity sets.");
	check_sets(&model);
	MemoryContextSwitchTo(before);

	foreach(cell, model.sets)
		entities = add_entity(&model, entities, lfirst(cell));
	MemoryContextDelete(scratch);
	return entities;
}
