--
-- A row of which a read has shown a newer version without storing it: whoever writes it
-- then gets it first, notes what he replaces, and puts that back should he fail.
--
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
TRUNCATE crm_sync.history, crm_sync.outbox;
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.org (
    id     uuid OPTIONS (property 'AccountId') NOT NULL,
    name   text OPTIONS (property 'Name'),
    sector uuid OPTIONS (property 'optevia_Sector', type 'EntityReference')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.org');
\set one aaaaaaaa-0000-4000-8000-000000000001
\set two aaaaaaaa-0000-4000-8000-000000000002
CREATE VIEW crm.told AS SELECT regexp_replace(log, '\?.* ->', ' ->') FROM cdms.log() AS log;
SELECT count(*) FROM crm.org WHERE id IN (:'one', :'two');

SELECT cdms.edit('Account', :'one', 'Name', 'Edited'::text);
BEGIN;
SAVEPOINT s;
SET TRANSACTION READ ONLY;
SELECT name FROM crm.org WHERE id = :'one';
RELEASE s;
SELECT cdms.log_clear();
UPDATE crm.org_store SET name = 'Mine' WHERE id = :'one';
COMMIT;
TABLE crm.told;
SELECT conflict FROM crm_sync.history WHERE conflict IS NOT NULL;
SELECT cdms.get('Account', :'one', 'Name');

SELECT cdms.edit('Account', :'one', 'Name', 'Edited again'::text);
BEGIN;
SAVEPOINT s;
SET TRANSACTION READ ONLY;
SELECT name FROM crm.org WHERE id = :'one';
RELEASE s;
UPDATE crm.org_store SET name = 'Mine, too' WHERE id = :'one';
UPDATE crm.org_store SET sector = '00000000-0000-0000-0000-00000000dead' WHERE id = :'two';
\set VERBOSITY terse
COMMIT;
\set VERBOSITY default
SELECT cdms.get('Account', :'one', 'Name');

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
