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

#include "sync/connection.h"
#include "sync/options.h"
#include "sync/stats.h"

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
	bool		valid;
	CrmStats	reported;		/* of its counters */
} ConnectionEntry;

static HTAB *connections = NULL;
static List *retired = NIL;		/* of ConnectionEntry: replaced, perhaps still
								 * used by an open scan */

static void
invalidate(Datum arg, int cacheid, uint32 hash)
{
	HASH_SEQ_STATUS scan;
	ConnectionEntry *entry;

	hash_seq_init(&scan, connections);
	while ((entry = hash_seq_search(&scan)) != NULL)
		entry->valid = false;
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
 * his own, lest he borrow the server's identity.
 */
static void
check_password(UserMapping *mapping, Oid userid)
{
	if (superuser_arg(userid) || crm_option(mapping->options, "password") ||
		!crm_option_bool(mapping->options, "password_required", true))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED),
			 errmsg("password is required"),
			 errdetail("Non-superusers must provide a password in the user mapping.")));
}

static void
read_settings(CrmHttpSettings *settings, ForeignServer *server, UserMapping *mapping)
{
	char	   *auth = crm_option(server->options, "auth");

	memset(settings, 0, sizeof(*settings));
	settings->ca_file = crm_option(server->options, "ca_file");
	settings->client_cert = crm_option(server->options, "client_cert");
	settings->client_key = crm_option(server->options, "client_key");
	settings->proxy = crm_option(server->options, "proxy");
	settings->connect_timeout = crm_option_ms(server->options, "connect_timeout", 10 * 1000);
	settings->request_timeout = crm_option_ms(server->options, "request_timeout", 60 * 1000);
	settings->max_connections = Max(1, crm_option_int(server->options, "max_connections", 4));
	settings->max_response_size = crm_option_bytes(server->options, "max_response_size",
												   64 * 1024 * 1024);
	if (auth && strcmp(auth, "basic") == 0)
	{
		settings->auth = CRM_HTTP_AUTH_BASIC;
		settings->username = crm_option(mapping->options, "username");
		settings->password = crm_option(mapping->options, "password");
	}
}

static char *
service_root(ForeignServer *server)
{
	char	   *url = crm_option(server->options, "url");
	int			length = strlen(url);

	while (length > 0 && url[length - 1] == '/')
		length--;
	return psprintf("%.*s%s", length, url, SERVICE_PATH);
}

static CrmConnection *
open_connection(ForeignServer *server, UserMapping *mapping)
{
	char	   *format = crm_option(server->options, "format");
	CrmHttpSettings settings;
	MemoryContext before;
	CrmConnection *conn;

	read_settings(&settings, server, mapping);
	before = MemoryContextSwitchTo(CacheMemoryContext);
	conn = palloc0_object(CrmConnection);
	conn->protocol = &crm_protocol_odata2;
	conn->server_name = pstrdup(server->servername);
	conn->root = service_root(server);
	conn->format = format && strcmp(format, "atom") == 0 ? CRM_FORMAT_ATOM : CRM_FORMAT_JSON;
	conn->max_retries = crm_option_int(server->options, "max_retries", 3);
	conn->http = crm_http_open(&settings);
	MemoryContextSwitchTo(before);
	return conn;
}

static void
close_connection(CrmConnection *conn)
{
	crm_http_close(conn->http);
	pfree(conn->server_name);
	pfree(conn->root);
	pfree(conn);
}

/* A mapping is needed, and looked for, only where there is a login. */
static UserMapping *
find_mapping(ForeignServer *server, Oid userid)
{
	char	   *auth = crm_option(server->options, "auth");
	UserMapping *mapping;

	if (auth == NULL || strcmp(auth, "none") == 0)
		return NULL;
	mapping = GetUserMapping(userid, server->serverid);
	check_password(mapping, userid);
	return mapping;
}

const char *
crm_connection_username(Oid serverid, Oid userid)
{
	UserMapping *mapping = find_mapping(GetForeignServer(serverid), userid);
	char	   *name = mapping ? crm_option(mapping->options, "username") : NULL;

	return name ? name : "";
}

CrmConnection *
crm_connection_get(Oid serverid, Oid userid)
{
	ForeignServer *server = GetForeignServer(serverid);
	UserMapping *mapping = find_mapping(server, userid);
	ConnectionKey key = {serverid, mapping ? mapping->umid : InvalidOid};
	ConnectionEntry *entry;
	CrmConnection *fresh;
	bool		found;

	entry = hash_search(connections, &key, HASH_FIND, NULL);
	if (entry && entry->valid)
		return entry->conn;

	fresh = open_connection(server, mapping);
	entry = hash_search(connections, &key, HASH_ENTER, &found);
	if (found)
	{
		MemoryContext before = MemoryContextSwitchTo(CacheMemoryContext);
		ConnectionEntry *former = palloc_object(ConnectionEntry);

		*former = *entry;
		retired = lappend(retired, former);
		MemoryContextSwitchTo(before);
	}
	memset(&entry->reported, 0, sizeof(entry->reported));
	entry->conn = fresh;
	entry->valid = true;
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

void
crm_connection_at_end(void)
{
	ListCell   *lc;

	crm_connection_report();
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
