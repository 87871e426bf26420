--
-- A plan over stores is for whoever runs it and for what is there when it is run:
-- rights, roles, settings, and what is altered between planning and execution.
--
\set SHOW_CONTEXT never
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE ROLE plans_owner;
CREATE ROLE plans_reader;
CREATE ROLE plans_viewer;
GRANT USAGE ON FOREIGN SERVER cdms TO plans_owner;
CREATE USER MAPPING FOR plans_owner SERVER cdms OPTIONS (password_required 'false');
CREATE SCHEMA plans;
GRANT USAGE, CREATE ON SCHEMA plans TO plans_owner;
GRANT USAGE, CREATE ON SCHEMA plans TO plans_reader;
GRANT USAGE ON SCHEMA plans TO plans_viewer;
SET ROLE plans_owner;
CREATE FOREIGN TABLE plans.org (
    id    uuid OPTIONS (property 'AccountId') NOT NULL,
    name  text OPTIONS (property 'Name'),
    phone text OPTIONS (property 'optevia_TelephoneNumber')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('plans.org');
RESET ROLE;
\set null '\'aaaaaaaa-0000-4000-8000-000000000024\''

-- Is it a plan over stores?
CREATE FUNCTION plans.kind(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    EXECUTE 'EXPLAIN ' || query INTO line;
    RETURN CASE WHEN line LIKE 'Custom Scan (crm_sync)%' THEN 'store' ELSE 'general' END;
END $$;
SET plan_cache_mode = force_generic_plan;
PREPARE by_key (uuid) AS SELECT name, phone FROM plans.org WHERE id = $1;
EXECUTE by_key (:null);
SELECT plans.kind('EXECUTE by_key (NULL)');

-- Made by one role and run by another: whoever has no right asks nothing.
SELECT cdms.log_clear();
SET ROLE plans_reader;
EXECUTE by_key (:null);
SELECT cdms.requests();
RESET ROLE;
GRANT SELECT (id, name) ON plans.org TO plans_reader;
SET ROLE plans_reader;
EXECUTE by_key (:null);
SELECT name FROM plans.org WHERE id = :null;
SELECT plans.kind('SELECT name FROM plans.org');
SELECT name FROM plans.org_store WHERE id = :null;
-- A view's tables are read with its owner's rights.
CREATE VIEW plans.names AS SELECT id, name FROM plans.org;
GRANT SELECT ON plans.names TO plans_viewer;
CREATE VIEW plans.phones AS SELECT id, phone FROM plans.org;
GRANT SELECT ON plans.phones TO plans_viewer;
SET ROLE plans_viewer;
SELECT plans.kind('SELECT name FROM plans.names');
SELECT name FROM plans.names WHERE id = :null;
SELECT phone FROM plans.phones WHERE id = :null;
SELECT name FROM plans.org WHERE id = :null;
RESET ROLE;

-- The mode when it is run counts.
SELECT cdms.log_clear();
SET crm_sync.mode = local;
EXECUTE by_key (:null);
SELECT cdms.requests();
PREPARE local (uuid) AS SELECT phone FROM plans.org WHERE id = $1;
EXECUTE local (:null);
RESET crm_sync.mode;
SELECT cdms.edit('Account', :null, 'optevia_TelephoneNumber', '1'::text);
EXECUTE local (:null);

-- Servers, tables and stores are altered.
ALTER FOREIGN TABLE plans.org ALTER name OPTIONS (SET property 'AccountNumber');
EXECUTE by_key (:null);
ALTER FOREIGN TABLE plans.org ALTER name OPTIONS (SET property 'Name');
ALTER SERVER cdms OPTIONS (ADD request_timeout '300ms');
SELECT cdms.fault('hang');
\set VERBOSITY sqlstate
EXECUTE by_key (:null);
\set VERBOSITY default
ALTER SERVER cdms OPTIONS (DROP request_timeout);
SELECT cdms.fault('clear');
EXECUTE by_key (:null);
ALTER TABLE plans.org_store RENAME phone TO telephone;
EXECUTE by_key (:null);
ALTER TABLE plans.org_store RENAME telephone TO phone;
ALTER TABLE plans.org_store DISABLE TRIGGER ALL;
EXECUTE by_key (:null);
ALTER TABLE plans.org_store ENABLE REPLICA TRIGGER "00_crm_sync_capture";
EXECUTE by_key (:null);
ALTER TABLE plans.org_store ENABLE TRIGGER ALL;
EXECUTE by_key (:null);
ALTER TABLE plans.org_store RENAME TO elsewhere;
EXECUTE by_key (:null);
ALTER TABLE plans.elsewhere RENAME TO org_store;
-- A column more is not in the store yet.
ALTER FOREIGN TABLE plans.org ADD COLUMN town text OPTIONS (property 'optevia_TownCity');
EXECUTE by_key (:null);
SELECT crm_sync.create_store('plans.org');
EXECUTE by_key (:null);
SELECT plans.kind('EXECUTE by_key (NULL)');

-- Row security: while it does not hold for the owner it does not matter; when it
-- does, foreign scans apply it.
ALTER TABLE plans.org_store ENABLE ROW LEVEL SECURITY;
CREATE POLICY none ON plans.org_store USING (name <> 'NULL');
EXECUTE by_key (:null);
SELECT plans.kind('EXECUTE by_key (NULL)');
ALTER TABLE plans.org_store FORCE ROW LEVEL SECURITY;
EXECUTE by_key (:null);
SELECT plans.kind('EXECUTE by_key (NULL)');
SELECT count(*) FROM plans.org o WHERE id = :null OR id = 'aaaaaaaa-0000-4000-8000-000000000025';
ALTER TABLE plans.org_store NO FORCE ROW LEVEL SECURITY;
EXECUTE by_key (:null);

-- A conversion that is the owner's does not run in a plan that others could use.
DROP VIEW plans.phones;
CREATE DOMAIN plans.phone AS text;
ALTER FOREIGN TABLE plans.org ALTER phone TYPE plans.phone;
SELECT phone FROM plans.org WHERE id = :null;
SELECT plans.kind('SELECT phone FROM plans.org'), plans.kind('SELECT name FROM plans.org');
ALTER TABLE plans.org_store ALTER phone TYPE plans.phone;
SELECT phone FROM plans.org WHERE id = :null;
SELECT plans.kind('SELECT phone FROM plans.org');

-- Children: theirs are no rows of the store.
CREATE TABLE plans.child () INHERITS (plans.org);
INSERT INTO plans.child (id, name) VALUES (:null, 'child');
SELECT name FROM plans.org WHERE id = :null ORDER BY name;
SELECT name FROM ONLY plans.org WHERE id = :null ORDER BY name;
SELECT plans.kind('SELECT name FROM plans.org'), plans.kind('SELECT name FROM ONLY plans.org');
DROP TABLE plans.child;

-- A loop in PL/pgSQL runs one plan; each of its statements asks.
CREATE FUNCTION plans.loop() RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..7 LOOP
        IF i > 4 THEN
            PERFORM cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000024', 'optevia_TelephoneNumber', i::text);
        END IF;
        RETURN NEXT (SELECT phone FROM plans.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000024');
    END LOOP;
END $$;
SELECT cdms.log_clear();
SELECT string_agg(loop, ' ') FROM plans.loop();
SELECT cdms.requests();
-- One that fails in the middle takes what it stored with it.
DO $$ BEGIN
    PERFORM cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000024', 'optevia_TelephoneNumber', '8'::text);
    BEGIN
        PERFORM 1 / (phone::integer - 8) FROM plans.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000024';
    EXCEPTION WHEN division_by_zero THEN
        RAISE NOTICE 'stored: %', (SELECT phone FROM plans.org_store WHERE id = 'aaaaaaaa-0000-4000-8000-000000000024');
        RAISE NOTICE 'read: %', (SELECT phone FROM plans.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000024');
    END;
END $$;

SET client_min_messages = warning;
DROP SCHEMA plans CASCADE;
DROP SERVER cdms CASCADE;
DROP OWNED BY plans_owner, plans_reader, plans_viewer;
DROP ROLE plans_owner, plans_reader, plans_viewer;
TRUNCATE crm_sync.history, crm_sync.outbox;
