/* crm_sync--1.0.sql */

\echo Use "CREATE EXTENSION crm_sync" to load this file. \quit

-- Whoever owns the schema, or may create in it, could put his own functions and
-- tables in the place of these.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace n, pg_catalog.pg_roles r
                   WHERE n.nspname OPERATOR(pg_catalog.=) 'crm_sync'
                     AND r.oid OPERATOR(pg_catalog.=) n.nspowner
                     AND (r.rolsuper OR r.rolname OPERATOR(pg_catalog.=) current_user))
       OR EXISTS (SELECT FROM pg_catalog.pg_namespace n, pg_catalog.aclexplode(n.nspacl) a
                  WHERE n.nspname OPERATOR(pg_catalog.=) 'crm_sync'
                    AND a.privilege_type OPERATOR(pg_catalog.=) 'CREATE'
                    AND a.grantee OPERATOR(pg_catalog.<>) n.nspowner)
    THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = 'schema crm_sync is not a superuser''s, or others may create in it',
            HINT = 'Drop it; CREATE EXTENSION makes it anew.';
    END IF;
END
$$;
SET LOCAL search_path = pg_catalog, pg_temp;

-- The foreign data wrapper ---------------------------------------------------

CREATE FUNCTION crm_sync.handler() RETURNS fdw_handler
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'crm_handler';
COMMENT ON FUNCTION crm_sync.handler() IS
    'handler of the foreign data wrapper crm_sync';

CREATE FUNCTION crm_sync.validator(text[], oid) RETURNS void
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'crm_validator';
COMMENT ON FUNCTION crm_sync.validator(text[], oid) IS
    'checks the options of servers, user mappings, foreign tables and columns';

CREATE FOREIGN DATA WRAPPER crm_sync
    HANDLER crm_sync.handler VALIDATOR crm_sync.validator;
COMMENT ON FOREIGN DATA WRAPPER crm_sync IS
    'Microsoft Dynamics CRM 2011 entities as synchronised tables';

-- What the synchronisation keeps ---------------------------------------------

-- Every version of an object that a pull or a write made or replaced.
-- src/sync/record.c writes it by position.
CREATE TABLE crm_sync.history (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    store      regclass NOT NULL,
    key        uuid NOT NULL,
    operation  text NOT NULL CHECK (operation IN ('insert', 'update', 'delete')),
    origin     text NOT NULL CHECK (origin IN ('crm', 'cdms')),
    actor      text NOT NULL,
    before     jsonb,
    after      jsonb,
    conflict   jsonb
);
CREATE INDEX history_object ON crm_sync.history (store, key, id);
COMMENT ON TABLE crm_sync.history IS
    'every version of an object that a pull or a write made or replaced';
COMMENT ON COLUMN crm_sync.history.changed_at IS 'when the change was made here';
COMMENT ON COLUMN crm_sync.history.origin IS
    'crm: written in this database; cdms: pulled, or what CDMS made of a write';
COMMENT ON COLUMN crm_sync.history.actor IS
    'the database user, or for cdms its ModifiedBy where a column maps it';
COMMENT ON COLUMN crm_sync.history.conflict IS
    'columns that CDMS had changed meanwhile, with the value that was overwritten there';

CREATE VIEW crm_sync.conflicts WITH (security_invoker) AS
    SELECT * FROM crm_sync.history WHERE conflict IS NOT NULL;
COMMENT ON VIEW crm_sync.conflicts IS
    'writes that overwrote a change made in CDMS meanwhile';

