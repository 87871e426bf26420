/*
 * cdms/login.c
 *	  One login for a connection's requests.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "compat.h"
#include "cdms/error.h"
#include "cdms/login.h"
#include "net/url.h"

/*
 * How long a refusal is remembered: who retries a statement in a loop must not
 * have his account locked.
 */
#define REFUSAL_SECONDS 30

#define HINT_WAIT \
	"It is tried again after " CppAsString2(REFUSAL_SECONDS) \
	" seconds, or once the user mapping is altered."

pg_noreturn static void throw_refusal(const CrmConnection *conn, const char *detail,
									  const char *hint);

static void
throw_refusal(const CrmConnection *conn, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PASSWORD),
			 errmsg("login to server \"%s\" was refused", conn->server_name),
			 errdetail_internal("%s", detail),
			 errhint("%s", hint)));
}

static void
note_refusal(CrmLogin *login, const char *detail)
{
	char	   *copy = MemoryContextStrdup(CacheMemoryContext, detail);

	if (login->refusal)
		pfree(login->refusal);
	login->refusal = copy;
	login->refused_at = GetCurrentTimestamp();
	login->accepted = false;	/* nobody knows whether the next is let in */
	if (login->refusals)
		login->refusals->note(login->identity);
}

void
crm_login_refuse(CrmConnection *conn, const char *detail)
{
	note_refusal(conn->login, detail);
	throw_refusal(conn, conn->login->refusal,
				  "Check the user mapping, and the server's option \"auth\".");
}

static bool
is_refused(const CrmLogin *login)
{
	return login->refused_at != 0 &&
		!TimestampDifferenceExceeds(login->refused_at, GetCurrentTimestamp(),
									REFUSAL_SECONDS * 1000);
}

/* Before a password is sent by which nobody was let in yet. */
static void
check_other_sessions(const CrmConnection *conn)
{
	const CrmLogin *login = conn->login;

	if (login->refusals && login->refusals->is_recent(login->identity, REFUSAL_SECONDS))
		throw_refusal(conn, "Another session was refused with the same user mapping.", HINT_WAIT);
}

static void
log_in(CrmConnection *conn)
{
	MemoryContext scratch;
	MemoryContext before;

	check_other_sessions(conn);
	scratch = AllocSetContextCreate(CurrentMemoryContext, "crm_sync login",
									ALLOCSET_DEFAULT_SIZES);
	before = MemoryContextSwitchTo(scratch);
	crm_adfs_login(conn);
	conn->login->count++;
	MemoryContextSwitchTo(before);
	MemoryContextDelete(scratch);
}

int
crm_login_prepare(CrmConnection *conn)
{
	CrmLogin   *login = conn->login;

	if (login == NULL)
		return 0;
	if (is_refused(login))
		throw_refusal(conn, login->refusal, HINT_WAIT);
	if (login->adfs == NIL && !login->accepted)
		check_other_sessions(conn);
	if (login->adfs != NIL && login->count == 0)
		log_in(conn);
	return login->count;
}

/* Only success proves that somebody was let in: the rest may come from a proxy. */
void
crm_login_sent(CrmConnection *conn, CrmHttpExchange *exchange)
{
	CrmLogin   *login = conn->login;
	int			status;

	if (login == NULL || login->adfs != NIL || login->accepted)
		return;
	crm_http_wait_any(&exchange, 1);
	status = crm_http_status(exchange);
	if (status == 401)
		note_refusal(login, "CDMS answered 401.");
	else if (status >= 200 && status < 300)
		login->accepted = true;
}

List *
crm_login_secrets(const CrmConnection *conn, const CrmHttpResponse *response)
{
	List	   *secrets = list_copy(response->secrets);

	if (conn->login)
		secrets = lappend(secrets, pg_server_to_any(conn->login->password,
													strlen(conn->login->password), PG_UTF8));
	return secrets;
}

static bool
leads_to_adfs(const CrmLogin *login, const CrmHttpResponse *response)
{
	char	   *target;
	ListCell   *lc;

	if (response->status < 300 || response->status > 399 || response->location == NULL)
		return false;
	target = crm_url_resolve(login->home, response->location);
	foreach(lc, login->adfs)
	{
		if (target && crm_url_same_origin(lfirst(lc), target))
			return true;
	}
	return false;
}

bool
crm_login_is_lost(CrmConnection *conn, const CrmHttpRequest *request,
				  const CrmHttpResponse *response)
{
	CrmBodyKind kind;

	if (conn->login == NULL || conn->login->adfs == NIL)
		return false;
	if (response->status == 401 || leads_to_adfs(conn->login, response))
		return true;
	kind = crm_body_kind(response);
	return response->status == 200 &&
		(kind == CRM_BODY_LOGIN ||
		 (kind == CRM_BODY_HTML && strcmp(request->method, "GET") == 0));
}

void
crm_login_renew(CrmConnection *conn, int since)
{
	if (conn->login->count == since)
		log_in(conn);
}

void
crm_login_judge(CrmConnection *conn, const CrmHttpRequest *request,
				const CrmHttpResponse *response)
{
	if (conn->login == NULL)
		return;
	if (response->status == 401)
		note_refusal(conn->login,
					 crm_fault_describe(crm_fault_read(response,
													   crm_login_secrets(conn, response))));
	else if (crm_login_is_lost(conn, request, response))
		note_refusal(conn->login, "CDMS asked for a login right after one.");
	else
		conn->login->refused_at = 0;
}

CrmHttpResponse *
crm_login_send(CrmConnection *conn, const CrmHttpRequest *request)
{
	int			since = crm_login_prepare(conn);
	CrmHttpResponse *response = crm_http_send(conn->http, request);

	if (crm_login_is_lost(conn, request, response))
	{
		crm_login_renew(conn, since);
		response = crm_http_send(conn->http, request);
	}
	crm_login_judge(conn, request, response);
	return response;
}
