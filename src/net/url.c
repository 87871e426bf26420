/*
 * net/url.c
 *	  URLs and forms: escaping what a server or a user left unescaped, resolving
 *	  links.
 *
 * Reading a URL is libcurl's business: what this file takes for the host is
 * what libcurl will connect to.
 */
#include "postgres.h"

#include <curl/curl.h>

#include "net/url.h"

/* What an option's value may hold as it is, beside letters and digits. */
#define VALUE_SAFE "-._~()',/:$"

/* What may not stand in a URL, beside blanks, controls and bytes above 127. */
#define NEVER_SAFE "\"<>\\^`{|}"

static void
url_append_escape(StringInfo url, char c)
{
	appendStringInfo(url, "%%%02X", (unsigned char) c);
}

static bool
url_is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

void
crm_url_append_encoded(StringInfo url, const char *text)
{
	for (const char *c = text; *c != '\0'; c++)
	{
		if (url_is_alphanumeric(*c) || strchr(VALUE_SAFE, *c) != NULL)
			appendStringInfoChar(url, *c);
		else
			url_append_escape(url, *c);
	}
}

void
crm_url_append_input(StringInfo form, const char *name, const char *value)
{
	if (form->len > 0)
		appendStringInfoChar(form, '&');
	crm_url_append_encoded(form, name);
	appendStringInfoChar(form, '=');
	crm_url_append_encoded(form, value);
}

/* Must the character at c be escaped?  A % need not where it begins an escape. */
static bool
url_is_misplaced(const char *c)
{
	if (*c == '%')
		return !isxdigit((unsigned char) c[1]) || !isxdigit((unsigned char) c[2]);
	return *c <= ' ' || *c > '~' || strchr(NEVER_SAFE, *c) != NULL;
}

char *
crm_url_repair(const char *url)
{
	StringInfoData repaired;

	initStringInfo(&repaired);
	for (const char *c = url; *c != '\0'; c++)
	{
		if (url_is_misplaced(c))
			url_append_escape(&repaired, *c);
		else
			appendStringInfoChar(&repaired, *c);
	}
	return repaired.data;
}

/* A string of libcurl's, moved to palloc'd memory. */
static char *
url_adopt(char *string)
{
	char	   *copy = palloc_extended(strlen(string) + 1, MCXT_ALLOC_NO_OOM);

	if (copy != NULL)
		strcpy(copy, string);
	curl_free(string);
	if (copy == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	return copy;
}

static char *
url_decoded(const char *text, size_t length)
{
	/* A length of 0 would be that of all that follows. */
	char	   *string = curl_easy_unescape(NULL, length > 0 ? text : "", (int) length, NULL);

	if (string == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	return url_adopt(string);
}

List *
crm_url_query_values(const char *url)
{
	const char *rest = url + strcspn(url, "?#");
	List	   *values = NIL;

	while (*rest == '?' || *rest == '&')
	{
		size_t		length = strcspn(++rest, "&#");
		size_t		name = strcspn(rest, "=&#");

		if (name < length)
			values = lappend(values, url_decoded(rest + name + 1, length - name - 1));
		rest += length;
	}
	return values;
}

/* A part of url (after link, if given, was resolved against it), or NULL. */
static char *
url_part(const char *url, const char *link, CURLUPart part, unsigned int flags)
{
	CURLU	   *handle = curl_url();
	char	   *string = NULL;

	if (handle == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	if (curl_url_set(handle, CURLUPART_URL, url, 0) != CURLUE_OK ||
		(link != NULL && curl_url_set(handle, CURLUPART_URL, link, 0) != CURLUE_OK) ||
		curl_url_get(handle, part, &string, flags) != CURLUE_OK)
		string = NULL;
	curl_url_cleanup(handle);
	return string != NULL ? url_adopt(string) : NULL;
}

static bool
url_is_http(const char *url)
{
	char	   *scheme = url_part(url, NULL, CURLUPART_SCHEME, 0);

	return scheme != NULL &&
		(pg_strcasecmp(scheme, "http") == 0 || pg_strcasecmp(scheme, "https") == 0);
}

char *
crm_url_resolve(const char *base, const char *link)
{
	char	   *absolute = url_part(crm_url_repair(base), crm_url_repair(link),
									CURLUPART_URL, 0);

	return absolute != NULL && url_is_http(absolute) ? absolute : NULL;
}

char *
crm_url_origin(const char *url)
{
	char	   *scheme = url_part(url, NULL, CURLUPART_SCHEME, 0);
	char	   *host = url_part(url, NULL, CURLUPART_HOST, 0);
	char	   *port = url_part(url, NULL, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);

	if (scheme == NULL || host == NULL)
		return pstrdup("?");
	return psprintf("%s://%s%s%s", scheme, host,
					port != NULL ? ":" : "", port != NULL ? port : "");
}

bool
crm_url_same_origin(const char *a, const char *b)
{
	static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};

	for (int i = 0; i < lengthof(parts); i++)
	{
		char	   *of_a = url_part(a, NULL, parts[i], CURLU_DEFAULT_PORT);
		char	   *of_b = url_part(b, NULL, parts[i], CURLU_DEFAULT_PORT);

		if (of_a == NULL || of_b == NULL || pg_strcasecmp(of_a, of_b) != 0)
			return false;
	}
	return true;
}
