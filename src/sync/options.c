/*
 * sync/options.c
 *	  One table of all options: name, place, kind and who may set it.
 *
 * The validator and the readers use the same table, so that what is accepted
 * is what is understood.
 */
#include "postgres.h"

#include <math.h>

#include "access/reloptions.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/guc.h"
#include "utils/varlena.h"

#include "cdms/cdms.h"
#include "sync/options.h"

typedef enum OptionKind
{
	KIND_TEXT,					/* anything but the empty string */
	KIND_CONSTANT,				/* anything */
	KIND_NAME,					/* crm_is_name */
	KIND_PATH,					/* a name, or two and a slash */
	KIND_URL,
	KIND_URLS,					/* separated by blanks */
	KIND_BOOL,
	KIND_DURATION,
	KIND_COUNT,
	KIND_SIZE,
	KIND_TYPE,
	KIND_ENUM
} OptionKind;

typedef struct OptionDef
{
	Oid			catalog;
	const char *name;
	OptionKind	kind;
	const char *choices;		/* KIND_ENUM: separated by blanks */
	bool		superuser;
} OptionDef;

#define SERVER		ForeignServerRelationId
#define MAPPING		UserMappingRelationId
#define TABLE		ForeignTableRelationId
#define COLUMN		AttributeRelationId

#define HINT_ROOT	"Give the organisation's root: OPTIONS (url 'https://crm.example.org/UKTI')."

static const OptionDef option_defs[] = {
	{SERVER, "url", KIND_URL},
	{SERVER, "format", KIND_ENUM, "json atom"},
	{SERVER, "auth", KIND_ENUM, "none basic ntlm negotiate adfs"},
	{SERVER, "adfs_url", KIND_URLS},
	{SERVER, "ca_file", KIND_TEXT, .superuser = true},
	{SERVER, "crl_file", KIND_TEXT, .superuser = true},
	{SERVER, "client_cert", KIND_TEXT, .superuser = true},
	{SERVER, "client_key", KIND_TEXT, .superuser = true},
	{SERVER, "proxy", KIND_URL},
	{SERVER, "connect_timeout", KIND_DURATION},
	{SERVER, "request_timeout", KIND_DURATION},
	{SERVER, "commit_timeout", KIND_DURATION},
	{SERVER, "max_retries", KIND_COUNT},
	{SERVER, "max_connections", KIND_COUNT},
	{SERVER, "batch", KIND_BOOL},
	{SERVER, "max_response_size", KIND_SIZE},
	{SERVER, "max_age", KIND_DURATION},
	{SERVER, "overlap", KIND_DURATION},
	{SERVER, "updatable", KIND_BOOL},
	{MAPPING, "username", KIND_TEXT},
	{MAPPING, "password", KIND_CONSTANT},
	{MAPPING, "password_required", KIND_BOOL, .superuser = true},
	{TABLE, "entity", KIND_NAME},
	{TABLE, "entity_set", KIND_NAME},
	{TABLE, "store", KIND_TEXT},
	{TABLE, "on_missing", KIND_ENUM, "create delete ignore"},
	{TABLE, "writes", KIND_ENUM, "sync queue"},
	{TABLE, "on_unavailable", KIND_ENUM, "error local"},
	{TABLE, "max_age", KIND_DURATION},
	{TABLE, "updatable", KIND_BOOL},
	{COLUMN, "property", KIND_PATH},
	{COLUMN, "type", KIND_TYPE},
	{COLUMN, "target", KIND_NAME},
	{COLUMN, "constant", KIND_CONSTANT},
	{COLUMN, "key", KIND_BOOL},
};

static const struct
{
	Oid			catalog;
	const char *noun;
}			catalog_nouns[] = {
	{SERVER, "server"},
	{MAPPING, "user mapping"},
	{TABLE, "foreign table"},
	{COLUMN, "column"},
	{ForeignDataWrapperRelationId, "foreign data wrapper"},
};

static const char *
catalog_noun(Oid catalog)
{
	for (int i = 0; i < lengthof(catalog_nouns); i++)
		if (catalog_nouns[i].catalog == catalog)
			return catalog_nouns[i].noun;
	return "object";
}

