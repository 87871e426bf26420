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
 * Reads a scalar as it stood on the wire, JSON string unquoted or Atom text:
 * a date is "/Date(ms)/" or ISO 8601, both are accepted everywhere.  ERROR with
 * the input function's SQLSTATE, property and key named in the CONTEXT.
 */
extern Datum crm_value_read(const CrmField *field, const char *text);

/*
 * Appends the value as JSON writes it ("\"...\"", true, 12, "\"/Date(0)/\""),
 * complex wrapping included; null complex values as each member null.
 */
extern void crm_value_write_json(StringInfo out, const CrmAssignment *assignment);

/* Appends <d:Property m:type="...">...</d:Property>. */
extern void crm_value_write_atom(StringInfo out, const CrmAssignment *assignment);

/*
 * Appends a literal of an OData v2 filter: guid'...', datetime'...', 12L,
 * 1.5M, 'O''Neil', true.  Not percent-encoded.
 */
extern void crm_value_write_literal(StringInfo out, const CrmField *field,
									Datum value, Oid valuetype);

/* Milliseconds since the epoch, and back; integer arithmetic in UTC. */
extern TimestampTz crm_timestamp_from_ms(int64 ms);
extern int64 crm_timestamp_to_ms(TimestampTz timestamp);

#endif							/* CRM_VALUE_H */
