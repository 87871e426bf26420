--
-- An object that was inserted, deleted and inserted again while nothing was sent
-- is created once by the read that finds it waiting.
--
SET client_min_messages = warning;
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
TRUNCATE crm_sync.history, crm_sync.outbox;
\set nine 00000000-0000-4000-8000-000000000009

SET crm_sync.mode = local;
INSERT INTO crm.organisation VALUES (:'nine', 'Nine');
DELETE FROM crm.organisation WHERE id = :'nine';
INSERT INTO crm.organisation VALUES (:'nine', 'Nine again');
SELECT operation FROM crm_sync.pending ORDER BY id;
RESET crm_sync.mode;
SELECT cdms.log_clear();
SELECT name FROM crm.organisation WHERE id = 'aaaaaaaa-0000-4000-8000-000000000003';
SELECT cdms.log('POST');
SELECT count(*) FROM crm_sync.pending;
SELECT name FROM crm.organisation WHERE id = :'nine';

DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
RESET client_min_messages;
