--
-- batch 'on': writes that don't depend on each other go as one change set, and what
-- CDMS made of them comes in the same answer.  Nobody knows whether CDMS carries a
-- change set out as a whole: what it says of that is not believed but looked at.
--
\set SHOW_CONTEXT never
SELECT cdms.reset();
SELECT cdms.switch('batch', 'atomic');
SELECT cdms.create_server($$ batch 'on' $$);
TRUNCATE crm_sync.history, crm_sync.outbox;
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id      uuid OPTIONS (property 'AccountId') NOT NULL,
    name    text OPTIONS (property 'Name'),
    city    text OPTIONS (property 'optevia_TownCity'),
    parent  uuid OPTIONS (property 'ParentAccountId', type 'EntityReference'),
    revenue numeric OPTIONS (property 'Revenue', type 'Money')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
\set one 11111111-0000-4000-8000-000000000001
\set two 11111111-0000-4000-8000-000000000002
\set three 11111111-0000-4000-8000-000000000003
-- Each request with what it answered, less what differs between the formats.
CREATE VIEW crm.told AS
    SELECT split_part(log, ' ', 1) || ' ' || regexp_replace(split_part(log, ' ', 2), '\?.*', '?') AS request,
           regexp_replace(log, '.* -> ', '') AS answer FROM cdms.log();
CREATE VIEW crm.there AS
    SELECT s.name AS here, cdms.get('Account', s.id, 'Name') AS there,
           cdms.get('Account', s.id, 'optevia_TownCity') AS city, s.revenue
    FROM crm.organisation_store s WHERE s.id::text LIKE '11111111%' ORDER BY s.name COLLATE "C";

-- Three are created, one of them the others' parent: it goes first, alone and so
-- without a change set.
SELECT cdms.log_clear();
INSERT INTO crm.organisation (id, name, parent, revenue) VALUES
    (:'one', 'O''Neil & <Söhne>', NULL, 1.23456), (:'two', 'Two', :'one', 2), (:'three', 'Three', :'one', 3);
TABLE crm.told;
TABLE crm.there;

-- Changed: one GET before, then the change set with its read-back.
SELECT cdms.log_clear();
UPDATE crm.organisation_store SET city = name, revenue = revenue * 2.00001;
TABLE crm.told;
TABLE crm.there;

-- Values that would be parts.
UPDATE crm.organisation_store SET name = concat(name, E'\r\n--batch--\r\n--changes--\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n')
    WHERE id IN (:'two', :'three');
SELECT here = there AS same, there LIKE '%--changes--%' AS whole FROM crm.there;
UPDATE crm.organisation_store SET name = split_part(name, E'\r', 1) WHERE id IN (:'two', :'three');

-- 120 at once.
SELECT cdms.log_clear();
INSERT INTO crm.organisation (id, name)
    SELECT ('22222222-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, 'Many ' || i FROM generate_series(1, 120) i;
TABLE crm.told;
SELECT count(*) FROM crm.organisation_store WHERE name LIKE 'Many%';
SELECT cdms.count('Account');

-- One is refused: all are as they were, whatever the server does with the others.
SELECT cdms.log_clear();
\set VERBOSITY terse
BEGIN;
UPDATE crm.organisation_store SET city = 'York' WHERE id IN (:'one', :'two');
UPDATE crm.organisation_store SET parent = '00000000-0000-0000-0000-00000000dead' WHERE id = :'three';
COMMIT;
TABLE crm.told;
TABLE crm.there;
SELECT cdms.switch('batch', 'not-atomic');
BEGIN;
UPDATE crm.organisation_store SET city = 'York' WHERE id IN (:'one', :'two');
UPDATE crm.organisation_store SET parent = '00000000-0000-0000-0000-00000000dead' WHERE id = :'three';
INSERT INTO crm.organisation (id, name) VALUES ('11111111-0000-4000-8000-000000000009', 'New');
COMMIT;
TABLE crm.there;
SELECT cdms.count('Account');

-- One is gone: it is created again, and the others' changes are made.
SELECT cdms.switch('batch', 'atomic');
SELECT count(*) FROM crm.organisation WHERE id IN (:'one', :'two', :'three');
SELECT cdms.fault('do-before', '--verb', 'POST', '--command', 'delete Account 11111111-0000-4000-8000-000000000003');
BEGIN;
UPDATE crm.organisation_store SET city = 'Bath' WHERE id IN (:'one', :'two', :'three');
COMMIT;
TABLE crm.there;

-- The answer is lost: what is there is found out, and sent again.
SELECT cdms.fault('reset-after', '--verb', 'POST');
UPDATE crm.organisation_store SET city = 'Ely' WHERE id IN (:'one', :'two');
SELECT cdms.fault('reset-before', '--verb', 'POST');
INSERT INTO crm.organisation (id, name) VALUES
    ('11111111-0000-4000-8000-000000000007', 'Seven'), ('11111111-0000-4000-8000-000000000008', 'Eight');
SELECT cdms.fault('status', '--verb', 'POST', '--status', '503', '--retry-after', '0');
DELETE FROM crm.organisation_store WHERE id IN
    ('11111111-0000-4000-8000-000000000007', '11111111-0000-4000-8000-000000000008');
TABLE crm.there;
SELECT cdms.count('Account');

-- An answer that can't be read.
SELECT cdms.fault('status', '--verb', 'POST', '--status', '202', '--body', 'Thank you!');
UPDATE crm.organisation_store SET city = 'Hull' WHERE id IN (:'one', :'two');
TABLE crm.there;

-- The server does not know of it.
SELECT cdms.switch('batch', 'off');
UPDATE crm.organisation_store SET city = 'Hull' WHERE id IN (:'one', :'two');
UPDATE crm.organisation_store SET city = 'Hull' WHERE id IN (:'one');
TABLE crm.there;
SELECT count(*) FROM crm_sync.outbox;

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
SELECT cdms.reset();