static const OptionDef *
find_option(Oid catalog, const char *name)
{
	for (int i = 0; i < lengthof(option_defs); i++)
		if (option_defs[i].catalog == catalog && strcmp(option_defs[i].name, name) == 0)
			return &option_defs[i];
	return NULL;
}

static bool
is_one_of(const char *value, const char *words)
{
	size_t		length = strlen(value);

	if (strchr(value, ' ') != NULL)
		return false;
	for (const char *p = words; (p = strstr(p, value)) != NULL && length > 0; p++)
		if ((p == words || p[-1] == ' ') && (p[length] == ' ' || p[length] == '\0'))
			return true;
	return false;
}

/* The option that was perhaps meant, or NULL. */
static const char *
closest_option(Oid catalog, const char *name)
{
	int			length = Min(strlen(name), NAMEDATALEN);
	const char *lower = asc_tolower(name, length);
	int			limit = Max(1, Min(4, length / 2));
	const char *closest = NULL;

	for (int i = 0; i < lengthof(option_defs); i++)
	{
		const char *option = option_defs[i].name;
		int			distance;

		if (option_defs[i].catalog != catalog)
			continue;
		distance = varstr_levenshtein_less_equal(lower, length, option, strlen(option),
												 1, 1, 1, limit, true);
		if (distance <= limit)
		{
			closest = option;
			limit = distance - 1;
		}
	}
	return closest;
}

/* All options of this catalog's objects, for a HINT. */
static char *
option_names(Oid catalog)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < lengthof(option_defs); i++)
		if (option_defs[i].catalog == catalog)
			appendStringInfo(&names, "%s%s", names.len ? ", " : "", option_defs[i].name);
	return names.data;
}

static void
throw_unknown(Oid catalog, const char *name)
{
	const char *closest = closest_option(catalog, name);
	char	   *names = option_names(catalog);
	StringInfoData elsewhere;

	initStringInfo(&elsewhere);
	for (int i = 0; i < lengthof(option_defs); i++)
		if (strcmp(option_defs[i].name, name) == 0)
			appendStringInfo(&elsewhere, "%s%s", elsewhere.len ? " or " : "",
							 catalog_noun(option_defs[i].catalog));

	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("invalid option \"%s\" for a %s", name, catalog_noun(catalog)),
			 elsewhere.len ? errhint("It is an option of a %s.", elsewhere.data) :
			 closest ? errhint("Perhaps you meant the option \"%s\".", closest) :
			 *names ? errhint("There are: %s.", names) :
			 errhint("There are none.")));
}

static void
throw_value(const OptionDef *def, const char *wanted)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
			 errmsg("invalid value for option \"%s\"", def->name),
			 errhint("It must be %s.", wanted)));
}

/* A length of time in milliseconds, as settings write it; a bare number is seconds. */
static bool
parse_duration(const char *text, int *ms)
{
	const char *hint;
	char	   *end;
	double		seconds = strtod(text, &end);

	if (end != text && *end == '\0')
	{
		if (!(seconds >= 0 && seconds <= INT_MAX / 1000))
			return false;
		*ms = (int) rint(seconds * 1000);
		return true;
	}
	return parse_int(text, ms, GUC_UNIT_MS, &hint) && *ms >= 0;
}

static bool
parse_count(const char *text, int *count)
{
	return parse_int(text, count, 0, NULL) && *count >= 0 && *count <= 1000;
}

/* No more than parsers, which count in int, are sure to take. */
static bool
parse_size(const char *text, int64 *bytes)
{
	int			kilobytes;
	const char *hint;
	char	   *end;

	*bytes = strtoll(text, &end, 10);
	if (end == text || *end != '\0')
	{
		if (!parse_int(text, &kilobytes, GUC_UNIT_KB, &hint))
			return false;
		*bytes = (int64) kilobytes * 1024;
	}
	return *bytes > 0 && *bytes <= 1024 * 1024 * 1024;
}

