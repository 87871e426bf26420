/*
 * cdms/adfs.c
 *	  ADFS's passive login: forms and redirects until CDMS lets in (cdms-protocol
 *	  6.1).
 *
 * It begins at the organisation's own page.  What follows may be, in any order and
 * more than once: a redirect; a form to sign in with; a form that carries a token
 * on, which a browser's script would post.  The page at the end says nothing; what
 * matters are the cookies, and libcurl keeps those.
 *
 * None but the server's own host and those of adfs_url are spoken to, each under
 * the scheme and port that the options give; the password goes to the first
 * of adfs_url only, in a form of its own.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "compat.h"
#include "cdms/error.h"
#include "cdms/login.h"
#include "cdms/words.h"
#include "net/html.h"
#include "net/url.h"
#include "net/words.h"

#define MOST_HOPS 20			/* requests of one login */
#define LARGEST_PAGE (1024 * 1024)	/* bytes; ADFS's have 10 kB or so */
#define LONGEST_WORDS 200		/* bytes, of ADFS's own words */
#define SHORTEST_TOKEN 16		/* bytes of a form's value that may be one */
#define PAUSE_MS 500			/* before a login that went astray begins again */

typedef enum Step
{
	STEP_ONWARD,
	STEP_ARRIVED,
	STEP_ASTRAY					/* a page that leads nowhere */
} Step;

/* A login under way. */
typedef struct Walk
{
	CrmConnection *conn;
	CrmHttpRequest request;		/* the one to come */
	bool		told;			/* the password has been sent */
	List	   *secrets;		/* of char *: what no page may have us say */
} Walk;

pg_noreturn static void refuse_walk(const Walk *walk, const char *detail);

static void
refuse_walk(const Walk *walk, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("could not log in to server \"%s\"", walk->conn->server_name),
			 errdetail_internal("%s", detail),
			 errhint("Check the server's options \"url\" and \"adfs_url\".")));
}

/* A URL for a message: without its query, in which there may be a token. */
static char *
readable_url(const Walk *walk, const char *url)
{
	char	   *copy = crm_words_hide(pnstrdup(url, strcspn(url, "?#")), walk->secrets);

	crm_words_clean(copy);
	return copy;
}

/* Once there are too many no page is quoted, and one more does not matter. */
static void
note_secret(Walk *walk, const char *text)
{
	ListCell   *lc;

	foreach(lc, walk->secrets)
	{
		if (strcmp(lfirst(lc), text) == 0)
			return;
	}
	if (list_length(walk->secrets) <= CRM_MOST_SECRETS)
		walk->secrets = lappend(walk->secrets, pstrdup(text));
}

/* Tokens are in queries and in values that pages had us send. */
static void
note_token(Walk *walk, const char *text)
{
	if (strlen(text) >= SHORTEST_TOKEN)
		note_secret(walk, text);
}

/* A page may repeat the query whole, or a value.  Those that are URLs name hosts. */
static void
note_query(Walk *walk, const char *url)
{
	ListCell   *lc;

	note_token(walk, url + strcspn(url, "?"));
	foreach(lc, crm_url_query_values(url))
		if (strstr(lfirst(lc), "://") == NULL)
			note_token(walk, lfirst(lc));
}

/* ---------------------------------------------------------------- where to */

static bool
is_allowed(const CrmLogin *login, const char *url)
{
	ListCell   *lc;

	if (crm_url_same_origin(login->home, url))
		return true;
	foreach(lc, login->adfs)
	{
		if (crm_url_same_origin(lfirst(lc), url))
			return true;
	}
	return false;
}

/* The next request goes to this link of the page just got. */
static void
go(Walk *walk, const char *method, const char *link)
{
	char	   *url = crm_url_resolve(walk->request.url, link);

	if (url == NULL || !is_allowed(walk->conn->login, url))
		refuse_walk(walk, psprintf("\"%s\" points to \"%s\", which is another place.",
								   readable_url(walk, walk->request.url), readable_url(walk, link)));
	walk->request.method = method;
	walk->request.url = url;
	walk->request.shown = readable_url(walk, url);
	walk->request.body = NULL;
	walk->request.body_length = 0;
	note_query(walk, url);
}

static char *
first_url(const CrmLogin *login)
{
	StringInfoData url;

	initStringInfo(&url);
	appendStringInfo(&url, "%s/?whr=", login->home);
	crm_url_append_encoded(&url, linitial(login->adfs));
	return url.data;
}

