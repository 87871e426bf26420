--
-- Who writes: CDMS sees the user mapping of the role that wrote, whoever owns
-- the table; what is read is read as the table's owner.
--
SELECT cdms.reset();
SELECT cdms.control('user', 'owner', 'owner-secret'), cdms.control('user', 'clerk', 'clerk-secret'),
       cdms.control('user', 'everybody', 'shared-secret');
SELECT cdms.create_server($$ auth 'basic' $$);
DROP USER MAPPING FOR CURRENT_USER SERVER cdms;
CREATE USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (username 'owner', password 'owner-secret');
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id         uuid OPTIONS (property 'AccountId') NOT NULL,
    name       text OPTIONS (property 'Name'),
    city       text OPTIONS (property 'optevia_TownCity'),
    changed_by text OPTIONS (property 'ModifiedBy/Name')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
\set oneil aaaaaaaa-0000-4000-8000-000000000001
CREATE ROLE crm_clerk;
CREATE ROLE crm_temp;
GRANT USAGE ON SCHEMA crm TO crm_clerk, crm_temp;
GRANT SELECT, INSERT, UPDATE, DELETE ON crm.organisation TO crm_clerk, crm_temp;
CREATE USER MAPPING FOR crm_clerk SERVER cdms OPTIONS (username 'clerk', password 'clerk-secret');

-- The owner; a clerk, who has a mapping of his own.
UPDATE crm.organisation SET city = 'Ely' WHERE id = :'oneil';
SELECT changed_by FROM crm.organisation WHERE id = :'oneil';
SET ROLE crm_clerk;
UPDATE crm.organisation SET city = 'Hull' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
INSERT INTO crm.organisation (id, name) VALUES ('11111111-0000-4000-8000-000000000001', 'Ada Ltd');
SELECT name, changed_by FROM crm.organisation
    WHERE id IN ('aaaaaaaa-0000-4000-8000-000000000001', '11111111-0000-4000-8000-000000000001') ORDER BY name;

-- The role counts that wrote, not the one at COMMIT.
BEGIN;
UPDATE crm.organisation SET city = 'Bath' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
RESET ROLE;
UPDATE crm.organisation SET city = 'Deal' WHERE id = '11111111-0000-4000-8000-000000000001';
COMMIT;
SELECT name, changed_by FROM crm.organisation
    WHERE id IN (:'oneil', '11111111-0000-4000-8000-000000000001') ORDER BY name;

-- Somebody without a mapping can read, by the owner's, but not write ...
SET ROLE crm_temp;
SELECT city FROM crm.organisation WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
UPDATE crm.organisation SET city = 'Never' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
\echo :SQLSTATE
RESET ROLE;

-- ... unless PUBLIC has one.
CREATE USER MAPPING FOR PUBLIC SERVER cdms OPTIONS (username 'everybody', password 'shared-secret');
SET ROLE crm_temp;
UPDATE crm.organisation SET city = 'Hove' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
SELECT city, changed_by FROM crm.organisation WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
RESET ROLE;

-- A function's owner writes for its callers.
CREATE FUNCTION crm.move(town text) RETURNS void LANGUAGE sql SECURITY DEFINER AS
    'UPDATE crm.organisation SET city = town WHERE id = ''aaaaaaaa-0000-4000-8000-000000000001''';
GRANT CREATE ON SCHEMA crm TO crm_clerk;
ALTER FUNCTION crm.move OWNER TO crm_clerk;
SET ROLE crm_temp;
SELECT crm.move('Rye');
RESET ROLE;
SELECT city, changed_by FROM crm.organisation WHERE id = :'oneil';

-- What somebody left pending goes out as his, whoever sends it.
SET ROLE crm_temp;
SET crm_sync.mode = local;
INSERT INTO crm.organisation (id, name) VALUES ('11111111-0000-4000-8000-000000000002', 'Pending Ltd');
RESET crm_sync.mode;
RESET ROLE;
SELECT name FROM crm.organisation WHERE id = '11111111-0000-4000-8000-000000000002';
SELECT changed_by FROM crm.organisation WHERE id = '11111111-0000-4000-8000-000000000002';

-- A password that is wrong by now: the write fails, reading goes on.
ALTER USER MAPPING FOR crm_clerk SERVER cdms OPTIONS (SET password 'wrong');
SET ROLE crm_clerk;
\set VERBOSITY terse
UPDATE crm.organisation SET city = 'Never' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
\echo :SQLSTATE
\set VERBOSITY default
SELECT city FROM crm.organisation WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
RESET ROLE;

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
DROP ROLE crm_clerk, crm_temp;
TRUNCATE crm_sync.history, crm_sync.outbox;
SELECT cdms.control('user', 'off');
