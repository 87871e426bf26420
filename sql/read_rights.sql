--
-- Who may read: rights are those granted on the foreign table; the store is
-- reached with its owner's, and CDMS is asked with the owner's user mapping.  No
-- search_path and no planted operator changes what runs.
--
\set SHOW_CONTEXT never
SELECT cdms.reset();
SELECT cdms.control('user', 'owner', 'owner-secret');
SELECT cdms.create_server($$ auth 'basic' $$);
CREATE ROLE rights_owner;
CREATE ROLE rights_reader;
CREATE ROLE rights_nobody;
CREATE USER MAPPING FOR rights_owner SERVER cdms OPTIONS (username 'owner', password 'owner-secret');
GRANT USAGE ON FOREIGN SERVER cdms TO rights_owner;
CREATE SCHEMA rights;
GRANT USAGE, CREATE ON SCHEMA rights TO rights_owner;
GRANT USAGE ON SCHEMA rights TO rights_reader, rights_nobody;
SET ROLE rights_owner;
CREATE FOREIGN TABLE rights.org (
    id    uuid OPTIONS (property 'AccountId') NOT NULL,
    name  text OPTIONS (property 'Name'),
    phone text OPTIONS (property 'optevia_TelephoneNumber')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('rights.org');
RESET ROLE;
SELECT relname, relowner::regrole FROM pg_class WHERE relname LIKE 'org%' AND relnamespace = 'rights'::regnamespace
    ORDER BY relname;

-- Without rights nothing is asked.
SET ROLE rights_nobody;
SELECT name FROM rights.org WHERE name = 'NULL';
SELECT name FROM rights.org_store;
RESET ROLE;
SELECT cdms.requests();

-- SELECT on the foreign table is enough to pull, with the owner's mapping; the
-- reader has none, no right on the store, and sees nothing of what crm_sync keeps.
GRANT SELECT ON rights.org TO rights_reader;
SET ROLE rights_reader;
SELECT name, phone FROM rights.org WHERE name = 'NULL';
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000024', 'optevia_TelephoneNumber', '496 0999'::text);
SELECT name, phone FROM rights.org WHERE name = 'NULL';
SELECT name FROM rights.org_store;
SELECT count(*) FROM crm_sync.history;
SELECT count(*) FROM crm_sync.outbox;
INSERT INTO rights.org (name) VALUES ('x');
UPDATE rights.org SET name = 'x';
DELETE FROM rights.org;
-- Neither is what is for the owner only.
SELECT crm_sync.pull('rights.org');
SELECT crm_sync.push('rights.org');
SELECT crm_sync.create_store('rights.org');
ANALYZE rights.org;
RESET ROLE;
SELECT operation, origin, after ->> 'phone' AS phone FROM crm_sync.history
    WHERE store = 'rights.org_store'::regclass ORDER BY id;

-- A right on columns.
REVOKE SELECT ON rights.org FROM rights_reader;
GRANT SELECT (id, name) ON rights.org TO rights_reader;
SET ROLE rights_reader;
SELECT name FROM rights.org WHERE name = 'NULL';
SELECT phone FROM rights.org WHERE name = 'NULL';
SELECT name FROM rights.org WHERE phone = '496 0999';
RESET ROLE;
GRANT SELECT ON rights.org TO rights_reader;

-- The owner's own rights are what counts: taken away, they are missed.
REVOKE SELECT ON rights.org_store FROM rights_owner;
SET ROLE rights_reader;
SELECT name FROM rights.org WHERE name = 'NULL';
RESET ROLE;
GRANT SELECT ON rights.org_store TO rights_owner;

-- An owner without a mapping can't pull, not even for a superuser.
DROP USER MAPPING FOR rights_owner SERVER cdms;
SELECT name FROM rights.org WHERE name = 'NULL';
CREATE USER MAPPING FOR rights_owner SERVER cdms OPTIONS (username 'owner', password 'owner-secret');
SELECT name FROM rights.org WHERE name = 'NULL';

-- Through a view.
CREATE VIEW rights.view AS SELECT name FROM rights.org WHERE name = 'NULL';
GRANT SELECT ON rights.view TO rights_nobody;
SET ROLE rights_nobody;
SELECT * FROM rights.view;
RESET ROLE;
-- Through one that has its reader's rights, and through a function that has its
-- owner's.
CREATE VIEW rights.readers WITH (security_invoker) AS SELECT name FROM rights.org WHERE name = 'NULL';
CREATE FUNCTION rights.names() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS $$
    SELECT name FROM rights.org WHERE name = 'NULL';
$$;
ALTER FUNCTION rights.names() OWNER TO rights_reader;
GRANT SELECT ON rights.readers TO rights_nobody, rights_reader;
SELECT cdms.log_clear();
SET ROLE rights_nobody;
SELECT * FROM rights.readers;
SELECT cdms.requests();
SELECT rights.names();
SELECT cdms.requests();
SET ROLE rights_reader;
SELECT * FROM rights.readers;
SELECT cdms.requests();
RESET ROLE;
REVOKE SELECT ON rights.org FROM rights_reader;
SET ROLE rights_nobody;
SELECT rights.names();
SELECT cdms.requests();
RESET ROLE;
GRANT SELECT ON rights.org TO rights_reader;

-- An empty search_path.
SET search_path = '';
SELECT name, phone FROM rights.org WHERE name = 'NULL';
SELECT pg_catalog.count(*) FROM rights.org WHERE name LIKE 'W%';
SELECT crm_sync.pull('rights.org') > 0 AS pulled;
SELECT crm_sync.create_store('rights.org');
RESET search_path;

-- Operators, functions and tables that lie in wait, where a reader may put them:
-- not one of them runs, with no owner's rights and with no superuser's.
CREATE SCHEMA planted;
CREATE FUNCTION planted.trap(anyelement, anyelement) RETURNS boolean LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'trapped as %', current_user; END $$;
CREATE OPERATOR planted.= (FUNCTION = planted.trap, LEFTARG = anyelement, RIGHTARG = anyelement);
CREATE FUNCTION planted.trap(uuid, uuid) RETURNS boolean LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'trapped as %', current_user; END $$;
CREATE OPERATOR planted.= (FUNCTION = planted.trap, LEFTARG = uuid, RIGHTARG = uuid);
CREATE FUNCTION planted.trap(oid, oid) RETURNS boolean LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'trapped as %', current_user; END $$;
CREATE OPERATOR planted.= (FUNCTION = planted.trap, LEFTARG = oid, RIGHTARG = oid);
CREATE FUNCTION planted.to_jsonb(anyelement) RETURNS jsonb LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'trapped as %', current_user; END $$;
CREATE FUNCTION planted.gen_random_uuid() RETURNS uuid LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'trapped as %', current_user; END $$;
CREATE FUNCTION planted.now() RETURNS timestamptz LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'trapped as %', current_user; END $$;
CREATE TABLE planted.history ();
CREATE TABLE planted.org_store ();
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000024', 'optevia_TelephoneNumber', '496 0555'::text);
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000025', 'optevia_TelephoneNumber', '496 0555'::text);
ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (ADD username 'owner', ADD password 'owner-secret');
SET search_path = planted, pg_catalog, crm_sync;
SELECT name, phone FROM rights.org WHERE id OPERATOR(pg_catalog.=) 'aaaaaaaa-0000-4000-8000-000000000024';
SELECT count(*) FROM rights.org WHERE name LIKE '%N%';
SELECT count(*) FROM rights.org WHERE name = 'NULL' COLLATE "C";
INSERT INTO rights.org (id, name) VALUES ('eeeeeeee-0000-4000-8000-000000000001', 'Careful Ltd');
UPDATE rights.org SET phone = '496 0444' WHERE name LIKE 'Careful%';
DELETE FROM rights.org WHERE name LIKE 'Careful%';
SELECT create_store('rights.org');
SELECT pull('rights.org') >= 0 AS pulled;
SELECT count(*) FROM status WHERE store OPERATOR(pg_catalog.=) 'rights.org_store'::regclass;
SELECT cdms.log('POST');
SELECT cdms.log_clear();
-- A condition that names one is checked by it, and not sent.
SELECT count(*) FROM rights.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000024'::uuid;
RESET search_path;
SELECT regexp_replace(log, '[?].*[$]skiptoken.*', '') AS log FROM cdms.log() AS log GROUP BY 1 ORDER BY 1;

-- Nor does anything planted run while both sides are compared, loaded or looked back
-- at, or while somebody decides about changes.
DO $$
DECLARE
    body text := $body$ AS 'BEGIN RAISE EXCEPTION ''trapped as %'', current_user; END' $body$;
    what text;
    name text;
BEGIN
    FOREACH what IN ARRAY ARRAY['bigint', 'integer', 'text', 'name', 'timestamptz', 'jsonb', 'tid', 'boolean', 'uuid', 'oid'] LOOP
        EXECUTE format('CREATE FUNCTION planted.spring(%1$s, %1$s) RETURNS boolean LANGUAGE plpgsql', what) || body;
        FOREACH name IN ARRAY ARRAY['=', '<>', '<', '<=', '>', '>=', '||', '+', '-'] LOOP
            CONTINUE WHEN name = '=' AND what IN ('uuid', 'oid');
            EXECUTE format('CREATE OPERATOR planted.%1$s (FUNCTION = planted.spring, LEFTARG = %2$s, RIGHTARG = %2$s)',
                           name, what);
        END LOOP;
    END LOOP;
    FOREACH what IN ARRAY ARRAY['clock_timestamp()', 'lower(text)', 'jsonb_each(jsonb)', 'jsonb_object_keys(jsonb)',
                                'jsonb_populate_record(anyelement, jsonb)', 'to_json(anyelement)'] LOOP
        EXECUTE format('CREATE FUNCTION planted.%s RETURNS text LANGUAGE plpgsql', what) || body;
    END LOOP;
END $$;
CREATE TABLE planted.outbox ();
CREATE TABLE planted.progress ();
CREATE TABLE planted.intent ();
SELECT cdms.delete('Account', 'aaaaaaaa-0000-4000-8000-000000000024');
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000025', 'optevia_TelephoneNumber', '496 0666'::text);
SET crm_sync.mode = local;
UPDATE rights.org SET phone = '496 0777' WHERE name LIKE 'O''Neil%';
RESET crm_sync.mode;
SELECT cdms.fault('status', '--verb', 'MERGE', '--status', '500', '--body', 'no', '--times', '2');
SET search_path = planted, pg_catalog, crm_sync;
-- It is there to be run.
SELECT id = id FROM rights.org_store LIMIT 1;
SELECT push('rights.org');
SELECT retry(id) FROM failed;
SELECT push('rights.org');
SELECT operation, last_error FROM failed;
SELECT difference FROM reconcile('rights.org') ORDER BY difference COLLATE "C";
SELECT discard(id) FROM failed;
SELECT difference FROM reconcile('rights.org', true) ORDER BY difference COLLATE "C";
SET client_min_messages = warning;
CALL load('rights.org');
RESET client_min_messages;
SELECT phone FROM as_of(NULL::rights.org, pg_catalog.now()) WHERE name LIKE 'O''Neil%';
SELECT prune_history('rights.org', pg_catalog.now()) OPERATOR(pg_catalog.>) 0 AS pruned;
SELECT pending, failed FROM status WHERE store OPERATOR(pg_catalog.=) 'rights.org_store'::regclass;
SET ROLE rights_reader;
SELECT phone FROM as_of(NULL::rights.org, pg_catalog.now()) WHERE name LIKE 'O''Neil%';
SELECT pending, failed FROM status;
RESET ROLE;
RESET search_path;

SET client_min_messages = warning;
DROP SCHEMA rights, planted CASCADE;
DROP SERVER cdms CASCADE;
DROP OWNED BY rights_owner, rights_reader, rights_nobody;
DROP ROLE rights_owner, rights_reader, rights_nobody;
TRUNCATE crm_sync.history, crm_sync.outbox;
