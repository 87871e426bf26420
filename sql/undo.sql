--
-- A transaction's writes are all or nothing: when one is refused, those that CDMS
-- had accepted are undone there before the transaction fails.
--
\set SHOW_CONTEXT never
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id      uuid OPTIONS (property 'AccountId') NOT NULL,
    name    text OPTIONS (property 'Name'),
    city    text OPTIONS (property 'optevia_TownCity'),
    sector  uuid OPTIONS (property 'optevia_Sector', type 'EntityReference'),
    revenue numeric OPTIONS (property 'Revenue', type 'Money')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
\set one 11111111-0000-4000-8000-000000000001
\set two 11111111-0000-4000-8000-000000000002
\set three 11111111-0000-4000-8000-000000000003
\set new 11111111-0000-4000-8000-000000000009
INSERT INTO crm.organisation (id, name, city, revenue) VALUES
    (:'one', 'One', 'Hull', 1), (:'two', 'Two', 'Hull', 2), (:'three', 'Three', 'Hull', 3);

CREATE VIEW crm.told AS SELECT log FROM cdms.log() WHERE log NOT LIKE 'GET%';
-- What CDMS has of them, and that the store has the same.
CREATE VIEW crm.there AS
    SELECT s.name AS here, cdms.get('Account', s.id, 'Name') AS there,
           cdms.get('Account', s.id, 'optevia_TownCity') AS city,
           cdms.get('Account', s.id, 'Revenue') AS revenue
    FROM crm.organisation_store s WHERE s.id::text LIKE '11111111%' ORDER BY s.name COLLATE "C";

CREATE VIEW crm.settling AS
    SELECT mode FROM pg_locks
    WHERE classid = 'crm_sync.intent'::regclass AND objsubid = 0 AND pid = pg_backend_pid();

-- The last of four is refused.  An amount that CDMS rounds is known again.
SELECT cdms.log_clear();
BEGIN;
INSERT INTO crm.organisation (id, name, revenue) VALUES (:'new', 'New', 9.123456);
UPDATE crm.organisation_store SET city = 'Leeds', revenue = 7.123456 WHERE id = :'one';
UPDATE crm.organisation_store SET name = 'Zwei' WHERE id = :'two';
UPDATE crm.organisation_store SET sector = '00000000-0000-0000-0000-00000000dead' WHERE id = :'three';
COMMIT;
TABLE crm.told;
TABLE crm.there;
SELECT cdms.count('Account');
SELECT count(*) FROM crm_sync.outbox;

-- A deletion is refused: the objects before it are as they were.
SELECT cdms.fault('status', '--verb', 'DELETE', '--status', '500', '--body', 'no');
BEGIN;
UPDATE crm.organisation_store SET city = 'Leeds' WHERE id = :'one';
DELETE FROM crm.organisation_store WHERE id = :'two';
COMMIT;
TABLE crm.there;

-- The second of two deletions: the first object is created again, without what
-- CDMS sets itself, and that is said.
SELECT cdms.fault('status', '--verb', 'DELETE', '--skip', '1', '--status', '500', '--body', 'no');
BEGIN;
DELETE FROM crm.organisation_store WHERE id = :'one';
DELETE FROM crm.organisation_store WHERE id = :'two';
COMMIT;
TABLE crm.there;

-- An answer that was lost: whether the write was carried out is found out.
\set VERBOSITY sqlstate
ALTER SERVER cdms OPTIONS (ADD max_retries '0');
SELECT cdms.fault('reset-after', '--verb', 'MERGE', '--skip', '1');
BEGIN;
UPDATE crm.organisation_store SET city = 'Leeds' WHERE id = :'one';
UPDATE crm.organisation_store SET city = 'Leeds' WHERE id = :'two';
COMMIT;
TABLE crm.there;

\set VERBOSITY default
-- The store itself refuses what CDMS made of it.
CREATE UNIQUE INDEX revenues ON crm.organisation_store (revenue);
BEGIN;
UPDATE crm.organisation_store SET revenue = 5.00001 WHERE id = :'one';
UPDATE crm.organisation_store SET revenue = 5.00002 WHERE id = :'two';
COMMIT;
TABLE crm.there;
DROP INDEX crm.revenues;

-- What somebody else has changed since is his.
SELECT cdms.fault('do-after', '--verb', 'MERGE', '--command',
                  'edit Account 11111111-0000-4000-8000-000000000001 ''{"optevia_TownCity":"Ely"}''');
SELECT cdms.fault('status', '--verb', 'MERGE', '--status', '500', '--body', 'no');
BEGIN;
UPDATE crm.organisation_store SET city = 'Leeds', name = 'Eins' WHERE id = :'one';
UPDATE crm.organisation_store SET city = 'Leeds' WHERE id = :'two';
COMMIT;
SELECT cdms.fault('clear');
TABLE crm.there;

