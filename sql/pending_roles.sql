--
-- What is pending or failed is sent with the login of the role that wrote it, by
-- whoever's COMMIT: another role's write of the same object does not take it
-- along under its own name.
--
\set SHOW_CONTEXT never
TRUNCATE crm_sync.history, crm_sync.outbox;
SELECT cdms.reset();
SELECT cdms.control('user', 'owner', 'owner-secret'), cdms.control('user', 'ann', 'ann-secret'),
       cdms.control('user', 'bob', 'bob-secret');
SELECT cdms.create_server($$ auth 'basic' $$);
DROP USER MAPPING FOR CURRENT_USER SERVER cdms;
CREATE USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (username 'owner', password 'owner-secret');
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id         uuid OPTIONS (property 'AccountId') NOT NULL,
    name       text OPTIONS (property 'Name'),
    alias      text OPTIONS (property 'optevia_Alias'),
    city       text OPTIONS (property 'optevia_TownCity'),
    sector     uuid OPTIONS (property 'optevia_Sector', type 'EntityReference'),
    created_by text OPTIONS (property 'CreatedBy/Name'),
    changed_by text OPTIONS (property 'ModifiedBy/Name')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
CREATE ROLE regress_crm_ann;
CREATE ROLE regress_crm_bob;
GRANT USAGE ON SCHEMA crm TO regress_crm_ann, regress_crm_bob;
GRANT SELECT, INSERT, UPDATE, DELETE ON crm.organisation TO regress_crm_ann, regress_crm_bob;
CREATE USER MAPPING FOR regress_crm_ann SERVER cdms OPTIONS (username 'ann', password 'ann-secret');
CREATE USER MAPPING FOR regress_crm_bob SERVER cdms OPTIONS (username 'bob', password 'bob-secret');
\set one aaaaaaaa-0000-4000-8000-000000000001
\set two aaaaaaaa-0000-4000-8000-000000000002
\set new 11111111-0000-4000-8000-000000000001
CREATE VIEW crm.told AS SELECT log FROM cdms.log() WHERE log NOT LIKE 'GET%';
CREATE VIEW crm.waiting AS SELECT key, operation, changed, role, parked FROM crm_sync.outbox ORDER BY id;
SELECT name FROM crm.organisation WHERE id IN (:'one', :'two') ORDER BY id;

-- Ann leaves a change pending; Bob writes another property of the same object:
-- his alone is sent, by him.
SET ROLE regress_crm_ann;
SET crm_sync.mode = local;
UPDATE crm.organisation SET alias = 'Ann''s' WHERE id = :'one';
RESET crm_sync.mode;
RESET ROLE;
SELECT cdms.log_clear();
SET ROLE regress_crm_bob;
UPDATE crm.organisation SET city = 'Bob''s' WHERE id = :'one';
RESET ROLE;
TABLE crm.told;
SELECT alias, city, changed_by FROM crm.organisation WHERE id = :'one';
TABLE crm.waiting;
-- Ann's own next write takes it along, in one request, as hers.
SELECT cdms.log_clear();
SET ROLE regress_crm_ann;
UPDATE crm.organisation SET name = 'Ann' WHERE id = :'one';
RESET ROLE;
TABLE crm.told;
SELECT name, alias, city, changed_by FROM crm.organisation WHERE id = :'one';
TABLE crm.waiting;

-- push(), called by Bob's superior, sends each one's as that one's.
SET crm_sync.mode = local;
SET ROLE regress_crm_ann;
UPDATE crm.organisation SET alias = 'Ann 2' WHERE id = :'one';
SET ROLE regress_crm_bob;
UPDATE crm.organisation SET alias = 'Bob 2' WHERE id = :'two';
RESET ROLE;
RESET crm_sync.mode;
SELECT FROM crm_sync.push('crm.organisation');
SELECT alias, changed_by FROM crm.organisation
    WHERE id IN (:'one', :'two') ORDER BY id;
TABLE crm.waiting;

-- What CDMS refused Ann stays hers: Bob's write of the object does not send it.
SET ROLE regress_crm_ann;
SET crm_sync.mode = local;
UPDATE crm.organisation SET sector = '00000000-0000-0000-0000-00000000dead' WHERE id = :'one';
RESET crm_sync.mode;
RESET ROLE;
SELECT FROM crm_sync.push('crm.organisation');
SELECT cdms.log_clear();
SET ROLE regress_crm_bob;
UPDATE crm.organisation SET city = 'Bob 3' WHERE id = :'one';
RESET ROLE;
TABLE crm.told;
TABLE crm.waiting;
SELECT FROM crm_sync.discard((SELECT id FROM crm_sync.failed));

-- An object that Ann has made and not yet sent: Bob's change of it needs it in
-- CDMS, so it is created first, as hers.
SET ROLE regress_crm_ann;
SET crm_sync.mode = local;
INSERT INTO crm.organisation (id, name) VALUES (:'new', 'Made by Ann');
RESET crm_sync.mode;
RESET ROLE;
SELECT cdms.log_clear();
SET ROLE regress_crm_bob;
UPDATE crm.organisation SET city = 'Bob 4' WHERE id = :'new';
RESET ROLE;
SELECT count(*) FROM crm.told WHERE log LIKE 'POST %-> 201';
SELECT count(*) FROM crm.told WHERE log LIKE '%-> 500';
SELECT name, city, created_by FROM crm.organisation WHERE id = :'new';
TABLE crm.waiting;

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
RESET client_min_messages;
DROP ROLE regress_crm_ann, regress_crm_bob;
