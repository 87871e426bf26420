--
-- A column that is renamed while a change of it is pending: the change stays
-- protected from CDMS's values, and is sent.
--
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id    uuid OPTIONS (property 'AccountId') NOT NULL,
    alias text OPTIONS (property 'optevia_Alias'),
    city  text OPTIONS (property 'optevia_TownCity')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
\set oneil aaaaaaaa-0000-4000-8000-000000000001
SELECT city FROM crm.organisation WHERE id = :'oneil';

SET crm_sync.mode = local;
UPDATE crm.organisation SET city = 'Ours' WHERE id = :'oneil';
RESET crm_sync.mode;
ALTER FOREIGN TABLE crm.organisation RENAME COLUMN city TO town;
ALTER TABLE crm.organisation_store RENAME COLUMN city TO town;

SELECT cdms.edit('Account', :'oneil', '{"optevia_TownCity": "Theirs", "optevia_Alias": "theirs"}');
SELECT alias, town FROM crm.organisation WHERE id = :'oneil';

SELECT cdms.log_clear();
SELECT crm_sync.push('crm.organisation');
SELECT cdms.log('MERGE');
SELECT alias, town FROM crm.organisation WHERE id = :'oneil';
SELECT count(*) FROM crm_sync.pending;
SELECT count(*) FROM crm_sync.conflicts;

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