/* http or https with a host, and no user in it: secrets live in mappings. */
static bool
is_acceptable_url(const char *url)
{
	const char *host;

	if (pg_strncasecmp(url, "http://", 7) == 0)
		host = url + 7;
	else if (pg_strncasecmp(url, "https://", 8) == 0)
		host = url + 8;
	else
		return false;
	if (*host == '\0' || *host == '/' || strpbrk(host, "?#@\\") != NULL)
		return false;
	for (const char *p = url; *p; p++)
		if ((unsigned char) *p <= ' ')
			return false;
	return true;
}

/* "Name", or "ParentCustomerId/Name" */
static bool
is_path(const char *text)
{
	const char *slash = strchr(text, '/');

	return slash == NULL ? crm_is_name(text) :
		crm_is_name(pnstrdup(text, slash - text)) && crm_is_name(slash + 1);
}

/* The words of text, which are separated by blanks. */
static List *
split_words(const char *text)
{
	List	   *words = NIL;

	while (*(text += strspn(text, " ")) != '\0')
	{
		size_t		length = strcspn(text, " ");

		words = lappend(words, pnstrdup(text, length));
		text += length;
	}
	return words;
}

static bool
are_acceptable_urls(const char *text)
{
	List	   *urls = split_words(text);
	ListCell   *lc;

	foreach(lc, urls)
	{
		if (!is_acceptable_url(lfirst(lc)))
			return false;
	}
	return urls != NIL;
}

static bool
accepts_text(const OptionDef *def, const char *value)
{
	return *value != '\0';
}

static bool
accepts_name(const OptionDef *def, const char *value)
{
	return crm_is_name(value);
}

static bool
accepts_path(const OptionDef *def, const char *value)
{
	return is_path(value);
}

static bool
accepts_url(const OptionDef *def, const char *value)
{
	return is_acceptable_url(value);
}

static bool
accepts_urls(const OptionDef *def, const char *value)
{
	return are_acceptable_urls(value);
}

static bool
accepts_bool(const OptionDef *def, const char *value)
{
	bool		boolean;

	return parse_bool(value, &boolean);
}

static bool
accepts_duration(const OptionDef *def, const char *value)
{
	int			ms;

	return parse_duration(value, &ms);
}

static bool
accepts_count(const OptionDef *def, const char *value)
{
	int			count;

	return parse_count(value, &count);
}

static bool
accepts_size(const OptionDef *def, const char *value)
{
	int64		bytes;

	return parse_size(value, &bytes);
}

static bool
accepts_type(const OptionDef *def, const char *value)
{
	CrmType		type;

	return crm_type_by_name(value, &type);
}

static bool
accepts_choice(const OptionDef *def, const char *value)
{
	return is_one_of(value, def->choices);
}

/* Which values a kind of option takes, and how that is said. */
static const struct
{
	bool		(*accepts) (const OptionDef *def, const char *value);	/* NULL: any */
	const char *wanted;
}			kinds[] = {
	[KIND_TEXT] = {accepts_text, "a text that is not empty"},
	[KIND_CONSTANT] = {NULL},
	[KIND_NAME] = {accepts_name, "a name of CDMS: letters, digits and underscores"},
	[KIND_PATH] = {accepts_path,
	"the name of a property, or of one and its member: ParentCustomerId/Name"},
	[KIND_URL] = {accepts_url,
	"a URL of http or https without user, password, ? and #; credentials belong to the user mapping"},
	[KIND_URLS] = {accepts_urls,
		"URLs of http or https, separated by blanks, without user, password, ? and #; the first is "
	"ADFS's login page"},
	[KIND_BOOL] = {accepts_bool, "a boolean"},
	[KIND_DURATION] = {accepts_duration, "a length of time such as 10s or 2min"},
	[KIND_COUNT] = {accepts_count, "a number from 0 to 1000"},
	[KIND_SIZE] = {accepts_size, "a size such as 64MB, at most 1GB"},
	[KIND_TYPE] = {accepts_type,
	"the name of an EDM or CRM type, such as EntityReference, OptionSetValue, Money or Edm.Int32"},
	[KIND_ENUM] = {accepts_choice, NULL},	/* its choices say it */
};

