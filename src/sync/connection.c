/*
 * sync/connection.c
 *	  The session's connections to CDMS and what they are opened with.
 */
#include "postgres.h"

#include "catalog/pg_user_mapping.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "cdms/login.h"
#include "sync/connection.h"
#include "sync/options.h"
#include "sync/refusals.h"
#include "sync/stats.h"
#include "sync/version.h"

#define SERVICE_PATH "/XRMServices/2011/OrganizationData.svc"	/* cdms-protocol 1.1 */

typedef struct ConnectionKey
{
	Oid			serverid;
	Oid			umid;			/* user mapping; InvalidOid: none is needed */
} ConnectionKey;

typedef struct ConnectionEntry
{
	ConnectionKey key;
	CrmConnection *conn;
	uint32		server_hash;	/* of their rows in the system caches */
	uint32		mapping_hash;
	bool		valid;
	CrmStats	reported;		/* of its counters */
} ConnectionEntry;

/* What a connection is made of, as it stands in the catalogs. */
typedef struct Reading
{
	ConnectionKey key;
	ForeignServer *server;
	UserMapping *mapping;		/* NULL: none is needed */
	uint64		identity;		/* of its login */
	uint32		server_hash;
	uint32		mapping_hash;
	bool		valid;			/* nothing was altered meanwhile */
} Reading;

typedef struct LoginMethod
{
	const char *name;			/* of the option "auth" */
	CrmHttpAuth http;			/* what libcurl does for it */
	bool		has_password;	/* each role brings his own */
} LoginMethod;

/* The first is the default. */
static const LoginMethod login_methods[] = {
	{"none", CRM_HTTP_AUTH_NONE, false},
	{"basic", CRM_HTTP_AUTH_BASIC, true},
	{"ntlm", CRM_HTTP_AUTH_NTLM, true},
	{"negotiate", CRM_HTTP_AUTH_NEGOTIATE, false},
	{"adfs", CRM_HTTP_AUTH_NONE, true}
};

/*
 * So often the catalogs are read until nothing was altered meanwhile; what was read
 * last serves once.
 */
#define MOST_READINGS 10

static HTAB *connections = NULL;
static uint64 opened = 0;		/* how many so far */
static List *retired = NIL;		/* of ConnectionEntry: altered, perhaps still
								 * used by an open scan */
static uint64 alterations = 0;	/* heard of so far */

/* A server or a mapping was altered or dropped; hash 0: perhaps any. */
static void
invalidate(Datum arg, int cacheid, uint32 hash)
{
	HASH_SEQ_STATUS scan;
	ConnectionEntry *entry;

	alterations++;
	hash_seq_init(&scan, connections);
	while ((entry = hash_seq_search(&scan)) != NULL)
	{
		if (hash == 0 ||
			hash == (cacheid == USERMAPPINGOID ? entry->mapping_hash : entry->server_hash))
			entry->valid = false;
	}
}

static const LoginMethod *
login_method(ForeignServer *server)
{
	char	   *auth = crm_option(server->options, "auth");

	for (int i = 0; auth && i < lengthof(login_methods); i++)
	{
		if (strcmp(login_methods[i].name, auth) == 0)
			return &login_methods[i];
	}
	return &login_methods[0];
}

void
crm_connection_init(void)
{
	HASHCTL		ctl = {.keysize = sizeof(ConnectionKey),.entrysize = sizeof(ConnectionEntry)};

	connections = hash_create("crm_sync connections", 8, &ctl, HASH_ELEM | HASH_BLOBS);
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, invalidate, (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, invalidate, (Datum) 0);
}

/*
 * As in postgres_fdw: someone who is not a superuser must bring a password of
 * his own, lest he borrow the server's identity.  Kerberos tickets and client
 * certificates are the server's, whatever is shown beside them.
 */
static void
check_password(ForeignServer *server, UserMapping *mapping, Oid userid)
{
	const char *password = crm_option(mapping->options, "password");
	bool		lends = !login_method(server)->has_password ||
		crm_option(server->options, "client_cert") != NULL;

	if (superuser_arg(userid) || !crm_option_bool(mapping->options, "password_required", true) ||
		(!lends && password && *password))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED),
			 errmsg("password is required"),
			 lends ?
			 errdetail("Non-superusers may not use the database server's own ticket or "
					   "certificate.") :
			 errdetail("Non-superusers must provide a password in the user mapping."),
			 lends ?
			 errhint("A superuser can set password_required 'false' in the user mapping.") : 0));
}

