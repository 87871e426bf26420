--
-- A store that was renamed, dropped or given away, and is back, is found again in
-- the same session, with nothing else to be done.
--
\set SHOW_CONTEXT never
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
\set one aaaaaaaa-0000-4000-8000-000000000001
SELECT name FROM crm.organisation WHERE id = :'one';

-- Renamed: nothing is asked, the error names the store.
SELECT cdms.log_clear();
ALTER TABLE crm.organisation_store RENAME TO elsewhere;
SELECT name FROM crm.organisation WHERE id = :'one';
SELECT cdms.requests();
-- Renamed back: read and written as before.
ALTER TABLE crm.elsewhere RENAME TO organisation_store;
SELECT name FROM crm.organisation WHERE id = :'one';
UPDATE crm.organisation_store SET name = 'Back' WHERE id = :'one';
SELECT * FROM cdms.log('MERGE');

-- The same for another schema, and one that is renamed.
CREATE SCHEMA attic;
ALTER TABLE crm.organisation_store SET SCHEMA attic;
SELECT name FROM crm.organisation WHERE id = :'one';
ALTER TABLE attic.organisation_store SET SCHEMA crm;
SELECT name FROM crm.organisation WHERE id = :'one';
ALTER TABLE crm.organisation_store SET SCHEMA attic;
ALTER FOREIGN TABLE crm.organisation OPTIONS (SET store 'attic.organisation_store');
SELECT name FROM crm.organisation WHERE id = :'one';
ALTER SCHEMA attic RENAME TO loft;
SELECT name FROM crm.organisation WHERE id = :'one';
ALTER SCHEMA loft RENAME TO attic;
SELECT name FROM crm.organisation WHERE id = :'one';

-- The same for an owner.
CREATE ROLE regress_crm_heir;
ALTER TABLE attic.organisation_store OWNER TO regress_crm_heir;
SELECT name FROM crm.organisation WHERE id = :'one';
ALTER TABLE attic.organisation_store OWNER TO CURRENT_USER;
SELECT name FROM crm.organisation WHERE id = :'one';

-- And for a name that came back by a ROLLBACK.
BEGIN;
ALTER TABLE attic.organisation_store RENAME TO elsewhere;
SAVEPOINT s;
SELECT name FROM crm.organisation WHERE id = :'one';
ROLLBACK;
UPDATE attic.organisation_store SET name = 'Still back' WHERE id = :'one';
SELECT * FROM cdms.log('MERGE');

DROP SCHEMA attic, crm CASCADE;
DROP SERVER cdms CASCADE;
DROP ROLE regress_crm_heir;
