/*
 * cdms/cdms.h
 *	  What the layers above know of CDMS: entities, values, conditions, and the
 *	  handful of things one can ask of it.
 *
 * Nothing here says OData: a second protocol (SOAP, OData v4) is another
 * CrmProtocol and the layers above stay as they are.
 *
 * Every function may throw: the transport's errors (net/http.h), and what CDMS
 * refused as HV000 with its code and words in DETAIL (28P01 for 401).
 */
#ifndef CRM_CDMS_H
#define CRM_CDMS_H

#include "postgres.h"
#include "fmgr.h"
#include "nodes/bitmapset.h"
#include "nodes/pg_list.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "net/http.h"

/* ---------------------------------------------------------------- types */

/*
 * The types a property or a member of a complex property can have.  The first
 * group are EDM's primitive types, the second CRM's complex types, each of
 * which has one member that stands for the whole (Id or Value).
 */
typedef enum CrmType
{
	CRM_STRING,
	CRM_GUID,
	CRM_BOOLEAN,
	CRM_INT16,
	CRM_INT32,
	CRM_INT64,
	CRM_DECIMAL,
	CRM_DOUBLE,
	CRM_DATETIME,
	CRM_BINARY,

	CRM_ENTITY_REFERENCE,		/* Id Edm.Guid, LogicalName, Name */
	CRM_OPTION_SET_VALUE,		/* Value Edm.Int32 */
	CRM_MONEY,					/* Value Edm.Decimal */
	CRM_MANAGED_BOOLEAN			/* Value Edm.Boolean, and two more */
} CrmType;

#define CRM_TYPE_COUNT (CRM_MANAGED_BOOLEAN + 1)

/*
 * One column's way to CDMS.  A value is held as a Datum of the column's own
 * type; pgtype decides how it is read from and written to the wire.
 */
typedef struct CrmField
{
	char	   *property;		/* "ParentCustomerId" */
	char	   *member;			/* "Id", "Value", "Name"; NULL: primitive */
	CrmType		type;			/* of the property */
	char	   *target;			/* LogicalName to send with a reference, or
								 * NULL where it has a single target */
	bool		writable;		/* false: other members than Id or Value */
	Oid			pgtype;
	int32		pgtypmod;
	Oid			owner;			/* as whom a domain's checks run; InvalidOid: as
								 * the current role */
	/* filled by crm_field_bind */
	CrmType		scalar;			/* primitive type of the value itself */
	Oid			basetype;		/* pgtype less its domains */
	FmgrInfo	input;			/* pgtype's input function */
	Oid			typioparam;
	bool		bound;
} CrmField;

typedef struct CrmEntity
{
	char	   *name;			/* "Account" */
	char	   *set;			/* "AccountSet" */
	int			nfields;
	CrmField   *fields;
	int			key;			/* index into fields */
} CrmEntity;

/* An object as CDMS gave it: one value for each of the entity's fields. */
typedef struct CrmObject
{
	pg_uuid_t	key;
	Datum	   *values;
	bool	   *nulls;
} CrmObject;

/*
 * The EDM or CRM name of a type ("Edm.Guid", "EntityReference"; also the short
 * form "Guid") and back.  crm_type_by_name: false when there is no such type.
 */
extern const char *crm_type_name(CrmType type);
extern bool crm_type_by_name(const char *name, CrmType *type);

/*
 * Can CDMS have given this name to an entity, a set or a property?  Letters, digits
 * and underscores, no digit first, at most 255 bytes: so that it means nothing in
 * URLs, filters, JSON and XML.  What is not ASCII counts as letters.
 */
extern bool crm_is_name(const char *text);

/*
 * A name as it stands in URLs and bodies, which are in UTF-8.  In a database of UTF-8 it
 * is the same string.
 */
extern const char *crm_name_to_wire(const char *name);

/* The SQL type that IMPORT gives a property of this type ("uuid", "text" ...). */
extern const char *crm_type_sql(CrmType type);

/*
 * The type a column's property has where no option says it; ERROR HV004 when the
 * column's type has none.
 */
extern CrmType crm_type_for_column(Oid pgtype, const char *column);

/* The member that stands for a complex type ("Id", "Value"); NULL for primitive types. */
extern const char *crm_type_member(CrmType type);

