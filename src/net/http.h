/*
 * net/http.h
 *	  HTTP requests that a PostgreSQL backend can make safely.
 *
 * libcurl's multi interface is driven from the backend's own latch, so query
 * cancel, statement_timeout, termination and postmaster death act at any moment
 * of a request (within 100 ms), outside libcurl's callbacks, and leave no
 * socket, handle or memory behind.
 *
 * This layer knows nothing of CRM: any HTTP status is an answer, not an error.
 */
#ifndef CRM_HTTP_H
#define CRM_HTTP_H

#include "postgres.h"
#include "nodes/pg_list.h"
#include "utils/timestamp.h"

/* How a session proves who it is. */
typedef enum CrmHttpAuth
{
	CRM_HTTP_AUTH_NONE,
	CRM_HTTP_AUTH_BASIC,
	CRM_HTTP_AUTH_NTLM,
	CRM_HTTP_AUTH_NEGOTIATE		/* as the process: username is not looked at */
} CrmHttpAuth;

/*
 * What a session is opened with.  Strings may be NULL; crm_http_open copies
 * what it keeps.
 */
typedef struct CrmHttpSettings
{
	CrmHttpAuth auth;
	const char *username;
	const char *password;
	const char *ca_file;		/* PEM, all that are trusted; NULL: the system's */
	const char *crl_file;		/* PEM, revocation lists of every CA in the
								 * chain; NULL: none are looked at */
	const char *client_cert;	/* PEM */
	const char *client_key;		/* PEM */
	const char *proxy;			/* URL */
	int			connect_timeout;	/* milliseconds, 0: none */
	int			request_timeout;	/* milliseconds, 0: none */
	int			max_connections;	/* kept alive, and requests in flight: at least 1 */
	int64		max_response_size;	/* bytes of a body after decompression */
} CrmHttpSettings;

/* What a session has sent and met since it was opened. */
typedef struct CrmHttpCounters
{
	int64		get;
	int64		post;
	int64		merge;
	int64		put;
	int64		delete;
	int64		bytes_sent;		/* of bodies */
	int64		bytes_received; /* of bodies, as they came over the wire */
	int64		retries;		/* libcurl's (of a GET on a connection found
								 * closed); callers add their own */
	int64		errors;			/* no answer, or a status of 400 and above */
	double		milliseconds;	/* waited for answers; what came meanwhile, while
								 * something else was done, took none */
} CrmHttpCounters;

/*
 * Connections, cookies and counters for one identity at one server.  Lives
 * until crm_http_close, in memory of its own.
 */
typedef struct CrmHttpSession CrmHttpSession;

typedef struct CrmHttpRequest
{
	const char *method;			/* "GET", "POST", "MERGE", "PUT", "DELETE" */
	bool		tunnelled;		/* sent as a POST with X-HTTP-Method: every
								 * proxy knows POST */
	const char *url;			/* absolute and percent-encoded, see net/url.h */
	List	   *headers;		/* of char *, "Name: value" */
	const char *body;			/* NULL: none */
	size_t		body_length;
	const char *shown;			/* what the log shows of the URL; NULL: all */
} CrmHttpRequest;

/* Of an answer with more of them no words can be quoted without any. */
#define CRM_MOST_SECRETS 64

typedef struct CrmHttpResponse
{
	int			status;
	char	   *content_type;	/* "" where the server sent none */
	char	   *location;		/* Location header or NULL */
	char	   *body;			/* NUL-terminated after body_length bytes */
	size_t		body_length;
	TimestampTz date;			/* the server's Date header, of the years 1970
								 * to 9999; 0: absent or no such date */
	int			retry_after;	/* seconds; -1: no such header */
	List	   *secrets;		/* of char *, each once: cookies and logins that the
								 * request went with, and the cookies that came; not
								 * all where they are more than CRM_MOST_SECRETS */
} CrmHttpResponse;

/* Opens no connection yet.  Never fails but for want of memory. */
extern CrmHttpSession *crm_http_open(const CrmHttpSettings *settings);
extern void crm_http_close(CrmHttpSession *session);