static void
begin(Walk *walk, CrmConnection *conn)
{
	memset(walk, 0, sizeof(*walk));
	walk->conn = conn;
	walk->request.method = "GET";
	walk->request.url = crm_url_repair(first_url(conn->login));
	walk->request.shown = readable_url(walk, walk->request.url);
	note_token(walk, strchr(walk->request.url, '?'));
	crm_http_forget_cookies(conn->http);
}

/* ------------------------------------------------------------------- forms */

static bool
is_password(const CrmHtmlInput *input)
{
	return strcmp(input->type, "password") == 0;
}

/* ADFS 2 calls it ctl00$ContentPlaceHolder1$UsernameTextBox, ADFS 3 UserName. */
static bool
is_username(const CrmHtmlInput *input)
{
	return (strcmp(input->type, "text") == 0 || strcmp(input->type, "email") == 0) &&
		strcasestr(input->name, "username") != NULL;
}

static bool
is_token(const CrmHtmlInput *input)
{
	return strcmp(input->name, "wresult") == 0;
}

static List *
find_inputs(const CrmHtmlForm *form, bool (*is) (const CrmHtmlInput *))
{
	List	   *found = NIL;
	ListCell   *lc;

	foreach(lc, form->inputs)
	{
		if (is(lfirst(lc)))
			found = lappend(found, lfirst(lc));
	}
	return found;
}

/* The first form that has such an input, or NULL. */
static CrmHtmlForm *
find_form(List *forms, bool (*is) (const CrmHtmlInput *))
{
	ListCell   *lc;

	foreach(lc, forms)
	{
		if (find_inputs(lfirst(lc), is) != NIL)
			return lfirst(lc);
	}
	return NULL;
}

/* Does a browser send this input's value when the form is submitted? */
static bool
is_sent(const CrmHtmlInput *input, bool *submitted)
{
	if (strcmp(input->type, "submit") == 0)
	{
		bool		first = !*submitted;

		*submitted = true;
		return first;
	}
	if (strcmp(input->type, "checkbox") == 0 || strcmp(input->type, "radio") == 0)
		return input->checked;
	return strcmp(input->type, "button") != 0 && strcmp(input->type, "image") != 0 &&
		strcmp(input->type, "reset") != 0 && strcmp(input->type, "file") != 0;
}

/* Puts the form's values into the request that is about to be sent. */
static void
fill_in(Walk *walk, const CrmHtmlForm *form)
{
	StringInfoData body;
	bool		submitted = false;
	ListCell   *lc;

	initStringInfo(&body);
	foreach(lc, form->inputs)
	{
		CrmHtmlInput *input = lfirst(lc);

		if (!is_sent(input, &submitted))
			continue;
		crm_url_append_input(&body, input->name, input->value);
		note_token(walk, input->value);
	}
	walk->request.body = body.data;
	walk->request.body_length = body.len;
}

static void
carry_on(Walk *walk, const CrmHtmlForm *form)
{
	go(walk, "POST", form->action);
	fill_in(walk, form);
}

static char *
as_utf8(const char *text)
{
	return pg_server_to_any(text, strlen(text), PG_UTF8);
}

/*
 * Both ends of a form count, where it stands and where it is about to go.  Whoever
 * makes it chooses what else is sent along, and ADFS has pages that do more with a
 * password than to let in: they change it.
 */
static void
check_form(const Walk *walk, const char *page, const List *passwords)
{
	const char *adfs = linitial(walk->conn->login->adfs);

	if (!crm_url_same_origin(adfs, walk->request.url))
		refuse_walk(walk, psprintf("A form would send the password to \"%s\".",
								   readable_url(walk, walk->request.url)));
	if (!crm_url_same_origin(adfs, page))
		refuse_walk(walk, psprintf("The form for the password is not ADFS's own: it stands at \"%s\".",
								   readable_url(walk, page)));
	if (list_length(passwords) > 1)
		refuse_walk(walk, psprintf("The form at \"%s\" asks for more than one password.",
								   readable_url(walk, page)));
}

static void
sign_in(Walk *walk, const CrmHtmlForm *form)
{
	CrmLogin   *login = walk->conn->login;
	const char *page = walk->request.url;
	List	   *usernames = find_inputs(form, is_username);
	List	   *passwords = find_inputs(form, is_password);

	go(walk, "POST", form->action);
	check_form(walk, page, passwords);
	if (usernames != NIL)
		((CrmHtmlInput *) linitial(usernames))->value = as_utf8(login->username);
	((CrmHtmlInput *) linitial(passwords))->value = as_utf8(login->password);
	fill_in(walk, form);
	walk->told = true;
}