/*
 * Completes a field whose property, member, type and pgtype are set: ERROR
 * HV004 when a value of its type can't be held by pgtype.  memory: where the
 * FmgrInfo lives.
 */
extern void crm_field_bind(CrmField *field, MemoryContext memory);

/* ----------------------------------------------------------- conditions */

typedef enum CrmConditionKind
{
	CRM_AND, CRM_OR,			/* args */
	CRM_NOT,					/* args, one */
	CRM_EQ, CRM_NE, CRM_LT, CRM_LE, CRM_GT, CRM_GE, /* field, value */
	CRM_IS_NULL, CRM_IS_NOT_NULL,	/* field */
	CRM_STARTS_WITH, CRM_ENDS_WITH, CRM_CONTAINS	/* field, value (text) */
} CrmConditionKind;

typedef struct CrmCondition
{
	CrmConditionKind kind;
	List	   *args;			/* of CrmCondition * */
	const CrmField *field;
	Datum		value;			/* never null */
	Oid			valuetype;		/* text, uuid, bool, int2/4/8, numeric,
								 * timestamptz */
} CrmCondition;

/* ----------------------------------------------------------- connection */

typedef enum CrmFormat
{
	CRM_FORMAT_JSON,
	CRM_FORMAT_ATOM
} CrmFormat;

typedef struct CrmProtocol CrmProtocol;
typedef struct CrmLogin CrmLogin;	/* cdms/login.h */

/* One identity at one organisation. */
typedef struct CrmConnection
{
	uint64		serial;			/* no other of the session has it, its address may */
	const CrmProtocol *protocol;
	CrmHttpSession *http;
	CrmLogin   *login;			/* NULL: there is none */
	char	   *server_name;	/* as in CREATE SERVER, for messages */
	char	   *root;			/* ".../XRMServices/2011/OrganizationData.svc" */
	CrmFormat	format;
	int			max_retries;
	bool		batch;			/* several writes go in one request */
	int64		objects;		/* received since it was opened */
} CrmConnection;

/* ----------------------------------------------------- what can be asked */

typedef struct CrmQuery
{
	const CrmEntity *entity;
	const CrmCondition *filter; /* NULL: all */
	Bitmapset  *fields;			/* indexes of those wanted; NULL: all.  The key
								 * always comes. */
	const CrmField *order;		/* ascending; NULL: as CDMS likes */
	bool		descending;
	int			limit;			/* objects at most; 0: none */
	bool		ahead;			/* all pages are wanted: the next is asked for
								 * while the caller is busy with one */
} CrmQuery;

typedef struct CrmCursor CrmCursor;

typedef struct CrmPage
{
	int			nobjects;
	CrmObject  *objects;
	TimestampTz date;			/* the server's clock when it answered; 0: it
								 * did not say */
	bool		last;			/* there is no further page */
} CrmPage;

/* A property as $metadata describes it. */
typedef struct CrmPropertyDef
{
	char	   *name;
	char	   *member;			/* set only for members of complex types that
								 * this code does not know */
	CrmType		type;
	bool		nullable;
} CrmPropertyDef;

typedef struct CrmEntityDef
{
	char	   *name;
	char	   *set;
	char	   *key;			/* name of the key property */
	List	   *properties;		/* of CrmPropertyDef * */
} CrmEntityDef;

typedef enum CrmWriteKind
{
	CRM_CREATE,
	CRM_UPDATE,					/* of these properties only */
	CRM_REMOVE
} CrmWriteKind;

typedef enum CrmOutcome
{
	CRM_UNSENT,					/* after another write was refused */
	CRM_DONE,
	CRM_MISSING,				/* there is no object of this key */
	CRM_DUPLICATE,				/* there is one already */
	CRM_REFUSED,				/* error says why */
	CRM_UNKNOWN					/* no answer came, or CDMS has no time now: it may
								 * have been carried out */
} CrmOutcome;

/* One value to write. */
typedef struct CrmAssignment
{
	const CrmField *field;
	Datum		value;
	bool		isnull;
} CrmAssignment;