/* Without a name nobody could be found by the password. */
static void
check_username(ForeignServer *server, UserMapping *mapping)
{
	if (login_method(server)->has_password && !crm_option(mapping->options, "username"))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
				 errmsg("user mapping for server \"%s\" has no user name", server->servername),
				 errhint("ALTER USER MAPPING ... OPTIONS (ADD username '...', ADD password '...').")));
}

static void
read_settings(CrmHttpSettings *settings, ForeignServer *server, UserMapping *mapping)
{
	const LoginMethod *method = login_method(server);

	memset(settings, 0, sizeof(*settings));
	settings->ca_file = crm_option(server->options, "ca_file");
	settings->crl_file = crm_option(server->options, "crl_file");
	settings->client_cert = crm_option(server->options, "client_cert");
	settings->client_key = crm_option(server->options, "client_key");
	settings->proxy = crm_option(server->options, "proxy");
	settings->connect_timeout = crm_option_ms(server->options, "connect_timeout", 10 * 1000);
	settings->request_timeout = crm_option_ms(server->options, "request_timeout", 60 * 1000);
	settings->max_connections = Max(1, crm_option_int(server->options, "max_connections", 4));
	settings->max_response_size = crm_option_bytes(server->options, "max_response_size",
												   64 * 1024 * 1024);
	settings->auth = method->http;
	if (method->has_password && method->http != CRM_HTTP_AUTH_NONE)
	{
		settings->username = crm_option(mapping->options, "username");
		settings->password = crm_option(mapping->options, "password");
	}
}

/* The organisation's URL, without a slash at its end. */
static char *
organisation(ForeignServer *server)
{
	char	   *url = crm_option(server->options, "url");
	int			length = strlen(url);

	while (length > 0 && url[length - 1] == '/')
		length--;
	return pnstrdup(url, length);
}

static char *
copy_option(List *options, const char *name)
{
	char	   *value = crm_option(options, name);

	return pstrdup(value ? value : "");
}

/* In the current memory context; NULL where nobody logs in. */
static CrmLogin *
make_login(ForeignServer *server, UserMapping *mapping, uint64 identity)
{
	char	   *auth = crm_option(server->options, "auth");
	CrmLogin   *login;

	if (auth == NULL || strcmp(auth, "none") == 0)
		return NULL;
	login = palloc0_object(CrmLogin);
	login->home = organisation(server);
	login->username = copy_option(mapping->options, "username");
	login->password = copy_option(mapping->options, "password");
	if (strcmp(auth, "adfs") == 0)
		login->adfs = crm_option_words(server->options, "adfs_url");
	login->refusals = crm_refusals();
	login->identity = identity;
	return login;
}

static CrmConnection *
open_connection(const Reading *reading)
{
	ForeignServer *server = reading->server;
	UserMapping *mapping = reading->mapping;
	char	   *format = crm_option(server->options, "format");
	CrmHttpSettings settings;
	MemoryContext before;
	CrmConnection *conn;

	read_settings(&settings, server, mapping);
	before = MemoryContextSwitchTo(CacheMemoryContext);
	conn = palloc0_object(CrmConnection);
	conn->serial = ++opened;
	conn->protocol = &crm_protocol_odata2;
	conn->server_name = pstrdup(server->servername);
	conn->root = psprintf("%s%s", organisation(server), SERVICE_PATH);
	conn->login = make_login(server, mapping, reading->identity);
	conn->format = format && strcmp(format, "atom") == 0 ? CRM_FORMAT_ATOM : CRM_FORMAT_JSON;
	conn->max_retries = crm_option_int(server->options, "max_retries", 3);
	conn->batch = crm_option_bool(server->options, "batch", false);
	conn->http = crm_http_open(&settings);
	MemoryContextSwitchTo(before);
	return conn;
}

static void
free_login(CrmLogin *login)
{
	if (login == NULL)
		return;
	explicit_bzero(login->password, strlen(login->password));
	pfree(login->password);
	pfree(login->username);
	pfree(login->home);
	list_free_deep(login->adfs);
	if (login->refusal)
		pfree(login->refusal);
	pfree(login);
}

static void
close_connection(CrmConnection *conn)
{
	crm_http_close(conn->http);
	free_login(conn->login);
	pfree(conn->server_name);
	pfree(conn->root);
	pfree(conn);
}

/*
 * A mapping is needed, and looked for, only where there is a login; a client
 * certificate is one.
 */
static UserMapping *
find_mapping(ForeignServer *server, Oid userid)
{
	char	   *auth = crm_option(server->options, "auth");
	UserMapping *mapping;

	if ((auth == NULL || strcmp(auth, "none") == 0) &&
		crm_option(server->options, "client_cert") == NULL)
		return NULL;
	mapping = GetUserMapping(userid, server->serverid);
	check_password(server, mapping, userid);
	check_username(server, mapping);
	return mapping;
}

