/*
 * cdms/type.h
 *	  What the files of this layer know of types beyond cdms.h: the members of
 *	  complex types, and a field's name in messages.
 */
#ifndef CRM_TYPE_H
#define CRM_TYPE_H

#include "cdms/cdms.h"

/*
 * The namespace of CRM's types in Atom, JSON and $metadata (captures/odata/07,
 * captures/wcf/02).
 */
#define CRM_TYPE_NAMESPACE "Microsoft.Crm.Sdk.Data.Services"

typedef struct CrmMember
{
	const char *name;
	CrmType		type;			/* primitive */
} CrmMember;

/*
 * The members of a complex type, the one that stands for the whole first, ended
 * by a NULL name; NULL for primitive types.
 */
extern const CrmMember *crm_type_members(CrmType type);

/* "Name", "ParentCustomerId/Id"; palloc'd. */
extern char *crm_field_path(const CrmField *field);

#endif							/* CRM_TYPE_H */
