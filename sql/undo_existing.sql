--
-- A pending creation whose key CDMS has already is sent as a change.  When the
-- transaction fails after that, the object gets back what it had; it was not made
-- here, and is not deleted.
--
\set SHOW_CONTEXT never
TRUNCATE crm_sync.history, crm_sync.outbox;
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id     uuid OPTIONS (property 'AccountId') NOT NULL,
    name   text OPTIONS (property 'Name'),
    city   text OPTIONS (property 'optevia_TownCity'),
    sector uuid OPTIONS (property 'optevia_Sector', type 'EntityReference')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
\set theirs 11111111-0000-4000-8000-000000000001
\set other 11111111-0000-4000-8000-000000000002
CREATE VIEW crm.told AS SELECT log FROM cdms.log() WHERE log NOT LIKE 'GET%';
CREATE VIEW crm.there AS
    SELECT cdms.get('Account', k, 'Name') AS name, cdms.get('Account', k, 'optevia_TownCity') AS city,
           cdms.get('Account', k, 'optevia_Alias') AS alias
    FROM (VALUES ('11111111-0000-4000-8000-000000000001'::uuid)) v (k);

-- Both sides make an object of the same key.
SELECT cdms.create('Account', :'theirs', '{"Name":"Theirs","optevia_TownCity":"Ely","optevia_Alias":"T"}');
SET crm_sync.mode = local;
INSERT INTO crm.organisation (id, name, city) VALUES (:'theirs', 'Mine', 'Hull');
RESET crm_sync.mode;
INSERT INTO crm.organisation (id, name) VALUES (:'other', 'Other');
SELECT cdms.log_clear();

-- It goes with the next write of the object; another write of the transaction is
-- refused.
BEGIN;
UPDATE crm.organisation_store SET city = 'Leeds' WHERE id = :'theirs';
UPDATE crm.organisation_store SET sector = '00000000-0000-0000-0000-00000000dead' WHERE id = :'other';
COMMIT;
-- POST, refused as a duplicate; MERGE; the refused MERGE; the undoing MERGE.
TABLE crm.told;
TABLE crm.there;
-- Here it is pending as before.
SELECT name, city FROM crm.organisation_store WHERE id = :'theirs';
SELECT operation FROM crm_sync.pending ORDER BY id;

-- Without the refusal it is a change, and what it replaced is a conflict.
SELECT cdms.log_clear();
UPDATE crm.organisation_store SET city = 'Leeds' WHERE id = :'theirs';
TABLE crm.told;
TABLE crm.there;
SELECT count(*) FROM crm_sync.pending;
SELECT conflict FROM crm_sync.history WHERE key = :'theirs' AND conflict IS NOT NULL;

-- The reverse: a change of an object that is gone in CDMS is sent as a creation;
-- when the transaction fails, that creation is undone, and nothing else is said.
SELECT cdms.delete('Account', :'theirs');
SELECT cdms.log_clear();
BEGIN;
UPDATE crm.organisation_store SET city = 'York' WHERE id = :'theirs';
UPDATE crm.organisation_store SET sector = '00000000-0000-0000-0000-00000000dead' WHERE id = :'other';
COMMIT;
TABLE crm.told;
SELECT city FROM crm.organisation_store WHERE id = :'theirs';

-- Several objects that CDMS has, with the values that it has: each is refused, none is
-- taken for one that this transaction made.
SELECT cdms.log_clear();
\set VERBOSITY terse
INSERT INTO crm.organisation (id, name)
    SELECT k, cdms.get('Account', k, 'Name')
    FROM (SELECT ('aaaaaaaa-0000-4000-8000-00000000000' || n)::uuid FROM generate_series(1, 6) n) v (k);
\set VERBOSITY default
SELECT count(*) FROM cdms.log('POST');
SELECT cdms.log('DELETE');
SELECT count(cdms.get('Account', k, 'Name'))
    FROM (SELECT ('aaaaaaaa-0000-4000-8000-00000000000' || n)::uuid FROM generate_series(1, 6) n) v (k);

-- The same where the rest has no time left: what was answered is known.
SELECT cdms.log_clear();
ALTER SERVER cdms OPTIONS (ADD commit_timeout '1500ms');
SELECT cdms.fault('hang', '--verb', 'POST', '--skip', '1');
\set VERBOSITY sqlstate
INSERT INTO crm.organisation (id, name)
    VALUES ('aaaaaaaa-0000-4000-8000-000000000001', cdms.get('Account', 'aaaaaaaa-0000-4000-8000-000000000001', 'Name')),
           ('aaaaaaaa-0000-4000-8000-000000000002', 'Another');
SELECT cdms.fault('clear'), cdms.fault('hang', '--verb', 'POST', '--skip', '1');
INSERT INTO crm.organisation (id) VALUES ('aaaaaaaa-0000-4000-8000-000000000001'), ('aaaaaaaa-0000-4000-8000-000000000002');
\set VERBOSITY default
SELECT cdms.fault('clear');
ALTER SERVER cdms OPTIONS (DROP commit_timeout);
SELECT cdms.log('DELETE');
SELECT cdms.get('Account', 'aaaaaaaa-0000-4000-8000-000000000001', 'Name'),
       cdms.get('Account', 'aaaaaaaa-0000-4000-8000-000000000002', 'Name');

-- What somebody else has deleted before is not made again.
SELECT count(*) FROM crm.organisation WHERE id IN ('aaaaaaaa-0000-4000-8000-000000000004', 'aaaaaaaa-0000-4000-8000-000000000006');
SELECT pg_sleep(1.1);
SELECT cdms.control('delete', 'Account', 'aaaaaaaa-0000-4000-8000-000000000004');
SELECT cdms.fault('status', '--verb', 'DELETE', '--path', '000000000006', '--status', '500', '--body', 'no'),
       cdms.fault('reset-before', '--verb', 'DELETE', '--path', '000000000004'), cdms.log_clear();
DELETE FROM crm.organisation_store WHERE id IN ('aaaaaaaa-0000-4000-8000-000000000004', 'aaaaaaaa-0000-4000-8000-000000000006');
SELECT cdms.log('POST');

DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
