--
-- DELETE: what leaves CDMS, in which order, and what never had to.
--
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id     uuid OPTIONS (property 'AccountId') NOT NULL,
    name   text OPTIONS (property 'Name'),
    alias  text OPTIONS (property 'optevia_Alias'),
    parent uuid OPTIONS (property 'ParentAccountId', type 'EntityReference'),
    paf_override boolean OPTIONS (property 'optevia_PAFOverride', constant 'true')
) SERVER cdms OPTIONS (entity 'Account');
CREATE FOREIGN TABLE crm.person (
    id           uuid OPTIONS (property 'ContactId') NOT NULL,
    last_name    text OPTIONS (property 'LastName'),
    organisation uuid OPTIONS (property 'ParentCustomerId', type 'EntityReference', target 'account')
) SERVER cdms OPTIONS (entity 'Contact');
SELECT crm_sync.create_store('crm.organisation'), crm_sync.create_store('crm.person');
\set mother 11111111-0000-4000-8000-000000000001
\set daughter 11111111-0000-4000-8000-000000000002
\set anna 22222222-0000-4000-8000-000000000001
\set oneil aaaaaaaa-0000-4000-8000-000000000001
\set wool aaaaaaaa-0000-4000-8000-000000000002
\set bold aaaaaaaa-0000-4000-8000-000000000004

-- One object, with RETURNING; the row is gone here and there, history keeps it.
DELETE FROM crm.organisation WHERE id = :'oneil' RETURNING id, name;
SELECT * FROM cdms.log() WHERE log NOT LIKE 'GET%';
SELECT count(*) FROM crm.organisation_store WHERE id = :'oneil';
SELECT count(*) FROM crm.organisation WHERE id = :'oneil';
SELECT operation, origin, before ->> 'name' AS name, after FROM crm_sync.history
    WHERE key = :'oneil' ORDER BY crm_sync.history.id DESC LIMIT 1;

-- The store: the object is got before it is deleted, so that what is lost with
-- it is known: others' changes are a conflict.
SELECT name FROM crm.organisation WHERE id = :'wool';
SELECT cdms.log_clear();
BEGIN;
DELETE FROM crm.organisation_store WHERE id = :'wool';
SELECT cdms.edit('Account', :'wool', 'optevia_Alias', 'theirs');
COMMIT;
SELECT regexp_replace(log, '\$select=[^&]*&', '') AS log FROM cdms.log();
SELECT operation, before ->> 'alias' AS alias, conflict FROM crm_sync.conflicts;

-- DELETE ... USING.
SELECT cdms.log_clear();
DELETE FROM crm.organisation o
    USING (VALUES (:'bold'::uuid, 'unwanted'), ('aaaaaaaa-9999-4000-8000-000000000001', 'unknown')) v (id, why)
    WHERE o.id = v.id RETURNING o.name, v.why;
SELECT * FROM cdms.log() WHERE log NOT LIKE 'GET%';

-- What is inserted and deleted in one transaction CDMS never hears of.
SELECT cdms.log_clear();
BEGIN;
INSERT INTO crm.organisation (id, name) VALUES (:'mother', 'Short Lived Ltd');
UPDATE crm.organisation_store SET alias = 'gone soon' WHERE id = :'mother';
DELETE FROM crm.organisation_store WHERE id = :'mother';
COMMIT;
SELECT * FROM cdms.log();
SELECT operation, coalesce(after, before) ->> 'alias' AS alias FROM crm_sync.history
    WHERE key = :'mother' ORDER BY crm_sync.history.id;

-- Deletions come last, children before their parents, whoever was deleted first.
INSERT INTO crm.organisation (id, name, parent) VALUES
    (:'mother', 'Mother Ltd', NULL), (:'daughter', 'Daughter Ltd', :'mother');
INSERT INTO crm.person (id, last_name, organisation) VALUES (:'anna', 'Atkins', :'daughter');
SELECT cdms.log_clear();
BEGIN;
DELETE FROM crm.organisation WHERE id = :'mother';
DELETE FROM crm.organisation WHERE id = :'daughter';
DELETE FROM crm.person WHERE id = :'anna';
INSERT INTO crm.organisation (id, name) VALUES ('11111111-0000-4000-8000-000000000003', 'Successor Ltd');
COMMIT;
SELECT * FROM cdms.log() WHERE log NOT LIKE 'GET%';

-- A foreign key between the stores does the same: what it deletes with the parent
-- CDMS is told of.
ALTER TABLE crm.person_store ADD CONSTRAINT employer FOREIGN KEY (organisation)
    REFERENCES crm.organisation_store ON DELETE CASCADE;