static void
validate_value(const OptionDef *def, const char *value)
{
	if (kinds[def->kind].accepts != NULL && !kinds[def->kind].accepts(def, value))
		throw_value(def, def->choices ? psprintf("one of: %s", def->choices) :
					kinds[def->kind].wanted);
}

static void
validate_option(DefElem *option, Oid catalog)
{
	const OptionDef *def = find_option(catalog, option->defname);

	if (def == NULL)
		throw_unknown(catalog, option->defname);
	validate_value(def, defGetString(option));
	if (def->superuser && !superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("only a superuser may set option \"%s\"", def->name)));
}

/* Encrypted, or not leaving this machine. */
static bool
is_private(const char *url)
{
	static const char *const prefixes[] = {"https://", "http://localhost", "http://127.0.0.1",
	"http://[::1]"};

	for (int i = 0; i < lengthof(prefixes); i++)
	{
		size_t		length = strlen(prefixes[i]);

		if (pg_strncasecmp(url, prefixes[i], length) == 0 &&
			(i == 0 || strchr(":/", url[length]) != NULL))
			return true;
	}
	return false;
}

/* A form login sends the password, then cookies that are as good, to these. */
static void
validate_adfs(List *options)
{
	char	   *auth = crm_option(options, "auth");
	List	   *urls = crm_option_words(options, "adfs_url");
	ListCell   *lc;

	if (auth == NULL || strcmp(auth, "adfs") != 0)
		return;
	if (urls == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
				 errmsg("login through ADFS needs the option \"adfs_url\""),
				 errhint("Give ADFS's login page: OPTIONS (auth 'adfs', "
						 "adfs_url 'https://sts.example.org/adfs/ls/').")));
	urls = lappend(urls, crm_option(options, "url"));
	foreach(lc, urls)
	{
		if (!is_private(lfirst(lc)))
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
					 errmsg("login through ADFS needs https"),
					 errdetail("\"%s\" is neither https nor on this machine.",
							   (char *) lfirst(lc))));
	}
}

void
crm_options_validate(List *options, Oid catalog)
{
	ListCell   *lc;

	foreach(lc, options)
		validate_option(lfirst(lc), catalog);

	if (catalog == SERVER && crm_option(options, "url") == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
				 errmsg("a server of crm_sync needs the option \"url\""),
				 errhint(HINT_ROOT)));
	if (catalog == SERVER && strcasestr(crm_option(options, "url"), "/XRMServices/"))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("the option \"url\" is the address of a service, not of an organisation"),
				 errhint(HINT_ROOT)));
	if (catalog == SERVER)
		validate_adfs(options);
	if (catalog == TABLE && crm_option(options, "entity") == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
				 errmsg("a foreign table of crm_sync needs the option \"entity\""),
				 errhint("Name CDMS's entity: OPTIONS (entity 'Account').")));
}

char *
crm_option(List *options, const char *name)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *option = lfirst(lc);

		if (strcmp(option->defname, name) == 0)
			return defGetString(option);
	}
	return NULL;
}

List *
crm_option_words(List *options, const char *name)
{
	char	   *text = crm_option(options, name);

	return text ? split_words(text) : NIL;
}

bool
crm_option_bool(List *options, const char *name, bool missing)
{
	char	   *text = crm_option(options, name);
	bool		value = missing;

	return text && parse_bool(text, &value) ? value : missing;
}

int
crm_option_ms(List *options, const char *name, int missing)
{
	char	   *text = crm_option(options, name);
	int			value;

	return text && parse_duration(text, &value) ? value : missing;
}

int
crm_option_int(List *options, const char *name, int missing)
{
	char	   *text = crm_option(options, name);
	int			value;

	return text && parse_count(text, &value) ? value : missing;
}

int64
crm_option_bytes(List *options, const char *name, int64 missing)
{
	char	   *text = crm_option(options, name);
	int64		value;

	return text && parse_size(text, &value) ? value : missing;
}