-- What is to be pushed.  A row is written with each change, so that savepoints
-- and rollbacks need no code.  Rows of a transaction that pushes are deleted by
-- it; what is seen here after a COMMIT is pending or parked.
-- src/sync/record.c writes it by position.
CREATE TABLE crm_sync.outbox (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    store      regclass NOT NULL,
    key        uuid NOT NULL,
    operation  text NOT NULL CHECK (operation IN ('insert', 'update', 'delete')),
    columns    jsonb,
    changed    jsonb,
    base       jsonb,
    role       regrole NOT NULL,
    xid        xid8 NOT NULL,
    push       boolean NOT NULL,
    parked     boolean NOT NULL DEFAULT false,
    attempts   integer NOT NULL DEFAULT 0,
    last_error text,
    history    bigint,
    since      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_object ON crm_sync.outbox (store, key, id);
CREATE INDEX outbox_transaction ON crm_sync.outbox (xid) WHERE push;
CREATE INDEX outbox_pending ON crm_sync.outbox (store, id) WHERE NOT push AND NOT parked;
COMMENT ON TABLE crm_sync.outbox IS
    'changes made here that CDMS has not got yet; see the views pending and failed';
COMMENT ON COLUMN crm_sync.outbox.columns IS
    'the changed columns'' attribute numbers in the store, by which they are known when they were renamed';
COMMENT ON COLUMN crm_sync.outbox.changed IS 'new values of the columns that changed';
COMMENT ON COLUMN crm_sync.outbox.base IS
    'values that they had when last synchronised; of a deletion the whole row';
COMMENT ON COLUMN crm_sync.outbox.push IS
    'sent by the COMMIT of the transaction xid; false where crm_sync.mode was local';

-- Values by column name, under the names that the columns have by now.
CREATE FUNCTION crm_sync.present_names(store regclass, columns jsonb, named jsonb) RETURNS jsonb
    LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'crm_present_names';
COMMENT ON FUNCTION crm_sync.present_names(regclass, jsonb, jsonb) IS
    'values of the outbox under the names that the store''s columns have by now';

CREATE VIEW crm_sync.pending WITH (security_invoker) AS
    SELECT id, store, key, operation, crm_sync.present_names(store, columns, changed) AS changed,
           attempts, last_error, since
    FROM crm_sync.outbox WHERE NOT parked;
COMMENT ON VIEW crm_sync.pending IS 'changes written here and not yet in CDMS';

CREATE VIEW crm_sync.failed WITH (security_invoker) AS
    SELECT id, store, key, operation, crm_sync.present_names(store, columns, changed) AS changed,
           attempts, last_error, since
    FROM crm_sync.outbox WHERE parked;
COMMENT ON VIEW crm_sync.failed IS
    'changes that CDMS refused; crm_sync.retry(id) sends one again, crm_sync.discard(id) drops it';

-- How far a store that was loaded whole has been brought.  A row is written when
-- the load is complete; without one, or when mapping is another now, the store
-- is incomplete.
CREATE TABLE crm_sync.progress (
    store          regclass PRIMARY KEY,
    mapping        text NOT NULL,
    pulled_through timestamptz NOT NULL,
    asked_at       timestamptz NOT NULL,
    version        bigint NOT NULL,
    next_version   bigint NOT NULL,
    loaded         tstzmultirange,
    was_empty      boolean
);
COMMENT ON TABLE crm_sync.progress IS
    'stores that were loaded whole, and up to when; or how far crm_sync.load has come';
COMMENT ON COLUMN crm_sync.progress.loaded IS
    'of an unfinished crm_sync.load: which objects are there, by CreatedOn; null: all';
COMMENT ON COLUMN crm_sync.progress.was_empty IS
    'of an unfinished crm_sync.load: the store was empty when it began';
COMMENT ON COLUMN crm_sync.progress.mapping IS
    'what was loaded: organisation, entity set, properties and their columns; another one makes the store incomplete';
COMMENT ON COLUMN crm_sync.progress.pulled_through IS
    'by CDMS''s clock: what it changed before is in the store, less the server''s option overlap';
COMMENT ON COLUMN crm_sync.progress.asked_at IS
    'the same moment by this server''s clock: CDMS''s was set back where less time has gone by for it since';
COMMENT ON COLUMN crm_sync.progress.version IS
    'of an entity without ModifiedOn: objects up to this VersionNumber are in the store; 0 where it is not known';
COMMENT ON COLUMN crm_sync.progress.next_version IS
    'the highest VersionNumber seen at asked_at: lower ones may appear as long as overlap is';

-- What COMMITs are about to do to CDMS (sync/intent.c).  No rollback takes a row
-- away: one that stays belongs to a transaction that never committed, and what it
-- has left in CDMS is undone by whoever uses the server next.  Not dumped: another
-- cluster has nothing to settle.
CREATE TABLE crm_sync.intent (
    settled boolean NOT NULL,
    remainder "char" NOT NULL,
    xid     xid8 NOT NULL,
    place   integer NOT NULL,
    since   timestamptz NOT NULL,
    server  oid NOT NULL,
    store   oid NOT NULL,
    role    oid NOT NULL,
    key     uuid NOT NULL,
    action  text NOT NULL,
    before  jsonb NOT NULL,
    after   jsonb NOT NULL
);
COMMENT ON TABLE crm_sync.intent IS
    'writes that a COMMIT is sending to CDMS; written and read by crm_sync only';
COMMENT ON COLUMN crm_sync.intent.settled IS
    'nothing is left to be undone; set in place, whatever becomes of the transaction';
COMMENT ON COLUMN crm_sync.intent.remainder IS
    'what can''t be undone, and is still to be parked; set in place';
COMMENT ON COLUMN crm_sync.intent.before IS 'what puts it back';
COMMENT ON COLUMN crm_sync.intent.after IS 'what is sent';

-- From when on history is whole.
CREATE TABLE crm_sync.pruned (
    store regclass PRIMARY KEY,
    until timestamptz NOT NULL
);
COMMENT ON TABLE crm_sync.pruned IS
    'stores whose history was pruned: of the time before until there is nothing';

SELECT pg_catalog.pg_extension_config_dump('crm_sync.progress', '');
SELECT pg_catalog.pg_extension_config_dump('crm_sync.pruned', '');
SELECT pg_catalog.pg_extension_config_dump('crm_sync.history', '');
SELECT pg_catalog.pg_extension_config_dump('crm_sync.history_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('crm_sync.outbox', '');
SELECT pg_catalog.pg_extension_config_dump('crm_sync.outbox_id_seq', '');

-- Functions ------------------------------------------------------------------

CREATE FUNCTION crm_sync.capture() RETURNS trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'crm_capture';
COMMENT ON FUNCTION crm_sync.capture() IS
    'trigger on every store: writes history and what is to be pushed';

CREATE FUNCTION crm_sync.truncated() RETURNS trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'crm_truncated';
COMMENT ON FUNCTION crm_sync.truncated() IS
    'trigger on every store: refuses TRUNCATE, which names no objects that CDMS could be told of';

CREATE FUNCTION crm_sync.create_store(foreign_table regclass, store text DEFAULT NULL)
    RETURNS regclass
    LANGUAGE C AS 'MODULE_PATHNAME', 'crm_create_store';
COMMENT ON FUNCTION crm_sync.create_store(regclass, text) IS
    'makes the store of a foreign table (default <table>_store beside it), or adopts the table of that name, '
    'and synchronises it from here on; called again it adds the columns that the foreign table has gained. '
    'For its owner only';

CREATE FUNCTION crm_sync.pull(foreign_table regclass) RETURNS bigint
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'crm_pull_function';
COMMENT ON FUNCTION crm_sync.pull(regclass) IS
    'brings the store up to date in this transaction: loads the whole entity, or what changed in CDMS since; '
    'returns the number of objects written. '
    'For the table''s owner only';

CREATE FUNCTION crm_sync.push(foreign_table regclass) RETURNS bigint
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'crm_push_function';
COMMENT ON FUNCTION crm_sync.push(regclass) IS
    'sends what is pending for the table to CDMS at the end of this transaction, in the order it was written; '
    'returns the number of changes. For the table''s owner only';

CREATE PROCEDURE crm_sync.load(foreign_table regclass)
    LANGUAGE C AS 'MODULE_PATHNAME', 'crm_load';
COMMENT ON PROCEDURE crm_sync.load(regclass) IS
    'like pull for a big entity, in several transactions: tells every two seconds how far it is, can be cancelled, '
    'and goes on where it was when called again. For the table''s owner only';

CREATE FUNCTION crm_sync.reconcile(foreign_table regclass, repair boolean DEFAULT false)
    RETURNS TABLE (key uuid, difference text)
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'crm_reconcile';
COMMENT ON FUNCTION crm_sync.reconcile(regclass, boolean) IS
    'compares CDMS and the store whole, deletions included, and returns what differs: missing in CDMS, missing in '
    'the store, differs: columns, pending: columns. With repair CDMS''s version is stored, and what CDMS lacks is '
    'treated as on_missing says; what is pending is left alone. For the table''s owner only';

CREATE FUNCTION crm_sync.as_of(anyelement, timestamptz) RETURNS SETOF anyelement
    LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'crm_as_of';
COMMENT ON FUNCTION crm_sync.as_of(anyelement, timestamptz) IS
    'the rows of a synchronised table as they were here at a moment: '
    'SELECT * FROM crm_sync.as_of(NULL::crm.account, ''2026-11-01''); needs SELECT on the table';

CREATE FUNCTION crm_sync.prune_history(foreign_table regclass, until timestamptz) RETURNS bigint
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'crm_prune_history';
COMMENT ON FUNCTION crm_sync.prune_history(regclass, timestamptz) IS
    'deletes the versions of a table''s objects that were replaced before until, and returns how many; '
    'crm_sync.as_of still answers for until and later. For the table''s owner only';

CREATE FUNCTION crm_sync.retry(id bigint) RETURNS boolean
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'crm_retry';
COMMENT ON FUNCTION crm_sync.retry(bigint) IS
    'makes a failed change pending again; false when there is no such change. For the table''s owner only';

CREATE FUNCTION crm_sync.discard(id bigint) RETURNS boolean
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'crm_discard';
COMMENT ON FUNCTION crm_sync.discard(bigint) IS
    'drops a pending or failed change: CDMS never gets it, the store keeps it; false when there is no such change. '
    'For the table''s owner only';

-- Views over the session -----------------------------------------------------

CREATE FUNCTION crm_sync.status_rows(
    OUT foreign_table regclass, OUT entity text, OUT store regclass, OUT complete boolean,
    OUT pulled_through timestamptz, OUT pending bigint, OUT failed bigint, OUT unresolved bigint,
    OUT last_pull timestamptz, OUT last_error text) RETURNS SETOF record
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'crm_status';
COMMENT ON FUNCTION crm_sync.status_rows() IS 'rows of the view crm_sync.status';

CREATE VIEW crm_sync.status AS SELECT * FROM crm_sync.status_rows();
COMMENT ON VIEW crm_sync.status IS
    'each synchronised table; last_pull and last_error are this session''s';

CREATE FUNCTION crm_sync.stat_requests_rows(
    OUT server name, OUT scope text, OUT gets bigint, OUT posts bigint, OUT merges bigint,
    OUT deletes bigint, OUT bytes_sent bigint, OUT bytes_received bigint, OUT objects bigint,
    OUT retries bigint, OUT errors bigint, OUT milliseconds double precision) RETURNS SETOF record
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'crm_stat_requests';
COMMENT ON FUNCTION crm_sync.stat_requests_rows() IS 'rows of the view crm_sync.stat_requests';

CREATE VIEW crm_sync.stat_requests AS SELECT * FROM crm_sync.stat_requests_rows();
COMMENT ON VIEW crm_sync.stat_requests IS
    'per server that one may use: requests by verb, bytes of bodies, objects received, retries, errors, milliseconds '
    'waited; bytes and objects for the server''s owner and pg_read_all_stats only; of this session, or where the library is in shared_preload_libraries of all sessions since the server started';

-- Rights ---------------------------------------------------------------------

-- The owner of a store sees what history and outbox have of it, others nothing.
-- crm_sync itself writes as the owner of these tables, to whom this does not apply.
ALTER TABLE crm_sync.history ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm_sync.outbox ENABLE ROW LEVEL SECURITY;
CREATE POLICY owner ON crm_sync.history FOR SELECT USING (
    (SELECT pg_catalog.pg_has_role(c.relowner, 'MEMBER') FROM pg_catalog.pg_class c
     WHERE c.oid OPERATOR(pg_catalog.=) store));
CREATE POLICY owner ON crm_sync.outbox FOR SELECT USING (
    (SELECT pg_catalog.pg_has_role(c.relowner, 'MEMBER') FROM pg_catalog.pg_class c
     WHERE c.oid OPERATOR(pg_catalog.=) store));
GRANT SELECT ON crm_sync.history, crm_sync.outbox TO PUBLIC;
GRANT SELECT ON crm_sync.conflicts, crm_sync.pending, crm_sync.failed TO PUBLIC;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA crm_sync FROM PUBLIC;
REVOKE ALL ON PROCEDURE crm_sync.load(regclass) FROM PUBLIC;
GRANT USAGE ON SCHEMA crm_sync TO PUBLIC;
GRANT EXECUTE ON FUNCTION
    crm_sync.create_store(regclass, text), crm_sync.pull(regclass), crm_sync.push(regclass),
    crm_sync.reconcile(regclass, boolean), crm_sync.as_of(anyelement, timestamptz),
    crm_sync.prune_history(regclass, timestamptz),
    crm_sync.retry(bigint), crm_sync.discard(bigint),
    crm_sync.present_names(regclass, jsonb, jsonb),
    crm_sync.status_rows(), crm_sync.stat_requests_rows() TO PUBLIC;
GRANT EXECUTE ON FUNCTION crm_sync.capture(), crm_sync.truncated() TO PUBLIC;
GRANT EXECUTE ON PROCEDURE crm_sync.load(regclass) TO PUBLIC;
GRANT SELECT ON crm_sync.status, crm_sync.stat_requests TO PUBLIC;
