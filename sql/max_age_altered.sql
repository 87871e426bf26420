--
-- max_age: what changes the meaning of an answer makes it no answer.
--
SELECT cdms.reset();
SELECT cdms.create_server($$ max_age '1h' $$);
CREATE ROLE age_owner SUPERUSER;
CREATE USER MAPPING FOR age_owner SERVER cdms;
CREATE SCHEMA age;
CREATE FOREIGN TABLE age.org (
    id      uuid OPTIONS (property 'AccountId') NOT NULL,
    name    text OPTIONS (property 'Name'),
    phone   text OPTIONS (property 'optevia_TelephoneNumber')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('age.org');
\set oneil aaaaaaaa-0000-4000-8000-000000000001

-- Once something is done: how often the same question is asked of the two times
-- that it is put.  (It had been asked before.)
CREATE FUNCTION age.asks_after(what text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    begun integer := cdms.requests();
    once integer;
BEGIN
    EXECUTE what;
    PERFORM name FROM age.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
    once := cdms.requests();
    PERFORM name FROM age.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
    RETURN format('%s, then %s', once - begun, cdms.requests() - once);
END $$;
SELECT age.asks_after('SELECT');
SELECT age.asks_after('SELECT');

-- Nobody's business.
SELECT age.asks_after('ANALYZE age.org_store; CREATE TABLE age.another ()');

-- The server, the mapping, the table, a column, the owner.
SELECT age.asks_after($$ ALTER SERVER cdms OPTIONS (ADD overlap '1min') $$);
SELECT age.asks_after($$ ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (ADD username 'x') $$);
SELECT age.asks_after($$ ALTER FOREIGN TABLE age.org OPTIONS (ADD on_missing 'ignore') $$);
SELECT age.asks_after($$ ALTER FOREIGN TABLE age.org ALTER phone OPTIONS (SET property 'AccountNumber') $$);
SELECT age.asks_after($$ ALTER FOREIGN TABLE age.org ADD city text OPTIONS (property 'optevia_TownCity');
                         SELECT crm_sync.create_store('age.org') $$);
SELECT age.asks_after($$ ALTER TABLE age.org_store OWNER TO age_owner;
                         ALTER FOREIGN TABLE age.org OWNER TO age_owner $$);
SELECT age.asks_after($$ ALTER TABLE age.org_store OWNER TO CURRENT_USER;
                         ALTER FOREIGN TABLE age.org OWNER TO CURRENT_USER $$);

-- The store: a column made anew, the whole of it.
SELECT age.asks_after($$ ALTER TABLE age.org_store DROP city; SELECT crm_sync.create_store('age.org') $$);
SELECT age.asks_after($$ ALTER TABLE age.org_store RENAME TO former;
                         ALTER FOREIGN TABLE age.org OPTIONS (DROP store);
                         SELECT crm_sync.create_store('age.org') $$);

-- In mode local a change stays here.  Pulls leave the object alone as long as it
-- waits; once it is discarded CDMS's version is asked for again.
SET crm_sync.mode = local;
UPDATE age.org SET name = 'Local' WHERE id = :'oneil';
RESET crm_sync.mode;
SELECT cdms.log_clear();
SELECT name FROM age.org WHERE id = :'oneil';
SELECT cdms.requests();
SELECT crm_sync.discard(id) FROM crm_sync.pending;
SELECT name FROM age.org WHERE id = :'oneil';
SELECT cdms.requests();

SET client_min_messages = warning;
DROP SCHEMA age CASCADE;
DROP SERVER cdms CASCADE;
DROP ROLE age_owner;
TRUNCATE crm_sync.history, crm_sync.outbox;