const char *
crm_connection_username(Oid serverid, Oid userid)
{
	UserMapping *mapping = find_mapping(GetForeignServer(serverid), userid);
	char	   *name = mapping ? crm_option(mapping->options, "username") : NULL;

	return name ? name : "";
}

/*
 * Whoever uses one that was altered goes on with it.  It keeps nothing open: in one
 * transaction there may be any number.
 */
static void
retire_invalid(void)
{
	MemoryContext before = MemoryContextSwitchTo(CacheMemoryContext);
	HASH_SEQ_STATUS scan;
	ConnectionEntry *entry;

	hash_seq_init(&scan, connections);
	while ((entry = hash_seq_search(&scan)) != NULL)
	{
		ConnectionEntry *former;

		if (entry->valid)
			continue;
		former = palloc_object(ConnectionEntry);
		*former = *entry;
		retired = lappend(retired, former);
		crm_http_retire(entry->conn->http);
		hash_search(connections, &entry->key, HASH_REMOVE, NULL);
	}
	MemoryContextSwitchTo(before);
}

static void
read_once(Reading *reading, Oid serverid, Oid userid)
{
	uint64		before = alterations;

	memset(reading, 0, sizeof(*reading));
	reading->server = GetForeignServer(serverid);
	reading->mapping = find_mapping(reading->server, userid);
	reading->key.serverid = serverid;
	reading->key.umid = reading->mapping ? reading->mapping->umid : InvalidOid;
	crm_version_add_identity(&reading->identity, serverid, reading->key.umid);
	reading->server_hash = GetSysCacheHashValue1(FOREIGNSERVEROID, ObjectIdGetDatum(serverid));
	reading->mapping_hash = GetSysCacheHashValue1(USERMAPPINGOID,
												  ObjectIdGetDatum(reading->key.umid));
	reading->valid = alterations == before;
}

/*
 * One row may be altered while the other is read, and the news of it comes but once:
 * the old URL would be kept for the session, and told the new password.
 */
static void
read_catalogs(Reading *reading, Oid serverid, Oid userid)
{
	int			readings = 0;

	do
		read_once(reading, serverid, userid);
	while (!reading->valid && ++readings < MOST_READINGS);
}

CrmConnection *
crm_connection_get(Oid serverid, Oid userid)
{
	Reading		reading;
	ConnectionEntry *entry;
	CrmConnection *fresh;

	/* From here until it is entered nothing reads the catalogs, which could bring news. */
	read_catalogs(&reading, serverid, userid);
	entry = hash_search(connections, &reading.key, HASH_FIND, NULL);
	if (entry && entry->valid)
	{
		crm_http_used_by(entry->conn->http, userid);
		return entry->conn;
	}

	retire_invalid();
	fresh = open_connection(&reading);
	crm_http_used_by(fresh->http, userid);
	entry = hash_search(connections, &reading.key, HASH_ENTER, NULL);
	memset(&entry->reported, 0, sizeof(entry->reported));
	entry->conn = fresh;
	entry->server_hash = reading.server_hash;
	entry->mapping_hash = reading.mapping_hash;
	entry->valid = reading.valid;
	return fresh;
}

static void
report(ConnectionEntry *entry)
{
	CrmStats	now = {*crm_http_counters(entry->conn->http), entry->conn->objects};

	crm_stats_report(entry->key.serverid, &now, &entry->reported);
}

void
crm_connection_report(void)
{
	HASH_SEQ_STATUS scan;
	ConnectionEntry *entry;
	ListCell   *lc;

	foreach(lc, retired)
		report(lfirst(lc));
	hash_seq_init(&scan, connections);
	while ((entry = hash_seq_search(&scan)) != NULL)
		report(entry);
}

/* What was altered or dropped meanwhile: its cookies go with it. */
static void
close_invalid(void)
{
	HASH_SEQ_STATUS scan;
	ConnectionEntry *entry;

	hash_seq_init(&scan, connections);
	while ((entry = hash_seq_search(&scan)) != NULL)
	{
		if (entry->valid)
			continue;
		close_connection(entry->conn);
		hash_search(connections, &entry->key, HASH_REMOVE, NULL);
	}
}

void
crm_connection_at_end(void)
{
	ListCell   *lc;

	crm_connection_report();
	close_invalid();
	foreach(lc, retired)
		close_connection(((ConnectionEntry *) lfirst(lc))->conn);
	list_free_deep(retired);
	retired = NIL;
}

int
crm_connection_commit_timeout(Oid serverid)
{
	return crm_option_ms(GetForeignServer(serverid)->options, "commit_timeout", 5 * 60 * 1000);
}
