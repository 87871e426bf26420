/*
 * cdms/odata.h
 *	  What the parts of the OData v2 protocol share: reads (odata.c) and writes
 *	  (odata_write.c).
 */
#ifndef CRM_ODATA_H
#define CRM_ODATA_H

#include "compat.h"
#include "cdms/cdms.h"
#include "cdms/error.h"
#include "cdms/format.h"

extern const CrmFormatMethods *crm_odata_format(const CrmConnection *conn);

extern char *crm_odata_key_text(const pg_uuid_t *key);

/* ".../OrganizationData.svc/AccountSet" */
extern char *crm_odata_url(const CrmConnection *conn, const char *path);

/* Is the status one of these (ended by 0)? */
extern bool crm_odata_is_one_of(int status, const int *statuses);

/* Does CDMS have no time now: 429, 503? */
extern bool crm_odata_is_overloaded(const CrmHttpResponse *response);

/* ERROR unless what came is data of this media type. */
extern void crm_odata_check_media_type(const CrmConnection *conn, const CrmHttpResponse *response,
									   const char *expected);

/* The ERROR for an HTML page in place of data, and for any other refusal of action. */
pg_noreturn extern void crm_odata_refuse_page(const CrmConnection *conn,
											  const CrmHttpResponse *response, CrmBodyKind kind);
pg_noreturn extern void crm_odata_refuse(const CrmConnection *conn, const CrmHttpResponse *response,
										 const char *action);

/*
 * A query's first page as a request, and from its answer, which was checked before to
 * be one.
 */
extern CrmHttpRequest *crm_odata_query_request(CrmConnection *conn, const CrmQuery *query);
extern void crm_odata_check_answer(CrmConnection *conn, const CrmQuery *query,
								   const CrmHttpResponse *response);
extern CrmPage *crm_odata_read_answer(CrmConnection *conn, const CrmQuery *query,
									  const CrmHttpResponse *response);

/* A write as a request, and what the answer says of it (NULL: it is sent first). */
extern CrmHttpRequest *crm_odata_write_request(CrmConnection *conn, const CrmWrite *write);
extern void crm_odata_judge(CrmConnection *conn, CrmWrite *write,
							const CrmHttpResponse *response);

/*
 * Calls act, which uses nothing of the database, and takes what it throws for the
 * write's outcome: CRM_UNKNOWN where that is what the outcome was or the connection was
 * lost, else CRM_REFUSED.  Interrupts go on.
 */
extern void crm_odata_try(CrmWrite *write, void (*act) (CrmWrite *write, void *arg), void *arg);

extern ErrorData *crm_odata_make_error(const char *message);

/* The writes as one change set (odata_batch.c). */
extern void crm_odata_write_batch(CrmConnection *conn, List *writes);

/*
 * Takes its answer apart: each write (CRM_UNSENT before) that a part speaks of gets its
 * outcome, queries (CrmQuery *) are what was to be read back.  ERROR when it can't be
 * read, or part of it; what was judged before that stays.
 */
extern void crm_odata_judge_batch(CrmConnection *conn, List *writes, List *queries,
								  const CrmHttpResponse *response);

/* The objects in an answer to one of a change set's queries, for the writes that it is of. */
extern void crm_odata_read_back(CrmConnection *conn, List *writes, const CrmQuery *query,
								const CrmHttpResponse *answer);

/* CrmProtocol's check, write and read_made. */
extern void crm_odata_check(CrmConnection *conn, const CrmEntity *entity, List *assignments);
extern void crm_odata_write(CrmConnection *conn, List *writes);
extern void crm_odata_read_made(CrmConnection *conn, List *writes);

#endif							/* CRM_ODATA_H */
