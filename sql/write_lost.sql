--
-- An answer that never came: the write is sent again, where that can't do it twice.
-- A change has absolute values, a deletion names its object; a creation is sent again
-- only when the object is not there, by its key.  What CDMS had no time for is sent
-- again after the pause that it asked for.
--
\set SHOW_CONTEXT never
SELECT cdms.reset();
SELECT cdms.create_server($$ max_retries '2' $$);
TRUNCATE crm_sync.history, crm_sync.outbox;
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id      uuid OPTIONS (property 'AccountId') NOT NULL,
    name    text OPTIONS (property 'Name'),
    city    text OPTIONS (property 'optevia_TownCity'),
    revenue numeric OPTIONS (property 'Revenue', type 'Money')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
\set one 11111111-0000-4000-8000-000000000001
\set two 11111111-0000-4000-8000-000000000002
-- Each request of a COMMIT, without the filter.
CREATE VIEW crm.told AS SELECT regexp_replace(log, '\?[^>]* ->', '? ->') AS log FROM cdms.log();
CREATE VIEW crm.there AS
    SELECT s.name AS here, cdms.get('Account', s.id, 'Name') AS there, cdms.get('Account', s.id, 'Revenue') AS revenue
    FROM crm.organisation_store s WHERE s.id::text LIKE '11111111%' ORDER BY s.name COLLATE "C";

-- Lost before CDMS took it: found missing, sent again.
SELECT cdms.log_clear(), cdms.fault('reset-before', '--verb', 'POST');
INSERT INTO crm.organisation (id, name) VALUES (:'one', 'One');
TABLE crm.told;

-- Lost after CDMS took it: found, also where CDMS has rounded it, not sent again.
SELECT cdms.log_clear(), cdms.fault('reset-after', '--verb', 'POST');
INSERT INTO crm.organisation (id, name, revenue) VALUES (:'two', 'Two', 1.23456);
TABLE crm.told;
TABLE crm.there;
SELECT cdms.count('Account');

-- A change, a deletion: sent again.
SELECT cdms.log_clear(), cdms.fault('reset-after', '--verb', 'MERGE');
UPDATE crm.organisation_store SET name = 'Eins' WHERE id = :'one';
TABLE crm.told;
SELECT cdms.log_clear(), cdms.fault('reset-after', '--verb', 'DELETE');
DELETE FROM crm.organisation_store WHERE id = :'two';
TABLE crm.told;
TABLE crm.there;
SELECT cdms.count('Account');

-- No time now, each kind.
SELECT cdms.log_clear(), cdms.fault('status', '--verb', 'POST', '--status', '503', '--retry-after', '0');
INSERT INTO crm.organisation (id, name) VALUES (:'two', 'Two');
SELECT cdms.fault('status', '--verb', 'MERGE', '--status', '429', '--retry-after', '0', '--times', '2');
UPDATE crm.organisation_store SET name = 'Zwei' WHERE id = :'two';
SELECT cdms.fault('status', '--verb', 'DELETE', '--status', '503', '--retry-after', '1');
SELECT clock_timestamp() AS began \gset
DELETE FROM crm.organisation_store WHERE id = :'two';
SELECT clock_timestamp() - :'began' >= '1 s' AS paused;
TABLE crm.told;

-- Once too often: the transaction fails, and nothing of it is left.
SELECT cdms.log_clear(), cdms.fault('reset-before', '--verb', 'MERGE', '--times', '3');
\set VERBOSITY sqlstate
BEGIN;
INSERT INTO crm.organisation (id, name) VALUES (:'two', 'Two');
UPDATE crm.organisation_store SET name = 'One' WHERE id = :'one';
COMMIT;
\set VERBOSITY default
TABLE crm.told;
TABLE crm.there;
SELECT cdms.count('Account');

-- Somebody else has made an object of this key meanwhile: it is his.
SELECT cdms.fault('reset-before', '--verb', 'POST');
SELECT cdms.fault('do-before', '--verb', 'GET', '--command',
    'create Account ''{"AccountId":"11111111-0000-4000-8000-000000000002","Name":"His"}''');
INSERT INTO crm.organisation (id, name) VALUES (:'two', 'Ours');
SELECT cdms.get('Account', :'two', 'Name');

-- A deletion was carried out, its answer was lost, and what comes after it fails: when
-- it is repeated the object is not there, which is no reason not to create it again.
CREATE FOREIGN TABLE crm.person (
    id     uuid OPTIONS (property 'ContactId') NOT NULL,
    name   text OPTIONS (property 'LastName'),
    parent uuid OPTIONS (property 'ParentCustomerId', type 'EntityReference', target 'account')
) SERVER cdms OPTIONS (entity 'Contact');
SELECT crm_sync.create_store('crm.person');
\set contact cccccccc-0000-4000-8000-000000000001
\set account aaaaaaaa-0000-4000-8000-000000000001
SELECT o.name, p.name FROM crm.organisation o JOIN crm.person p ON p.parent = o.id
    WHERE o.id = :'account' AND p.id = :'contact';
SELECT cdms.fault('reset-after', '--verb', 'DELETE', '--path', 'ContactSet'),
       cdms.fault('status', '--verb', 'DELETE', '--path', 'AccountSet', '--status', '500', '--body', 'no'),
       cdms.log_clear();
BEGIN;
DELETE FROM crm.person WHERE id = :'contact';
DELETE FROM crm.organisation WHERE id = :'account';
COMMIT;
TABLE crm.told;
SELECT cdms.get('Contact', :'contact', 'LastName');
SELECT count(*) FROM crm.person_store WHERE id = :'contact';

-- Statistics tell of it.
SELECT retries > 5 AS counted FROM crm_sync.stat_requests;

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
