--
-- What an interrupted COMMIT has left in CDMS is undone with the login of the role
-- that wrote it.  While there is none, readers are told, and have their answers.
--
\set SHOW_CONTEXT never
SELECT cdms.reset();
SELECT cdms.create_server($$ max_retries '0', auth 'basic' $$);
ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (ADD username 'owner', ADD password 'secret');
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name'),
    city text OPTIONS (property 'optevia_TownCity')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
\set one 11111111-0000-4000-8000-000000000001
\set two 11111111-0000-4000-8000-000000000002
INSERT INTO crm.organisation (id, name, city) VALUES (:'one', 'One', 'Hull'), (:'two', 'Two', 'Hull');
CREATE ROLE crm_clerk;
GRANT USAGE ON SCHEMA crm, cdms TO crm_clerk;
GRANT SELECT, UPDATE ON crm.organisation TO crm_clerk;
CREATE USER MAPPING FOR crm_clerk SERVER cdms OPTIONS (username 'clerk', password 'secret');
CREATE VIEW crm.there AS
    SELECT s.name, cdms.get('Account', s.id, 'optevia_TownCity') AS city FROM crm.organisation_store s
    WHERE s.id::text LIKE '11111111%' ORDER BY s.name COLLATE "C";

-- CDMS goes away after the first of two changes.
SET ROLE crm_clerk;
SELECT name FROM crm.organisation WHERE id IN (:'one', :'two') ORDER BY name;
SELECT cdms.fault('status', '--verb', 'MERGE', '--skip', '1', '--status', '500', '--body', 'gone', '--forever');
\set VERBOSITY sqlstate
BEGIN;
UPDATE crm.organisation SET city = 'York' WHERE id = :'one';
UPDATE crm.organisation SET city = 'York' WHERE id = :'two';
COMMIT;
\set VERBOSITY default
RESET ROLE;
SELECT cdms.fault('clear');
TABLE crm.there;
SELECT unresolved FROM crm_sync.status;

-- Nobody can log in as the clerk any more.
DROP USER MAPPING FOR crm_clerk SERVER cdms;
SELECT name FROM crm.organisation WHERE id = :'one';
SELECT unresolved FROM crm_sync.status;

-- Somebody can again.
CREATE USER MAPPING FOR crm_clerk SERVER cdms OPTIONS (username 'clerk', password 'secret');
\set VERBOSITY sqlstate
SELECT name, city FROM crm.organisation WHERE id = :'one';
\set VERBOSITY default
TABLE crm.there;
SELECT unresolved FROM crm_sync.status;

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
REVOKE ALL ON SCHEMA cdms FROM crm_clerk;
DROP ROLE crm_clerk;
TRUNCATE crm_sync.history, crm_sync.outbox;