/* One object to write, and what became of that. */
typedef struct CrmWrite
{
	CrmWriteKind kind;
	const CrmEntity *entity;
	pg_uuid_t	key;
	List	   *assignments;	/* CrmAssignment *; of a creation the key's, too */
	bool		read_back;		/* wanted: what CDMS makes of a change, if it comes
								 * without a further request */

	CrmOutcome	outcome;
	CrmObject  *made;			/* what CDMS made of a creation; of a change NULL
								 * where it was not read back.  Set by read_made */
	const CrmQuery *query;		/* by which a change is read back; NULL: it is not */
	const CrmHttpResponse *answer;	/* to the query, or to the creation itself: what
									 * read_made reads; NULL: there is none */
	ErrorData  *error;			/* CRM_REFUSED, CRM_UNKNOWN; else NULL */
	bool		not_done;		/* with CRM_UNSENT, CRM_REFUSED, CRM_UNKNOWN: surely
								 * not carried out; it never left, or CDMS itself
								 * says so.  Also where write throws */
	int			retry_after;	/* seconds, with CRM_UNKNOWN; -1: not said */
} CrmWrite;

/*
 * What a protocol provides.  Results are palloc'd in the current context.
 */
struct CrmProtocol
{
	/* All entity sets of the organisation: CrmEntityDef *. */
	List	   *(*metadata) (CrmConnection *conn);

	/*
	 * Begins a query; no request is sent before the first fetch or start.  The
	 * cursor, and with it what it has under way, belongs to the current context.
	 */
	CrmCursor  *(*open) (CrmConnection *conn, const CrmQuery *query);

	/* Asks for the next page, if there is one, without waiting for it. */
	void		(*start) (CrmCursor *cursor);

	/*
	 * The next page, whole; NULL after the last.  A page may be empty.  ERROR
	 * when it is not what was asked for (HTML, cut, another document), when
	 * a link leads elsewhere, in a circle, or to nothing new ten times over: never
	 * fewer objects.
	 */
	CrmPage    *(*fetch) (CrmCursor *cursor);

	/*
	 * Waits until one of n cursors, all of which have asked for a page, has it: its
	 * index.  What went wrong with the page is for fetch to say.
	 */
	int			(*ready) (CrmCursor *const *cursors, int n);

	/* Asks for no more; what is under way is given up. */
	void		(*close) (CrmCursor *cursor);

	/* Do the entity's objects have a property of this name?  Asks for $metadata. */
	bool		(*has_property) (CrmConnection *conn, const CrmEntity *entity,
								 const char *property);

	/* What open would ask, for EXPLAIN: "GET AccountSet?$filter=...", decoded. */
	char	   *(*describe) (CrmConnection *conn, const CrmQuery *query);

	/* Does the query fit one request (a URL of 2,000 bytes)? */
	bool		(*fits) (CrmConnection *conn, const CrmQuery *query);

	/*
	 * How many of n keys, from the first, fit one query (contract: 25 and a
	 * URL of 2,000 bytes); the condition for them comes from crm_condition_keys.
	 */
	int			(*keys_per_query) (CrmConnection *conn, const CrmEntity *entity, int n);

	/* ERROR unless all of these values can be written; sends nothing. */
	void		(*check) (CrmConnection *conn, const CrmEntity *entity,
						  List *assignments);

	/*
	 * Sends these writes (CrmWrite *), which don't depend on each other, in any
	 * order, and waits for the answers.  After one that is refused no more are
	 * sent.  ERROR only for interrupts; all else is an outcome.
	 */
	void		(*write) (CrmConnection *conn, List *writes);

	/*
	 * Reads what the answers to those that are done say of the objects.  It runs the
	 * checks of the columns' domains, code of the tables' owners: so it comes after
	 * all outcomes have been noted, and its ERROR must end a (sub)transaction.
	 */
	void		(*read_made) (CrmConnection *conn, List *writes);
};

extern const CrmProtocol crm_protocol_odata2;

/*
 * Milliseconds to wait before the attempt after this one (0: the first): what the
 * server said (seconds; -1: nothing), or ever longer, and not all sessions at once.
 */
extern long crm_retry_pause(int retry_after, int attempt);

/* key = keys[0] or key = keys[1] ... */
extern CrmCondition *crm_condition_keys(const CrmEntity *entity,
										const pg_uuid_t *keys, int n);

extern CrmCondition *crm_condition_compare(CrmConditionKind kind, const CrmField *field,
										   Datum value, Oid valuetype);
extern CrmCondition *crm_condition_group(CrmConditionKind kind, List *args);

#endif							/* CRM_CDMS_H */
