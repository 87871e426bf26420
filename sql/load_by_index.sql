--
-- What a load looks for as it goes on it finds by index, though all was empty
-- when the statements were planned: a page costs the same however many came
-- before it.
--
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
TRUNCATE crm_sync.history, crm_sync.outbox;

-- Rows that a scan from end to end came by: once for each pull at most, where it
-- looks for rows that the answer lacked, and not once for each of ten pages.
CREATE VIEW crm.scans AS
    SELECT relname, seq_tup_read <= 2 * 501 AS no_more_than_once FROM pg_stat_xact_all_tables
    WHERE relid IN ('crm.organisation_store'::regclass, 'crm_sync.history'::regclass, 'crm_sync.outbox'::regclass)
    ORDER BY relname COLLATE "C";
BEGIN;
SELECT crm_sync.pull('crm.organisation');
TABLE crm.scans;

-- Nothing changed: the same.
SELECT crm_sync.pull('crm.organisation');
TABLE crm.scans;
COMMIT;

DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
