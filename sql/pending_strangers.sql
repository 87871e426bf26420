--
-- What waits to be sent is its writer's business: a push takes along neither what
-- lies in another owner's tables nor what another role wrote, and sends nobody's
-- values with somebody else's login.  Nor does INSERT, by waiting, become UPDATE.
--
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
SET client_min_messages = warning;
TRUNCATE crm_sync.history, crm_sync.outbox;
SELECT cdms.reset();
SELECT count(cdms.control('user', name, name || '-secret')) FROM unnest('{owner,ann,bob,mallory}'::text[]) name;
SELECT cdms.create_server($$ auth 'basic' $$);
DROP USER MAPPING FOR CURRENT_USER SERVER cdms;
CREATE USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (username 'owner', password 'owner-secret');
CREATE ROLE regress_crm_mallory;
CREATE ROLE regress_crm_ann;
CREATE ROLE regress_crm_bob;
GRANT USAGE ON FOREIGN SERVER cdms TO regress_crm_mallory;
GRANT USAGE ON FOREIGN DATA WRAPPER crm_sync TO regress_crm_mallory;
CREATE USER MAPPING FOR regress_crm_mallory SERVER cdms OPTIONS (username 'mallory', password 'mallory-secret');
CREATE USER MAPPING FOR regress_crm_ann SERVER cdms OPTIONS (username 'ann', password 'ann-secret');
CREATE USER MAPPING FOR regress_crm_bob SERVER cdms OPTIONS (username 'bob', password 'bob-secret');
CREATE SCHEMA crm;
CREATE SCHEMA m AUTHORIZATION regress_crm_mallory;
CREATE FOREIGN TABLE crm.org (
    id         uuid OPTIONS (property 'AccountId') NOT NULL,
    name       text OPTIONS (property 'Name'),
    alias      text OPTIONS (property 'optevia_Alias'),
    city       text OPTIONS (property 'optevia_TownCity'),
    sector     uuid OPTIONS (property 'optevia_Sector', type 'EntityReference'),
    created_by text OPTIONS (property 'CreatedBy/Name'),
    changed_by text OPTIONS (property 'ModifiedBy/Name')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.org');
CREATE FOREIGN TABLE crm.person (
    id     uuid OPTIONS (property 'ContactId') NOT NULL,
    name   text OPTIONS (property 'LastName'),
    parent uuid OPTIONS (property 'ParentCustomerId', type 'EntityReference', target 'account')
) SERVER cdms OPTIONS (entity 'Contact');
SELECT crm_sync.create_store('crm.person');
GRANT USAGE ON SCHEMA crm TO regress_crm_ann, regress_crm_bob;
GRANT SELECT, INSERT, UPDATE, DELETE ON crm.org TO regress_crm_ann, regress_crm_bob;
\set one aaaaaaaa-0000-4000-8000-000000000001
\set two aaaaaaaa-0000-4000-8000-000000000002
\set three aaaaaaaa-0000-4000-8000-000000000003
\set four aaaaaaaa-0000-4000-8000-000000000004
\set draft dddddddd-0000-4000-8000-000000000001
\set new dddddddd-0000-4000-8000-000000000002
\set failed dddddddd-0000-4000-8000-000000000003
CREATE VIEW crm.told AS
    SELECT regexp_replace(regexp_replace(log, 'guid''[^'']*''', 'key'), '"(Account|Contact)Id":"[^"]*",?', '') AS log
    FROM cdms.log() WHERE log NOT LIKE 'GET%';
CREATE VIEW crm.waiting AS
    SELECT store, operation, changed - 'id' AS changed, role, parked FROM crm_sync.outbox ORDER BY id;

-- ------------------------------------------------------- other owners' tables
-- Mallory refers to what waits in a table that is none of hers.
SET crm_sync.mode = local;
INSERT INTO crm.org (id, name) VALUES (:'draft', 'Draft');
RESET crm_sync.mode;
SET ROLE regress_crm_mallory;
CREATE FOREIGN TABLE m.person (
    id     uuid OPTIONS (property 'ContactId') NOT NULL,
    name   text OPTIONS (property 'LastName'),
    parent uuid OPTIONS (property 'ParentCustomerId', type 'EntityReference', target 'account')
) SERVER cdms OPTIONS (entity 'Contact');
SELECT crm_sync.create_store('m.person');
RESET ROLE;
SELECT cdms.log_clear();
SET ROLE regress_crm_mallory;
INSERT INTO m.person (name, parent) VALUES ('X', :'draft');
-- The same from a queue, and from a read that finds it waiting.
ALTER FOREIGN TABLE m.person OPTIONS (ADD writes 'queue');
INSERT INTO m.person (name, parent) VALUES ('X', :'draft');
SELECT FROM crm_sync.push('m.person');
ALTER FOREIGN TABLE m.person OPTIONS (DROP writes);
SELECT FROM crm_sync.retry((SELECT id FROM crm_sync.failed));
SELECT count(*) FROM m.person WHERE id = :'draft';
RESET ROLE;
SELECT count(*) FROM crm.told WHERE log LIKE '%Draft%';
SELECT count(*) FROM crm.told WHERE log LIKE 'POST ContactSet%';
SELECT operation, changed, attempts FROM crm_sync.pending;
DROP SCHEMA m CASCADE;
DELETE FROM crm_sync.outbox WHERE NOT store = 'crm.org_store'::regclass;

-- In a table of the same owner that may not be written it stays; else it goes with
-- what refers to it.
ALTER FOREIGN TABLE crm.org OPTIONS (ADD updatable 'false');
SELECT cdms.log_clear();
INSERT INTO crm.person (name, parent) VALUES ('Child', :'draft');
SELECT FROM crm_sync.push('crm.org');
ALTER FOREIGN TABLE crm.org OPTIONS (DROP updatable);
SELECT count(*) FROM crm.told WHERE log LIKE 'POST AccountSet%';
INSERT INTO crm.person (name, parent) VALUES ('Child', :'draft');
SELECT count(*) FROM crm.told WHERE log LIKE 'POST AccountSet%-> 201';
TABLE crm.waiting;

-- Mallory lets a well-known key wait in a table of hers, for a server that is
-- nowhere, and has code for who reads the table's description.
CREATE SCHEMA m AUTHORIZATION regress_crm_mallory;
CREATE TABLE loot (who text);
GRANT INSERT ON loot TO PUBLIC;
SET ROLE regress_crm_mallory;
CREATE SERVER nowhere FOREIGN DATA WRAPPER crm_sync OPTIONS (url 'http://127.0.0.1:1/X');
CREATE FUNCTION m.look(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO public.loot VALUES (current_setting('app.secret', true)); RETURN true; END $$;
CREATE DOMAIN m.word AS text CHECK (m.look(VALUE));
CREATE FOREIGN TABLE m.org (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name m.word OPTIONS (property 'Name', constant 'c')
) SERVER nowhere OPTIONS (entity 'Account');
SELECT crm_sync.create_store('m.org');
SET crm_sync.mode = local;
INSERT INTO m.org_store (id, name) VALUES (:'one', 'x');
RESET crm_sync.mode;
RESET ROLE;
-- Whose sessions know nothing of the table yet.
\c -
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET app.secret = 'superuser''s';
INSERT INTO crm.person (name, parent) VALUES ('Second', :'one');
RESET app.secret;
SELECT count(*) FROM crm.person_store WHERE name = 'Second';
SELECT count(*) FROM loot WHERE who <> '';
TABLE crm.waiting;
DROP SCHEMA m CASCADE;
DROP SERVER nowhere;
DROP TABLE loot;
TRUNCATE crm_sync.outbox;

-- -------------------------------------------------- INSERT is not UPDATE
CREATE ROLE regress_crm_clerk;
GRANT USAGE ON SCHEMA crm TO regress_crm_clerk;
GRANT INSERT ON crm.org TO regress_crm_clerk;
CREATE USER MAPPING FOR regress_crm_clerk SERVER cdms OPTIONS (username 'ann', password 'ann-secret');
CREATE VIEW crm.there AS SELECT cdms.get('Account', 'aaaaaaaa-0000-4000-8000-000000000004', 'Name') AS name;
SELECT cdms.edit('Account', :'four', 'Name', 'Four'::text);
SELECT cdms.log_clear();
SET ROLE regress_crm_clerk;
INSERT INTO crm.org (id, name) VALUES (:'four', 'Overwritten');
SET crm_sync.mode = local;
INSERT INTO crm.org (id, name) VALUES (:'four', 'Overwritten');
RESET crm_sync.mode;
RESET ROLE;
SELECT name FROM crm.org WHERE id = :'two';
-- Nor by being sent again.
SELECT FROM crm_sync.retry((SELECT id FROM crm_sync.failed));
SELECT FROM crm_sync.push('crm.org');
SELECT count(*) FROM crm.told WHERE log LIKE 'MERGE%';
TABLE crm.there;
TABLE crm.waiting;
-- Nor because CDMS could not be reached meanwhile.
SELECT option_value AS url FROM information_schema.foreign_server_options
    WHERE foreign_server_name = 'cdms' AND option_name = 'url' \gset
ALTER SERVER cdms OPTIONS (SET url 'http://127.0.0.1:1/X');
SELECT FROM crm_sync.retry((SELECT id FROM crm_sync.failed));
SET client_min_messages = error;
SELECT FROM crm_sync.push('crm.org');
SET client_min_messages = warning;
SELECT attempts FROM crm_sync.pending;
ALTER SERVER cdms OPTIONS (SET url :'url');
SELECT FROM crm_sync.push('crm.org');
SELECT count(*) FROM crm.told WHERE log LIKE 'MERGE%';
TABLE crm.there;
-- With UPDATE it is a change, as if he had seen the object.
GRANT UPDATE ON crm.org TO regress_crm_clerk;
SELECT FROM crm_sync.retry((SELECT id FROM crm_sync.failed));
SELECT FROM crm_sync.push('crm.org');
SELECT log FROM crm.told WHERE log LIKE 'MERGE%';
TABLE crm.waiting;
REVOKE UPDATE ON crm.org FROM regress_crm_clerk;
-- Where an answer was lost the object may be the one that he made, or may not: what
-- somebody has changed since stays.
SET ROLE regress_crm_clerk;
SET crm_sync.mode = local;
INSERT INTO crm.org (id, name) VALUES (:'new', 'Clerk''s');
RESET crm_sync.mode;
RESET ROLE;
ALTER SERVER cdms OPTIONS (ADD max_retries '0');
SELECT cdms.fault('reset-after', '--verb', 'POST');
SET client_min_messages = error;
SELECT FROM crm_sync.push('crm.org');
SET client_min_messages = warning;
SELECT cdms.edit('Account', :'new', 'Name', 'Somebody''s'::text);
SELECT operation, attempts FROM crm_sync.pending;
SELECT FROM crm_sync.push('crm.org');
SELECT cdms.get('Account', :'new', 'Name');
TABLE crm.waiting;
ALTER SERVER cdms OPTIONS (DROP max_retries);
DROP OWNED BY regress_crm_clerk;
DROP ROLE regress_crm_clerk;

-- ----------------------------------------------------------- one role's values
-- Ann and Bob wait with a change each: two requests, each as the one who wrote.
TRUNCATE crm_sync.history, crm_sync.outbox;
SELECT FROM crm.org WHERE id IN (:'one', :'two', :'three');
SET crm_sync.mode = local;
SET ROLE regress_crm_ann;
UPDATE crm.org SET city = 'Ann''s', alias = 'Ann''s' WHERE id = :'one';
SET ROLE regress_crm_bob;
UPDATE crm.org SET name = 'Bob''s', alias = 'Bob''s' WHERE id = :'one';
RESET ROLE;
RESET crm_sync.mode;
SELECT cdms.log_clear();
SELECT FROM crm_sync.push('crm.org');
TABLE crm.told;
TABLE crm.waiting;
SELECT name, alias, city, changed_by FROM crm.org WHERE id = :'one';

-- An object that one made and the other changed.
SET crm_sync.mode = local;
SET ROLE regress_crm_ann;
INSERT INTO crm.org (id, name, city) VALUES (:'failed', 'Ann''s', 'Ann''s');
SET ROLE regress_crm_bob;
UPDATE crm.org SET name = 'Bob''s', alias = 'Bob''s' WHERE id = :'failed';
RESET ROLE;
RESET crm_sync.mode;
SELECT cdms.log_clear();
SELECT FROM crm_sync.push('crm.org');
TABLE crm.told;
SELECT name, alias, city, created_by, changed_by FROM crm.org WHERE id = :'failed';
-- One changes it, the other deletes it.
SET crm_sync.mode = local;
SET ROLE regress_crm_ann;
UPDATE crm.org SET city = 'Ann 2' WHERE id = :'failed';
SET ROLE regress_crm_bob;
DELETE FROM crm.org WHERE id = :'failed';
RESET ROLE;
RESET crm_sync.mode;
SELECT cdms.log_clear();
SELECT FROM crm_sync.push('crm.org');
TABLE crm.told;
TABLE crm.waiting;

-- Also where CDMS was away when it was Ann's turn: her change is moot, and not a deletion.
SET crm_sync.mode = local;
SET ROLE regress_crm_ann;
INSERT INTO crm.org (id, name) VALUES (:'failed', 'Ann''s');
RESET ROLE;
RESET crm_sync.mode;
SELECT FROM crm_sync.push('crm.org');
SET crm_sync.mode = local;
SET ROLE regress_crm_ann;
UPDATE crm.org SET city = 'Ann 2' WHERE id = :'failed';
RESET ROLE;
RESET crm_sync.mode;
ALTER SERVER cdms OPTIONS (SET url 'http://127.0.0.1:1/X');
SET client_min_messages = error;
SELECT FROM crm_sync.push('crm.org');
SET client_min_messages = warning;
ALTER SERVER cdms OPTIONS (SET url :'url');
SET crm_sync.mode = local;
SET ROLE regress_crm_bob;
DELETE FROM crm.org WHERE id = :'failed';
RESET ROLE;
RESET crm_sync.mode;
SELECT cdms.log_clear();
SELECT FROM crm_sync.push('crm.org');
TABLE crm.told;
TABLE crm.waiting;

-- What Ann is refused keeps Bob's from nothing, but where it is the creation: then it
-- waits for that, and nobody creates it in her place.
SET crm_sync.mode = local;
SET ROLE regress_crm_ann;
UPDATE crm.org SET sector = '00000000-0000-0000-0000-00000000dead' WHERE id = :'two';
INSERT INTO crm.org (id, name, sector) VALUES (:'failed', 'Ann''s', '00000000-0000-0000-0000-00000000dead');
SET ROLE regress_crm_bob;
UPDATE crm.org SET city = 'Bob''s' WHERE id IN (:'two', :'failed');
RESET ROLE;
RESET crm_sync.mode;
SELECT cdms.log_clear();
SELECT FROM crm_sync.push('crm.org');
TABLE crm.told;
TABLE crm.waiting;
SELECT FROM crm_sync.push('crm.org');
SELECT cdms.log_clear();
SET ROLE regress_crm_bob;
\set VERBOSITY terse
UPDATE crm.org SET city = 'Bob 2' WHERE id = :'failed';
\set VERBOSITY default
RESET ROLE;
TABLE crm.told;
-- She puts it right.
SET ROLE regress_crm_ann;
UPDATE crm.org SET sector = NULL WHERE id IN (:'two', :'failed');
RESET ROLE;
SELECT FROM crm_sync.push('crm.org');
TABLE crm.told;
TABLE crm.waiting;
SELECT name, city, created_by, changed_by FROM crm.org WHERE id = :'failed';

-- A COMMIT takes along what waited of the same role, with the values of that role.
SET crm_sync.mode = local;
SET ROLE regress_crm_ann;
UPDATE crm.org SET name = 'Ann 3' WHERE id = :'three';
SET ROLE regress_crm_bob;
UPDATE crm.org SET name = 'Bob 3' WHERE id = :'three';
RESET crm_sync.mode;
SELECT cdms.log_clear();
SET ROLE regress_crm_ann;
UPDATE crm.org SET city = 'Ann 3' WHERE id = :'three';
RESET ROLE;
TABLE crm.told;
TABLE crm.waiting;
SELECT FROM crm_sync.push('crm.org');
TABLE crm.told;
-- What was written and sent since is not put back.
SET crm_sync.mode = local;
SET ROLE regress_crm_ann;
UPDATE crm.org SET name = 'Ann 4' WHERE id = :'three';
SET ROLE regress_crm_bob;
UPDATE crm.org SET name = 'Bob 4' WHERE id = :'three';
RESET ROLE;
RESET crm_sync.mode;
UPDATE crm.org SET name = 'Owner''s' WHERE id = :'three';
SELECT FROM crm_sync.push('crm.org');
SELECT name FROM crm.org WHERE id = :'three';
-- Several roles in one transaction: each is a write of its own; undone together.
SELECT cdms.log_clear();
BEGIN;
SET LOCAL ROLE regress_crm_ann;
UPDATE crm.org SET name = 'Ann 5', city = 'Ann 5' WHERE id = :'three';
SET LOCAL ROLE regress_crm_bob;
UPDATE crm.org SET city = 'Bob 5' WHERE id = :'three';
SET LOCAL ROLE regress_crm_ann;
UPDATE crm.org SET city = 'Ann 6' WHERE id = :'three';
COMMIT;
TABLE crm.told;
SELECT cdms.log_clear();
BEGIN;
SET LOCAL ROLE regress_crm_ann;
UPDATE crm.org SET name = 'Ann 7', city = 'Ann 7' WHERE id = :'three';
SET LOCAL ROLE regress_crm_bob;
UPDATE crm.org SET city = 'Bob 7', sector = '00000000-0000-0000-0000-00000000dead' WHERE id = :'three';
COMMIT;
TABLE crm.told;
SELECT name, city FROM crm.org WHERE id = :'three';
TABLE crm.waiting;

-- Deletions come last, children first, whoever wrote the child before.
GRANT SELECT, UPDATE, DELETE ON crm.person TO regress_crm_ann, regress_crm_bob;
SELECT cdms.log_clear();
BEGIN;
SET LOCAL ROLE regress_crm_bob;
UPDATE crm.person SET name = 'Bob''s' WHERE parent = :'draft';
SET LOCAL ROLE regress_crm_ann;
DELETE FROM crm.person WHERE parent = :'draft';
DELETE FROM crm.org WHERE id = :'draft';
COMMIT;
TABLE crm.told;

-- A refused login parks that role's changes of the objects that are left, and no
-- other's.
SET crm_sync.mode = local;
SET ROLE regress_crm_ann;
UPDATE crm.org SET city = 'Ann 8' WHERE id IN (:'one', :'two');
SET ROLE regress_crm_bob;
UPDATE crm.org SET name = 'Bob 8' WHERE id IN (:'one', :'two');
SET ROLE regress_crm_ann;
UPDATE crm.org SET city = 'Ann 9' WHERE id = :'one';
RESET ROLE;
RESET crm_sync.mode;
ALTER USER MAPPING FOR regress_crm_ann SERVER cdms OPTIONS (SET password 'wrong');
SELECT cdms.log_clear();
SELECT FROM crm_sync.push('crm.org');
SELECT log FROM crm.told ORDER BY log COLLATE "C";
SELECT DISTINCT changed, role, parked FROM crm.waiting ORDER BY changed;

TRUNCATE crm_sync.history, crm_sync.outbox;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
REVOKE USAGE ON FOREIGN DATA WRAPPER crm_sync FROM regress_crm_mallory;
RESET client_min_messages;
DROP ROLE regress_crm_mallory, regress_crm_ann, regress_crm_bob;
