--
-- History is kept until somebody prunes it.  What as_of says of the moment pruned
-- to, and of later ones, stays right; of earlier ones it says nothing.
--
\set SHOW_CONTEXT never
SELECT cdms.reset();
SELECT cdms.create_server();
TRUNCATE crm_sync.history, crm_sync.outbox;
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name'),
    city text OPTIONS (property 'optevia_TownCity')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
\set one 11111111-0000-4000-8000-000000000001
\set two 11111111-0000-4000-8000-000000000002
\set three 11111111-0000-4000-8000-000000000003

-- One that changes all the time, one that never does, one that is deleted.
INSERT INTO crm.organisation (id, name, city) VALUES
    (:'one', 'One', 'A'), (:'two', 'Two', 'A'), (:'three', 'Three', 'A');
SELECT clock_timestamp() AS early \gset
UPDATE crm.organisation_store SET city = 'B' WHERE id = :'one';
UPDATE crm.organisation_store SET city = 'C' WHERE id = :'one';
DELETE FROM crm.organisation_store WHERE id = :'three';
SELECT clock_timestamp() AS middle \gset
UPDATE crm.organisation_store SET city = 'D' WHERE id = :'one';
SELECT clock_timestamp() AS late \gset
CREATE VIEW crm.known AS SELECT key, operation, origin, after ->> 'city' AS city FROM crm_sync.history ORDER BY id;
TABLE crm.known;

-- Each version that was replaced by then goes, and the one deleted by then.
SELECT crm_sync.prune_history('crm.organisation', :'middle');
TABLE crm.known;
SELECT name, city FROM crm_sync.as_of(NULL::crm.organisation, :'middle') ORDER BY name;
SELECT name, city FROM crm_sync.as_of(NULL::crm.organisation, :'late') ORDER BY name;
\set VERBOSITY sqlstate
SELECT name, city FROM crm_sync.as_of(NULL::crm.organisation, :'early') ORDER BY name;
\set VERBOSITY default

-- Pruning to an earlier moment brings nothing back, nor does it find anything.
SELECT crm_sync.prune_history('crm.organisation', :'early');
\set VERBOSITY sqlstate
SELECT count(*) FROM crm_sync.as_of(NULL::crm.organisation, :'early');
\set VERBOSITY default
SELECT crm_sync.prune_history('crm.organisation', now() + interval '1 hour');

-- For the table's owner only.
CREATE ROLE crm_clerk;
GRANT USAGE ON SCHEMA crm TO crm_clerk;
GRANT ALL ON crm.organisation TO crm_clerk;
SET ROLE crm_clerk;
SELECT crm_sync.prune_history('crm.organisation', :'late');
RESET ROLE;
REVOKE ALL ON SCHEMA crm FROM crm_clerk;

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
DROP ROLE crm_clerk;
TRUNCATE crm_sync.history, crm_sync.outbox;
