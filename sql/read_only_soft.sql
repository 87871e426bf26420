--
-- A read sends what others have left to be created.  Where the transaction may not
-- write, or is prepared, it sends nothing, and does not fail.
--
\set SHOW_CONTEXT never
TRUNCATE crm_sync.history, crm_sync.outbox;
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name'),
    city text OPTIONS (property 'optevia_TownCity')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
\set one aaaaaaaa-0000-4000-8000-000000000001
\set new 11111111-0000-4000-8000-000000000001
CREATE VIEW crm.told AS SELECT log FROM cdms.log() WHERE log NOT LIKE 'GET%';
SELECT name FROM crm.organisation WHERE id = :'one';
SET crm_sync.mode = local;
INSERT INTO crm.organisation (id, name) VALUES (:'new', 'New');
RESET crm_sync.mode;
SELECT cdms.log_clear();

-- READ ONLY from the beginning: the row is seen, and waits.
BEGIN READ ONLY;
SELECT name FROM crm.organisation WHERE name LIKE 'New%';
COMMIT;
TABLE crm.told;
-- READ ONLY from the second statement on.
BEGIN;
SELECT name FROM crm.organisation WHERE name LIKE 'New%';
SET TRANSACTION READ ONLY;
SELECT name FROM crm.organisation WHERE name LIKE 'New%';
COMMIT;
TABLE crm.told;
SELECT operation FROM crm_sync.pending;

-- Nor does PREPARE TRANSACTION, where the cluster has it.
SELECT current_setting('max_prepared_transactions') <> '0' AS can_prepare \gset
BEGIN;
SELECT name FROM crm.organisation WHERE name LIKE 'New%';
\if :can_prepare
PREPARE TRANSACTION 'reader';
COMMIT PREPARED 'reader';
\else
ROLLBACK;
\endif
TABLE crm.told;
SELECT operation FROM crm_sync.pending;

-- An ordinary read sends it.
SELECT name FROM crm.organisation WHERE name LIKE 'New%';
TABLE crm.told;
SELECT operation FROM crm_sync.pending;

DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
