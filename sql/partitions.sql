--
-- Synchronised tables as partitions, whose columns stand in different places; and a
-- change that waits for a role that is gone.
--
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
TRUNCATE crm_sync.history, crm_sync.outbox;
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE TABLE crm.party (kind text, id uuid, name text) PARTITION BY LIST (kind);
CREATE FOREIGN TABLE crm.org (
    id   uuid OPTIONS (property 'AccountId'),
    name text OPTIONS (property 'Name'),
    kind text OPTIONS (property 'Telephone1', constant 'org')
) SERVER cdms OPTIONS (entity 'Account');
CREATE FOREIGN TABLE crm.person (
    kind text OPTIONS (property 'Telephone1', constant 'person'),
    name text OPTIONS (property 'LastName'),
    id   uuid OPTIONS (property 'ContactId')
) SERVER cdms OPTIONS (entity 'Contact');
SELECT crm_sync.create_store('crm.org'), crm_sync.create_store('crm.person');
ALTER TABLE crm.party ATTACH PARTITION crm.org FOR VALUES IN ('org');
ALTER TABLE crm.party ATTACH PARTITION crm.person FOR VALUES IN ('person');
INSERT INTO crm.party VALUES ('org', '11111111-0000-4000-8000-000000000001', 'An org'),
                             ('person', '11111111-0000-4000-8000-000000000002', 'A person');
SELECT cdms.log_clear();
UPDATE crm.party SET name = name || ', changed' WHERE id IN
    ('11111111-0000-4000-8000-000000000001', '11111111-0000-4000-8000-000000000002');
SELECT cdms.log('MERGE');
DELETE FROM crm.party WHERE id IN
    ('11111111-0000-4000-8000-000000000001', '11111111-0000-4000-8000-000000000002');
SELECT cdms.log('DELETE');

-- Nobody's login stands in for that of a role that was dropped.
CREATE ROLE regress_crm_gone;
GRANT USAGE ON SCHEMA crm TO regress_crm_gone;
GRANT INSERT ON crm.org TO regress_crm_gone;
CREATE USER MAPPING FOR PUBLIC SERVER cdms OPTIONS (password_required 'false');
SET crm_sync.mode = local;
SET ROLE regress_crm_gone;
INSERT INTO crm.org (id, name, kind) VALUES ('11111111-0000-4000-8000-000000000003', 'His', 'org');
RESET ROLE;
RESET crm_sync.mode;
DROP OWNED BY regress_crm_gone;
DROP ROLE regress_crm_gone;
SELECT cdms.log_clear();
SET client_min_messages = error;
SELECT FROM crm_sync.push('crm.org');
RESET client_min_messages;
SELECT cdms.log();
SELECT regexp_replace(last_error, '\d+', 'N') FROM crm_sync.failed;

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
