/*
 * cdms/value.h
 *	  Values between the wire and PostgreSQL, one table row for each type.
 *
 * Used by the readers and writers of the formats and by the filter.
 */
#ifndef CRM_VALUE_H
#define CRM_VALUE_H

#include "postgres.h"
#include "lib/stringinfo.h"

#include "cdms/cdms.h"

/*
 * Reads a scalar as it stood on the wire, JSON string unquoted or Atom text, in
 * the database's encoding: a date is "/Date(ms)/" or ISO 8601, both are accepted
 * everywhere.  ERROR with the input function's SQLSTATE, the property named in
 * the CONTEXT.  Conversions are an assignment's, text too long for its column
 * an ERROR 22001.
 */
extern Datum crm_value_read(const CrmField *field, const char *text);

/*
 * Calls the input function of the field's type; text NULL: for a null.  The checks
 * of a domain are its table's owner's, and run as he, in a security-restricted
 * operation: whoever reads his table must not lend them his rights.
 */
extern Datum crm_value_input(const CrmField *field, const char *text);

/* A null came: ERROR where the column's type is a domain that refuses it. */
extern void crm_value_read_null(const CrmField *field);

/*
 * What is written is UTF-8, whatever the database's encoding; names of
 * properties are ASCII in CRM.  Before a byte is sent: ERROR 22003 for numbers
 * that the property's type can't take (NaN and infinities too), 22008 for
 * moments outside CDMS's years 1753 to 9999, 22021 for characters that XML
 * can't carry.
 */

/*
 * Appends the value as JSON writes it ("\"...\"", true, 12, "\"/Date(0)/\""),
 * complex wrapping included; null complex values as each member null.
 */
extern void crm_value_write_json(StringInfo out, const CrmAssignment *assignment);

/* Appends <d:Property m:type="...">...</d:Property>. */
extern void crm_value_write_atom(StringInfo out, const CrmAssignment *assignment);

/*
 * Appends a literal of an OData v2 filter: guid'...', datetime'...', 12L,
 * 1.5M, 'O''Neil', true.  Not percent-encoded.  Moments are whole seconds here
 * (cdms-protocol 1.5): a fraction is an ERROR 22008, the caller having to say
 * in which direction to widen the condition.
 */
extern void crm_value_write_literal(StringInfo out, const CrmField *field,
									Datum value, Oid valuetype);

/*
 * Milliseconds since the epoch, and back, in UTC.  Microseconds are cut, not
 * rounded.  ERROR 22008 when out of range.
 */
extern TimestampTz crm_timestamp_from_ms(int64 ms);
extern int64 crm_timestamp_to_ms(TimestampTz timestamp);

/*
 * Reads "/Date(ms)/", "/Date(ms+0130)/" or ISO 8601 with or without time,
 * fraction and zone (none: UTC).  ERROR 22007 or 22008.
 */
extern TimestampTz crm_timestamp_parse(const char *text);

/* The UTC day, as type date counts them. */
extern int	crm_timestamp_day(TimestampTz timestamp);

/*
 * Appends ISO 8601 in UTC, "2011-02-16T08:00:00Z", with a fraction of six digits
 * only if there is one.  ERROR 22008 outside the years 1 to 9999.
 */
extern void crm_timestamp_append(StringInfo out, TimestampTz timestamp);

#endif							/* CRM_VALUE_H */