-- CDMS goes away in the middle: what could not be undone is named.
SELECT cdms.fault('status', '--skip', '2', '--status', '500', '--body', 'gone', '--forever');
BEGIN;
UPDATE crm.organisation_store SET city = 'York' WHERE id = :'two';
UPDATE crm.organisation_store SET city = 'York' WHERE id = :'three';
COMMIT;
SELECT cdms.fault('clear');
TABLE crm.there;

-- It is noted where the rollback did not reach, and undone by whoever asks CDMS
-- next: once.
SELECT unresolved FROM crm_sync.status;
\set VERBOSITY sqlstate
SELECT name, city FROM crm.organisation WHERE id = :'two';
\set VERBOSITY default
SELECT unresolved FROM crm_sync.status;
TABLE crm.there;
SELECT cdms.log_clear();
SELECT name, city FROM crm.organisation WHERE id = :'two';
TABLE crm.told;

-- CDMS goes away after the first of two deletions.  Who can't undo it either does not
-- keep from trying who can; and that the object was created again is not forgotten
-- with the transaction that did it: who is there next finds it, says and parks it.
SELECT cdms.fault('status', '--skip', '2', '--status', '500', '--body', 'gone', '--forever');
SELECT cdms.log_clear();
\set VERBOSITY sqlstate
BEGIN;
DELETE FROM crm.organisation_store WHERE id = :'one';
DELETE FROM crm.organisation_store WHERE id = :'two';
COMMIT;
SELECT cdms.fault('clear');
SELECT cdms.fault('status', '--verb', 'POST', '--status', '500', '--body', 'gone', '--forever');
BEGIN;
SELECT name FROM crm.organisation WHERE id = :'three';
TABLE crm.settling;
COMMIT;
SELECT cdms.fault('clear');
BEGIN;
SELECT name FROM crm.organisation WHERE id = :'three';
TABLE crm.settling;
ROLLBACK;
SELECT unresolved, failed FROM crm_sync.status;
SELECT count(*) AS before FROM cdms.log('GET') \gset
SELECT name FROM crm.organisation WHERE id = :'three';
SELECT count(*) - :before AS asked_for FROM cdms.log('GET');
SELECT unresolved, failed FROM crm_sync.status;
SELECT key, operation, last_error FROM crm_sync.failed;
SELECT crm_sync.discard(id) FROM crm_sync.failed;
TABLE crm.told;
TABLE crm.there;
-- Nor is it when the COMMIT itself has done it, and was not told so.
SELECT cdms.fault('status', '--verb', 'DELETE', '--skip', '1', '--status', '500', '--body', 'no');
SELECT cdms.fault('reset-after', '--verb', 'POST');
SELECT cdms.log_clear();
BEGIN;
DELETE FROM crm.organisation_store WHERE id = :'one';
DELETE FROM crm.organisation_store WHERE id = :'two';
COMMIT;
SELECT name FROM crm.organisation WHERE id = :'three';
SELECT unresolved, failed FROM crm_sync.status;
SELECT crm_sync.discard(id) FROM crm_sync.failed;
TABLE crm.told;
TABLE crm.there;

-- The store is another server's by now: what is there is not what was written.
CREATE FOREIGN TABLE crm.contact (
    id   uuid OPTIONS (property 'ContactId') NOT NULL,
    name text OPTIONS (property 'LastName')
) SERVER cdms OPTIONS (entity 'Contact');
SELECT crm_sync.create_store('crm.contact');
SELECT cdms.fault('status', '--skip', '2', '--status', '500', '--body', 'gone', '--forever');
BEGIN;
UPDATE crm.organisation_store SET city = 'York' WHERE id = :'two';
UPDATE crm.organisation_store SET city = 'York' WHERE id = :'three';
COMMIT;
SELECT cdms.fault('clear');
SELECT cdms.create_server(name => 'elsewhere');
DROP FOREIGN TABLE crm.organisation;
CREATE FOREIGN TABLE crm.organisation (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    city text OPTIONS (property 'optevia_TownCity')
) SERVER elsewhere OPTIONS (entity 'Account', store 'crm.organisation_store');
SELECT cdms.log_clear();
SELECT name FROM crm.contact WHERE id = :'one';
TABLE crm.told;
SELECT last_error FROM crm_sync.failed;
SELECT crm_sync.discard(id) FROM crm_sync.failed;
DROP FOREIGN TABLE crm.organisation;
DROP SERVER elsewhere CASCADE;
CREATE FOREIGN TABLE crm.organisation (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    city text OPTIONS (property 'optevia_TownCity')
) SERVER cdms OPTIONS (entity 'Account', store 'crm.organisation_store');

-- A write that never left needs no undoing.
ALTER SERVER cdms OPTIONS (ADD request_timeout '300ms');
SELECT cdms.fault('hang', '--forever');
SELECT cdms.log_clear();
UPDATE crm.organisation_store SET city = 'York' WHERE id = :'three';
SELECT cdms.fault('clear');
SELECT * FROM cdms.log();

\set VERBOSITY default
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
