--
-- Rows of the store that CDMS has not: what a read that notices does is said by
-- the option on_missing.
--
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA missing;
CREATE FOREIGN TABLE missing.org (
    id      uuid OPTIONS (property 'AccountId') NOT NULL,
    name    text OPTIONS (property 'Name'),
    city    text OPTIONS (property 'optevia_TownCity'),
    note    text
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('missing.org');
SELECT name, city FROM missing.org WHERE name IN ('NULL', '\N', '100%_ Wool', 'Deactivated Ltd') ORDER BY name COLLATE "C";
-- A column of the CRM's own: CDMS hears nothing.
UPDATE missing.org_store SET note = 'keep me';
SELECT cdms.log_clear();

-- create, the default: a read by key finds it missing, answers with the row, and
-- creates it in CDMS again at COMMIT.
SELECT cdms.delete('Account', 'aaaaaaaa-0000-4000-8000-000000000024');
SELECT name, note FROM missing.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000024';
SELECT cdms.log();
SELECT cdms.get('Account', 'aaaaaaaa-0000-4000-8000-000000000024', 'Name');
-- ROLLBACK: it is not created.
SELECT cdms.delete('Account', 'aaaaaaaa-0000-4000-8000-000000000024');
SELECT cdms.log_clear();
BEGIN;
SELECT name FROM missing.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000024';
ROLLBACK;
SELECT cdms.log();
-- READ ONLY, and crm_sync.mode local: the answer has the row, CDMS gets nothing.
SELECT cdms.log_clear();
BEGIN READ ONLY;
SELECT name FROM missing.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000024';
COMMIT;
SET crm_sync.mode = local;
SELECT name FROM missing.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000024';
RESET crm_sync.mode;
SELECT cdms.log();
-- A read by a condition notices it too, as the store has a row that matches.
SELECT cdms.log_clear();
SELECT name FROM missing.org WHERE name IN ('NULL', '\N') ORDER BY name COLLATE "C";
SELECT regexp_replace(log, '[$]select=[^&]*', '$select=...') FROM cdms.log() AS log;

-- ignore: the row is answered, nothing else.
ALTER FOREIGN TABLE missing.org OPTIONS (ADD on_missing 'ignore');
SELECT cdms.delete('Account', 'aaaaaaaa-0000-4000-8000-000000000025');
SELECT cdms.log_clear();
SELECT name, note FROM missing.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000025';
SELECT count(*) FROM missing.org WHERE name = '\N';
SELECT count(*) FROM cdms.log('POST');
SELECT name FROM missing.org_store WHERE id = 'aaaaaaaa-0000-4000-8000-000000000025';

-- delete: the row goes, with a version in history.
ALTER FOREIGN TABLE missing.org OPTIONS (SET on_missing 'delete');
BEGIN;
SELECT count(*) FROM missing.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000025';
ROLLBACK;
SELECT count(*) FROM missing.org_store WHERE id = 'aaaaaaaa-0000-4000-8000-000000000025';
SELECT count(*) FROM missing.org WHERE name = '\N';
SELECT count(*) FROM missing.org_store WHERE id = 'aaaaaaaa-0000-4000-8000-000000000025';
SELECT operation, origin, before ->> 'name' AS before, before ->> 'note' AS note, after FROM crm_sync.history
    WHERE store = 'missing.org_store'::regclass AND key = 'aaaaaaaa-0000-4000-8000-000000000025' ORDER BY id DESC LIMIT 1;
SELECT count(*) FROM cdms.log() AS log WHERE log !~ '^GET';
-- A whole read notices all that is gone.
SELECT cdms.delete('Account', 'aaaaaaaa-0000-4000-8000-000000000002');
SELECT cdms.delete('Account', 'aaaaaaaa-0000-4000-8000-000000000023');
SELECT count(*) FROM missing.org WHERE note = 'keep me';
SELECT count(*) FROM missing.org_store WHERE note = 'keep me';

-- What is pending is not missing: written here and not sent yet, it stays.
SET crm_sync.mode = local;
INSERT INTO missing.org (id, name) VALUES ('eeeeeeee-0000-4000-8000-000000000001', 'Pending Ltd');
RESET crm_sync.mode;
ALTER FOREIGN TABLE missing.org OPTIONS (SET on_missing 'ignore');
SELECT cdms.log_clear();
BEGIN;
SELECT name FROM missing.org WHERE id = 'eeeeeeee-0000-4000-8000-000000000001';
ROLLBACK;
SELECT count(*) FROM cdms.log('POST');

-- updatable false: nothing but GETs leave.
ALTER FOREIGN TABLE missing.org OPTIONS (SET on_missing 'create', ADD updatable 'false');
SELECT cdms.log_clear();
SELECT name FROM missing.org WHERE id = 'eeeeeeee-0000-4000-8000-000000000001';
SELECT cdms.delete('Account', 'aaaaaaaa-0000-4000-8000-000000000024');
SELECT name FROM missing.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000024';
SELECT count(*) FROM cdms.log() AS log WHERE log !~ '^GET';

-- Somebody puts it back before the creation arrives: CDMS refuses to create it
-- twice, and the version there stands, with his name.
ALTER FOREIGN TABLE missing.org OPTIONS (DROP updatable);
SELECT name FROM missing.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000027';
SELECT cdms.delete('Account', 'aaaaaaaa-0000-4000-8000-000000000027');
SELECT cdms.fault('do-before', '--verb', 'POST', '--command',
                  'create Account aaaaaaaa-0000-4000-8000-000000000027 ''{"Name":"Put Back GmbH"}''');
SELECT cdms.log_clear();
SELECT name FROM missing.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000027';
SELECT regexp_replace(log, '[$]select=[^&]*', '$select=...') FROM cdms.log() AS log;
SELECT cdms.get('Account', 'aaaaaaaa-0000-4000-8000-000000000027', 'Name');
SELECT name FROM missing.org_store WHERE id = 'aaaaaaaa-0000-4000-8000-000000000027';
-- The same with one that this login may not see: it is not missing, but hidden.
SELECT cdms.control('hide', 'Account', 'aaaaaaaa-0000-4000-8000-000000000027');
SELECT name FROM missing.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000027';
SELECT cdms.log('MERGE');
SELECT count(*) FROM crm_sync.failed WHERE store = 'missing.org_store'::regclass;

SET client_min_messages = warning;
DROP SCHEMA missing CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
