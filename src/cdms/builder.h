/*
 * cdms/builder.h
 *	  A page of objects built value by value as a reader meets them, whatever
 *	  the format.
 *
 * The builder knows which properties are wanted and which field each fills;
 * the readers know JSON or XML and nothing of fields.
 */
#ifndef CRM_BUILDER_H
#define CRM_BUILDER_H

#include "postgres.h"

#include "compat.h"
#include "cdms/cdms.h"

typedef struct CrmBuilder CrmBuilder;

/* A property that some field wants. */
typedef struct CrmSlot CrmSlot;

/*
 * Objects are made in the context current now; the builder's own memory is
 * there too, gone with crm_builder_finish.  Until then a CONTEXT line of every
 * error names the entity set, or the object once its key is known.
 */
extern CrmBuilder *crm_builder_start(const CrmEntity *entity, const Bitmapset *wanted);

extern void crm_builder_begin_object(CrmBuilder *builder);

/* NULL: nobody wants this property. */
extern const CrmSlot *crm_builder_find(CrmBuilder *builder, const char *property);

/* Does some field want a member of the property rather than itself? */
extern bool crm_slot_is_complex(const CrmSlot *slot);

/*
 * A value came: of the property itself (member NULL) or of a member.  text NULL
 * is null; a property that is null is so in all its members.  ERROR when it came
 * before.
 */
extern void crm_builder_value(CrmBuilder *builder, const CrmSlot *slot,
							  const char *member, const char *text);

/*
 * ERROR when anything wanted did not come: what CDMS left out must not be taken
 * for null, or a later write would wipe it there.
 */
extern void crm_builder_end_object(CrmBuilder *builder);

/* ERROR when an object came twice. */
extern CrmPage *crm_builder_finish(CrmBuilder *builder);

/* CDMS's answer is not of the form that was asked for: HV000. */
pg_noreturn extern void crm_builder_wrong_shape(const char *detail);

#endif							/* CRM_BUILDER_H */
