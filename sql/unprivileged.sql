--
-- What somebody without rights tries: to send the server elsewhere, to have it read
-- files, to look at passwords and at what others asked, to decide about tables
-- that are not his.  Each is refused, and CDMS hears of none.
--
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
SELECT cdms.reset();
SELECT cdms.create_server($$ auth 'basic' $$);
ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (ADD username 'boss', ADD password 'hush');
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.account (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.account');
SET crm_sync.mode = local;
INSERT INTO crm.account (id, name) VALUES ('11111111-0000-4000-8000-000000000001', 'Pending Ltd');
RESET crm_sync.mode;
SELECT id AS change FROM crm_sync.pending \gset
CREATE ROLE regress_crm_mallory;
CREATE ROLE regress_crm_bob;
GRANT USAGE ON SCHEMA crm TO regress_crm_mallory;
GRANT CREATE ON SCHEMA crm TO regress_crm_mallory;
CREATE FUNCTION crm.attempt(statement text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
    said text;
BEGIN
    IF statement LIKE 'SELECT%' THEN
        EXECUTE statement INTO said;
        RETURN 'GOT ' || said;
    END IF;
    EXECUTE statement;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
CREATE TABLE crm.mine (id uuid PRIMARY KEY, name text);
GRANT ALL ON crm.mine TO regress_crm_mallory;
SELECT cdms.log_clear();
\c -
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
SET ROLE regress_crm_mallory;

-- Another host, another certificate, another file.
SELECT statement, crm.attempt(statement) FROM (VALUES
    ($$CREATE SERVER mine FOREIGN DATA WRAPPER crm_sync OPTIONS (url 'http://169.254.169.254/')$$),
    ($$ALTER SERVER cdms OPTIONS (SET url 'http://169.254.169.254/')$$),
    ($$ALTER SERVER cdms OPTIONS (ADD proxy 'http://127.0.0.1:1')$$),
    ($$ALTER SERVER cdms OPTIONS (ADD ca_file '/etc/passwd')$$),
    ($$ALTER SERVER cdms OPTIONS (ADD crl_file '/etc/passwd')$$),
    ($$ALTER SERVER cdms OWNER TO regress_crm_mallory$$),
    ($$CREATE FOREIGN TABLE crm.own (id uuid OPTIONS (property 'AccountId')) SERVER cdms OPTIONS (entity 'Account')$$),
    ($$CREATE USER MAPPING FOR regress_crm_mallory SERVER cdms OPTIONS (password_required 'false')$$),
    ($$CREATE USER MAPPING FOR PUBLIC SERVER cdms OPTIONS (username 'x', password 'y')$$),
    ($$ALTER USER MAPPING FOR regress_crm_bob SERVER cdms OPTIONS (SET password 'mine')$$),
    ($$IMPORT FOREIGN SCHEMA x FROM SERVER cdms INTO crm$$),
    ($$ALTER FOREIGN DATA WRAPPER crm_sync NO VALIDATOR$$)) AS attack (statement);

-- Other people's tables.
SELECT statement, crm.attempt(replace(statement, '$1', :'change')) FROM (VALUES
    ('SELECT name FROM crm.account'), ('SELECT name FROM crm.account_store'),
    ('SELECT crm_sync.create_store(''crm.account'')'), ('SELECT crm_sync.create_store(''crm.account'', ''crm.mine'')'),
    ('SELECT crm_sync.pull(''crm.account'')'), ('SELECT crm_sync.push(''crm.account'')'),
    ('SELECT crm_sync.retry($1)'), ('SELECT crm_sync.discard($1)'),
    ('SELECT * FROM crm_sync.reconcile(''crm.account'')'), ('SELECT * FROM crm_sync.reconcile(''crm.account'', true)'),
    ('SELECT crm_sync.prune_history(''crm.account'', now())'),
    ('SELECT * FROM crm_sync.as_of(NULL::crm.account, now())'),
    ('ALTER FOREIGN TABLE crm.account OPTIONS (SET store ''crm.mine'')'),
    ('INSERT INTO crm_sync.outbox (store) VALUES (0)'), ('UPDATE crm_sync.outbox SET parked = false'),
    ('DELETE FROM crm_sync.history'), ('SELECT mapping FROM crm_sync.progress'),
    ('CREATE FUNCTION crm_sync.f() RETURNS int LANGUAGE sql AS ''SELECT 1''')) AS attack (statement);
-- At top level: within a function "load" would be refused before anybody asks whose
-- the table is.
CALL crm_sync.load('crm.account');
\echo :SQLSTATE
SELECT count(*) FROM crm_sync.pending;
SELECT count(*) FROM crm_sync.history;
SELECT count(*) FROM crm_sync.status;
SELECT count(*) FROM crm_sync.stat_requests WHERE scope = 'session';
SELECT umoptions FROM pg_user_mappings WHERE srvname = 'cdms';
SELECT count(*) FROM information_schema.user_mapping_options WHERE option_value IS NOT NULL;
RESET ROLE;
SELECT cdms.requests();
SELECT count(*) FROM crm_sync.pending;

-- Somebody who may use the server has his own name and his own tables, no
-- more: no login without a password, none of another's files.
GRANT USAGE ON FOREIGN SERVER cdms TO regress_crm_mallory;
SET ROLE regress_crm_mallory;
CREATE FOREIGN TABLE crm.own (id uuid OPTIONS (property 'AccountId') NOT NULL) SERVER cdms OPTIONS (entity 'Account');
SELECT statement, crm.attempt(statement) FROM (VALUES
    ('SELECT id FROM crm.own'),
    ($$CREATE USER MAPPING FOR regress_crm_mallory SERVER cdms OPTIONS (username 'x')$$),
    ('SELECT id FROM crm.own'),
    ($$ALTER USER MAPPING FOR regress_crm_mallory SERVER cdms OPTIONS (ADD password_required 'false')$$),
    ($$CREATE USER MAPPING FOR regress_crm_bob SERVER cdms$$),
    ($$ALTER FOREIGN TABLE crm.own OPTIONS (ADD store 'crm.account_store')$$),
    ('SELECT id FROM crm.own'),
    ($$SELECT crm_sync.create_store('crm.own')$$)) AS attack (statement);
RESET ROLE;
SELECT cdms.requests();

-- What a server's requests come to is shown to those who may use it.
SELECT name FROM crm.account WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
SET ROLE regress_crm_mallory;
SELECT server, gets FROM crm_sync.stat_requests;
SET ROLE regress_crm_bob;
SELECT server, gets FROM crm_sync.stat_requests;
RESET ROLE;
SELECT server, gets FROM crm_sync.stat_requests;

-- The owner of a server that a superuser gave files or a login without password
-- can't take these elsewhere.
ALTER SERVER cdms OPTIONS (ADD client_key '/etc/ssl/private/cdms.key');
CREATE ROLE regress_crm_keeper;
GRANT USAGE ON FOREIGN DATA WRAPPER crm_sync TO regress_crm_keeper;
GRANT USAGE ON SCHEMA crm TO regress_crm_keeper;
ALTER SERVER cdms OWNER TO regress_crm_keeper;
ALTER USER MAPPING FOR regress_crm_mallory SERVER cdms OPTIONS (ADD password_required 'false');
SET ROLE regress_crm_keeper;
SELECT statement, crm.attempt(statement) FROM (VALUES
    ($$ALTER SERVER cdms OPTIONS (SET url 'http://mallory.example.org/')$$),
    ($$ALTER SERVER cdms OPTIONS (ADD ca_file '/tmp/mine.pem')$$)) AS attack (statement);
RESET ROLE;
SET ROLE regress_crm_mallory;
SELECT crm.attempt($$ALTER USER MAPPING FOR regress_crm_mallory SERVER cdms OPTIONS (SET username 'boss')$$);
RESET ROLE;

SET client_min_messages = warning;
DROP SERVER cdms CASCADE;
DROP SCHEMA crm CASCADE;
DROP OWNED BY regress_crm_keeper, regress_crm_mallory;
DROP ROLE regress_crm_mallory, regress_crm_bob, regress_crm_keeper;
TRUNCATE crm_sync.history, crm_sync.outbox;