/* The form that was just filled in is shown again. */
static void
refuse_password(Walk *walk, const CrmHttpResponse *response)
{
	static const char *const places[] = {"ErrorTextLabel", "errorText"};
	char	   *words = NULL;

	for (int i = 0; i < lengthof(places) && words == NULL; i++)
		words = crm_html_text(response->body, response->body_length, places[i]);
	crm_login_refuse(walk->conn, words ?
					 psprintf("ADFS says: \"%s\"",
							  crm_words_tidy(words, LONGEST_WORDS, walk->secrets)) :
					 "ADFS shows its login form again.");
}

/* -------------------------------------------------------------------- steps */

/*
 * 301, 302 and 303 are followed with a GET, as browsers do; a form that is to be
 * posted elsewhere (307, 308) is not.
 */
static void
follow_redirect(Walk *walk, const CrmHttpResponse *response)
{
	bool		keeps_method = response->status == 307 || response->status == 308;

	if (response->location == NULL)
		refuse_walk(walk, psprintf("\"%s\" answered %d without saying where to.",
								   readable_url(walk, walk->request.url), response->status));
	if (keeps_method && walk->request.body)
		refuse_walk(walk, psprintf("\"%s\" wants a form sent elsewhere (%d).",
								   readable_url(walk, walk->request.url), response->status));
	go(walk, "GET", response->location);
}

/*
 * What answers a form may quote it, password and token ("A potentially dangerous
 * Request.Form value was detected", says ASP.NET, and shows it): no words then.
 */
static void
refuse_status(Walk *walk, const CrmHttpResponse *response)
{
	CrmFault   *fault = crm_fault_read(response, walk->secrets);

	if (walk->request.body)
		fault->words = "";
	if (response->status == 401)
		crm_login_refuse(walk->conn, crm_fault_describe(fault));
	crm_fault_throw(fault, walk->conn->server_name, "login failed");
}

/* What the answer to the walk's request leads to. */
static Step
take_step(Walk *walk, const CrmHttpResponse *response)
{
	List	   *forms;
	CrmHtmlForm *form;

	if (response->status >= 400)
		refuse_status(walk, response);
	if (response->status >= 300)
	{
		follow_redirect(walk, response);
		return STEP_ONWARD;
	}
	if (response->body_length > LARGEST_PAGE)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("could not log in to server \"%s\"", walk->conn->server_name),
				 errdetail("The page at \"%s\" is larger than 1 MB.",
						   readable_url(walk, walk->request.url))));

	forms = crm_html_forms(response->body, response->body_length);
	if ((form = find_form(forms, is_token)) != NULL)
		carry_on(walk, form);
	else if ((form = find_form(forms, is_password)) == NULL)
		return crm_url_same_origin(walk->conn->login->home, walk->request.url) ?
			STEP_ARRIVED : STEP_ASTRAY;
	else if (walk->told)
		refuse_password(walk, response);
	else
		sign_in(walk, form);
	return STEP_ONWARD;
}

static CrmHttpResponse *
send_request(Walk *walk)
{
	CrmHttpResponse *response;
	ListCell   *lc;

	walk->request.headers = list_make1("Accept: text/html");
	if (walk->request.body)
		walk->request.headers = lappend(walk->request.headers,
										"Content-Type: application/x-www-form-urlencoded");
	response = crm_http_send(walk->conn->http, &walk->request);
	foreach(lc, crm_login_secrets(walk->conn, response))
		note_secret(walk, lfirst(lc));
	return response;
}

static Step
walk_to_end(Walk *walk)
{
	for (int hop = 0; hop < MOST_HOPS; hop++)
	{
		Step		step = take_step(walk, send_request(walk));

		if (step != STEP_ONWARD)
			return step;
	}
	refuse_walk(walk, psprintf("After %d pages there is no end of redirects and forms.",
							   MOST_HOPS));
}

/* ADFS's pages come broken at times (cdms-protocol 6.1): begin again then. */
void
crm_adfs_login(CrmConnection *conn)
{
	Walk		walk;

	for (int attempt = 0;; attempt++)
	{
		begin(&walk, conn);
		if (walk_to_end(&walk) == STEP_ARRIVED)
			return;
		if (walk.told || attempt >= conn->max_retries)
			refuse_walk(&walk, psprintf("The page at \"%s\" has no login form.",
										readable_url(&walk, walk.request.url)));
		crm_http_pause(PAUSE_MS);
	}
}