BEGIN;
INSERT INTO crm.organisation (id, name) VALUES (:'mother', 'Mother Ltd');
INSERT INTO crm.person (id, last_name, organisation) VALUES (:'anna', 'Atkins', :'mother');
COMMIT;
SELECT cdms.log_clear();
INSERT INTO crm.person (last_name, organisation) VALUES ('Nobody', 'aaaaaaaa-9999-4000-8000-000000000001');
\echo :SQLSTATE
DELETE FROM crm.organisation WHERE id = :'mother';
SELECT * FROM cdms.log() WHERE log NOT LIKE 'GET%';
SELECT count(*) FROM crm.person_store WHERE id = :'anna';
ALTER TABLE crm.person_store DROP CONSTRAINT employer;

-- Deleted and inserted again under the old key: CDMS is told what is different,
-- and that what the new row does not name is empty.
INSERT INTO crm.organisation (id, name, alias) VALUES (:'mother', 'Mother Ltd', 'old alias');
SELECT cdms.log_clear();
BEGIN;
DELETE FROM crm.organisation_store WHERE id = :'mother';
INSERT INTO crm.organisation (id, name) VALUES (:'mother', 'Stepmother Ltd');
COMMIT;
SELECT * FROM cdms.log() WHERE log NOT LIKE 'GET%';
SELECT cdms.get('Account', :'mother', 'Name') AS name, cdms.get('Account', :'mother', 'optevia_Alias') AS alias;
SELECT name, alias FROM crm.organisation WHERE id = :'mother';

-- With the same values it is as if nothing had happened.
SELECT cdms.log_clear();
BEGIN;
DELETE FROM crm.organisation_store WHERE id = :'mother';
INSERT INTO crm.organisation (id, name, paf_override) VALUES (:'mother', 'Stepmother Ltd', true);
COMMIT;
SELECT * FROM cdms.log() WHERE log NOT LIKE 'GET%';

-- Somebody deleted it in CDMS, long ago or in the last moment: it is gone, which
-- is what was wanted.
SELECT cdms.delete('Account', :'mother');
SELECT cdms.log_clear();
DELETE FROM crm.organisation_store WHERE id = :'mother';
SELECT split_part(log, ' ', 1) AS verb, right(log, 3) AS status FROM cdms.log();
SELECT count(*) FROM crm.organisation_store WHERE id = :'mother';

INSERT INTO crm.organisation (id, name) VALUES (:'mother', 'Mother Ltd');
SELECT cdms.fault('do-before', '--verb', 'DELETE', '--command', 'delete Account ' || :'mother');
SELECT cdms.log_clear();
DELETE FROM crm.organisation_store WHERE id = :'mother';
SELECT split_part(log, ' ', 1) AS verb, right(log, 3) AS status FROM cdms.log();
SELECT count(*) FROM crm.organisation_store WHERE id = :'mother';
SELECT cdms.fault('clear');

-- A DELETE of the foreign table asks for the object first.  Where CDMS does not
-- have it the read would create it again, but the row is not there any more.
INSERT INTO crm.organisation (id, name) VALUES (:'mother', 'Mother Ltd');
SELECT cdms.delete('Account', :'mother');
SELECT cdms.log_clear();
DELETE FROM crm.organisation WHERE id = :'mother' RETURNING name;
SELECT * FROM cdms.log() WHERE log NOT LIKE 'GET%';
SELECT count(*) FROM crm.organisation WHERE id = :'mother';

-- A refusal keeps the row.
INSERT INTO crm.organisation (id, name) VALUES (:'mother', 'Mother Ltd');
SELECT cdms.fault('status', '--verb', 'DELETE', '--status', '403', '--content-type', 'application/json',
                  '--body', '{"error":{"code":"-2147220960","message":{"lang":"en-US","value":"SecLib::AccessCheckEx failed."}}}');
DELETE FROM crm.organisation_store WHERE id = :'mother';
\echo :SQLSTATE
SELECT name FROM crm.organisation WHERE id = :'mother';

-- No row matches: nothing is sent.
SELECT cdms.log_clear();
DELETE FROM crm.organisation WHERE id = 'aaaaaaaa-9999-4000-8000-000000000001';
SELECT * FROM cdms.log() WHERE log NOT LIKE 'GET%';

-- TRUNCATE would leave the objects in CDMS.
TRUNCATE crm.organisation;
\echo :SQLSTATE
TRUNCATE crm.organisation_store;
\echo :SQLSTATE
SELECT count(*) > 0 AS still_there FROM crm.organisation_store;

SELECT count(*) AS pending FROM crm_sync.outbox;
SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
