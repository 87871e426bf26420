/*
 * test/unit/cdms_fixture.h
 *	  What the tests of cdms/ share: entities made of a few words, values as
 *	  text, and captures.
 */
#ifndef CDMS_FIXTURE_H
#define CDMS_FIXTURE_H

#include "postgres.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"

#include "cdms/cdms.h"
#include "cdms/error.h"
#include "cdms/format.h"
#include "cdms/value.h"

typedef struct CdmsColumn
{
	const char *path;			/* "PrimaryContactId/Id" */
	CrmType		type;
	Oid			pgtype;
} CdmsColumn;

/* A bound field. */
extern CrmField *cdms_field(const char *path, CrmType type, Oid pgtype);

/* An entity of these columns, the first its key. */
extern CrmEntity *cdms_entity(const char *name, const CdmsColumn *columns, int n);

#define CDMS_ENTITY(name, columns) cdms_entity((name), (columns), lengthof(columns))

/* AccountId, Name, NumberOfEmployees, PrimaryContactId/Id and /Name. */
extern CrmEntity *cdms_small_entity(void);

/* All the properties of captures/wcf's accounts. */
extern CrmEntity *cdms_account(void);

/* Index of the column of this path. */
extern int	cdms_index(const CrmEntity *entity, const char *path);

/* An object's value as its type's output function writes it; NULL for null. */
extern const char *cdms_value(const CrmEntity *entity, const CrmObject *object,
							  const char *path);

/* Any value likewise. */
extern const char *cdms_text(Datum value, Oid type);

/* A value of this type, from what its input function reads; NULL: null. */
extern CrmAssignment *cdms_assign(const CrmField *field, const char *text);

/* What TimeZone, DateStyle ... are for the rest of the transaction. */
extern void cdms_set(const char *setting, const char *value);

/*
 * A file of the captures; NULL, and the test marked as skipped, when the
 * directory (setting crm_unit.captures) is not there.  A file that is missing in
 * it fails the test.
 */
extern char *cdms_capture(const char *file);

/* The part of a captures/wcf file after this line, up to the next "--- " line. */
extern char *cdms_section(const char *capture, const char *title);

/*
 * The nth (from 0) part of an .http file of captures/odata that begins and ends
 * with a brace in the first column; what is elided there is cut out.
 */
extern char *cdms_json_part(const char *capture, int n);

/* An answer that might have come. */
extern CrmHttpResponse *cdms_response(int status, const char *type, const char *body);

#endif							/* CDMS_FIXTURE_H */