/*
 * The session is used in this role's name, too.  What its requests were, and how much
 * was answered, is then told to no user who has not the rights of all these roles; the
 * server's log has it always.
 */
extern void crm_http_used_by(CrmHttpSession *session, Oid role);

/*
 * Lets the session go on, but keep no connection open beyond the requests that need
 * one: somebody may still use it, perhaps for long, and there may be many like it.
 */
extern void crm_http_retire(CrmHttpSession *session);

/* Whatever cookies the session was given, it has none afterwards. */
extern void crm_http_forget_cookies(CrmHttpSession *session);

/* A request under way. */
typedef struct CrmHttpExchange CrmHttpExchange;

/*
 * Sends a request without waiting for the answer; where max_connections of the
 * session are under way already, it goes in its turn.  What it needs is copied.  It
 * makes progress while anybody waits for a request of this session.
 *
 * The exchange belongs to the current memory context: it ends, answered or not,
 * with crm_http_wait, crm_http_abandon, that context, the session, or the
 * subtransaction that began it if that fails.  Errors: as crm_http_wait.
 */
extern CrmHttpExchange *crm_http_start(CrmHttpSession *session,
									   const CrmHttpRequest *request);

/*
 * Waits for the whole answer, which is palloc'd in the current memory context.  The
 * exchange is gone afterwards, also after an ERROR.
 *
 * Errors: 08001 not reached (resolve, connect, TLS, refused by the proxy),
 * 08006 lost (reset, cut short, undecodable) or timed out (with a HINT naming
 * the option; only time in which somebody waited counts), 54000 a limit of size
 * reached, 22023 a URL or header that can't be sent.  Redirects are answers like
 * any other, not followed.  After an error nothing of the request is left, and the
 * session can be used; a server that let connect_timeout pass is left alone for ten
 * seconds: 08001 at once.
 *
 * A request other than GET leaves once: 08006 after it means that it may have
 * been carried out, and the caller has to find out.  A compressed body that
 * ends early inside a well-framed answer is for the body's parser to notice.
 */
extern CrmHttpResponse *crm_http_wait(CrmHttpExchange *exchange);

/*
 * Waits until one of n (at least 1) exchanges of the same session has its answer,
 * or failed: the index of that one, for which crm_http_wait waits no more.  ERROR
 * only for interrupts and the deadline; all n are still there after it.
 */
extern int	crm_http_wait_any(CrmHttpExchange *const *exchanges, int n);

/* Of one that crm_http_wait_any has found: has any of the request been sent? */
extern bool crm_http_has_left(const CrmHttpExchange *exchange);

/* HTTP status of one that crm_http_wait_any has found; 0: there was no answer. */
extern int	crm_http_status(const CrmHttpExchange *exchange);

/*
 * Ends a request without its answer, and its connection where half of one is on it.
 * One other than a GET may have been carried out.
 */
extern void crm_http_abandon(CrmHttpExchange *exchange);

/* Ends those that this subtransaction, or one below it, began: it has failed. */
extern void crm_http_abandon_since(SubTransactionId subtransaction);

/* Sends one request and waits: crm_http_start and crm_http_wait. */
extern CrmHttpResponse *crm_http_send(CrmHttpSession *session,
									  const CrmHttpRequest *request);

/* Requests in flight that the session was opened for. */
extern int	crm_http_max_connections(const CrmHttpSession *session);

/*
 * Waits, interruptible like a request, not beyond the deadline.  For a retry
 * after a pause.
 */
extern void crm_http_pause(long milliseconds);

/*
 * Until it is set back to 0 no request of this backend lasts beyond this
 * moment, whatever its own limit: an ERROR 08006 that names option_name, which is
 * not copied.
 */
extern void crm_http_set_deadline(TimestampTz deadline, const char *option_name);

/* The one that is set, for who sets his own for a while. */
extern TimestampTz crm_http_get_deadline(const char **option_name);

extern CrmHttpCounters *crm_http_counters(CrmHttpSession *session);

/* Message level at which each request is logged: setting crm_sync.log_requests. */
extern int	crm_log_requests;

#endif							/* CRM_HTTP_H */
