--
-- Row security on the store, forced: policies rule what is shown and written
-- through the foreign table, and not what CDMS sends.
--
\set SHOW_CONTEXT never
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE ROLE crm_row_owner;
CREATE ROLE crm_row_reader;
GRANT USAGE, CREATE ON SCHEMA crm TO crm_row_owner;
GRANT USAGE ON SCHEMA crm TO crm_row_reader;
GRANT USAGE ON FOREIGN SERVER cdms TO crm_row_owner;
SET ROLE crm_row_owner;
CREATE FOREIGN TABLE crm.organisation (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name'),
    city text OPTIONS (property 'optevia_TownCity')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
GRANT SELECT, INSERT, UPDATE, DELETE ON crm.organisation TO crm_row_reader;
ALTER TABLE crm.organisation_store ENABLE ROW LEVEL SECURITY;
CREATE POLICY o_only ON crm.organisation_store USING (name LIKE 'O%');
RESET ROLE;
\set oneil aaaaaaaa-0000-4000-8000-000000000001
\set wool aaaaaaaa-0000-4000-8000-000000000002

-- Not forced, it does not concern the owner, with whose rights the store is reached.
SET ROLE crm_row_reader;
SELECT name FROM crm.organisation WHERE id IN (:'oneil', :'wool') ORDER BY id;

-- Forced, the reader sees what the policy lets through ...
RESET ROLE;
ALTER TABLE crm.organisation_store FORCE ROW LEVEL SECURITY;
SET ROLE crm_row_reader;
SELECT name FROM crm.organisation WHERE id IN (:'oneil', :'wool') ORDER BY id;
SELECT bool_and(name LIKE 'O%'), count(*) > 1 FROM crm.organisation;

-- ... while all that CDMS sent is stored, new rows and changes of hidden ones.
RESET ROLE;
SELECT count(*) FROM crm.organisation_store;
SELECT cdms.edit('Account', :'wool', 'optevia_TownCity', 'Keighley');
SET ROLE crm_row_reader;
SELECT name FROM crm.organisation WHERE id = :'wool';
RESET ROLE;
SELECT city FROM crm.organisation_store WHERE id = :'wool';

-- A hidden row is not there to be changed; a row that the policy refuses is not
-- written, and CDMS hears of neither.
SELECT cdms.log_clear();
SET ROLE crm_row_reader;
UPDATE crm.organisation SET city = 'Leeds' WHERE id = :'wool' RETURNING name;
DELETE FROM crm.organisation WHERE id = :'wool' RETURNING name;
INSERT INTO crm.organisation (id, name) VALUES ('11111111-0000-4000-8000-000000000001', 'Ada Ltd');
UPDATE crm.organisation SET name = 'Not O''Neil' WHERE id = :'oneil';
RESET ROLE;
SELECT log FROM cdms.log() WHERE log NOT LIKE 'GET%';

-- What it lets through goes to CDMS as ever.
SET ROLE crm_row_reader;
UPDATE crm.organisation SET city = 'Leeds' WHERE id = :'oneil' RETURNING name, city;
RESET ROLE;
SELECT cdms.log('MERGE');

-- One reader's policy decides nothing for the others: what is hidden from who loads the
-- table is missed as well when CDMS has it no more, and asked for as well when it matches
-- no more.
RESET ROLE;
DROP POLICY o_only ON crm.organisation_store;
CREATE POLICY his ON crm.organisation_store USING (name LIKE current_setting('crm.his'));
SET crm.his = 'none';
ALTER FOREIGN TABLE crm.organisation OPTIONS (ADD on_missing 'delete');
SELECT cdms.control('delete', 'Account', :'wool');
SET ROLE crm_row_reader;
SELECT count(*) FROM crm.organisation;
RESET ROLE;
SELECT count(*) FROM crm.organisation_store WHERE id = :'wool';
ALTER FOREIGN TABLE crm.organisation OPTIONS (ADD max_age '1h');
SELECT cdms.edit('Account', :'oneil', 'optevia_TownCity', 'Elsewhere');
SET ROLE crm_row_reader;
SELECT count(*) FROM crm.organisation WHERE city = 'Leeds';
SET crm.his = '%';
SELECT bool_or(id = :'oneil') FROM crm.organisation WHERE city = 'Leeds';
RESET ROLE;

-- Nor is he told of what is hidden from him by statistics, or by counts.
ANALYZE crm.organisation;
SELECT count(*) FROM pg_stats WHERE tablename = 'organisation';
ALTER FOREIGN TABLE crm.organisation OPTIONS (DROP max_age);
SET ROLE crm_row_reader;
SET crm.his = 'none';
EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) SELECT FROM crm.organisation WHERE name LIKE 'Kelvin%';
RESET ROLE;
-- Nor by what the requests were answered, which goes to the server's log; nor by
-- SET ROLE, which he that gets the messages can undo.
GRANT USAGE ON FOREIGN SERVER cdms TO crm_row_reader;
SET SESSION AUTHORIZATION crm_row_reader;
SET crm.his = 'none';
SET crm_sync.log_requests = notice;
SELECT FROM crm.organisation WHERE name LIKE 'Kelvin%';
RESET crm_sync.log_requests;
SELECT gets > 0 AS gets, bytes_received, objects FROM crm_sync.stat_requests;
RESET SESSION AUTHORIZATION;
SELECT bytes_received > 0 AS bytes, objects > 0 AS objects FROM crm_sync.stat_requests;

-- The owner's functions, which planning runs, are not spared the policies that others
-- have FORCEd upon themselves.
CREATE ROLE crm_row_other;
CREATE SCHEMA other AUTHORIZATION crm_row_other;
SET ROLE crm_row_other;
CREATE TABLE other.orders (tenant text, secret text);
INSERT INTO other.orders VALUES ('nobody', 'another tenant''s');
ALTER TABLE other.orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE other.orders FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON other.orders USING (tenant = session_user);
CREATE VIEW other.mine AS TABLE other.orders;
GRANT USAGE ON SCHEMA other TO PUBLIC;
GRANT SELECT ON other.mine TO PUBLIC;
SET ROLE crm_row_owner;
CREATE FUNCTION crm.peek() RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
    RETURN (SELECT string_agg(secret, ',') FROM other.mine); END $$;
ALTER TABLE crm.organisation_store ADD leak text DEFAULT crm.peek();
ALTER TABLE crm.organisation_store NO FORCE ROW LEVEL SECURITY;
RESET ROLE;
\c -
SELECT cdms.control('create', 'Account', '11111111-0000-4000-8000-000000000009', '{"Name":"O new"}');
SELECT crm_sync.pull('crm.organisation') > 0 AS pulled;
SELECT name, leak FROM crm.organisation_store WHERE id = '11111111-0000-4000-8000-000000000009' OR leak <> '';

SET client_min_messages = warning;
DROP SCHEMA other CASCADE;
DROP ROLE crm_row_other;
DROP SERVER cdms CASCADE;
DROP SCHEMA crm CASCADE;
DROP ROLE crm_row_owner, crm_row_reader;
TRUNCATE crm_sync.history;
