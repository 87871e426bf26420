--
-- What CDMS has and hides from whoever writes it, and a CDMS that says one thing of an
-- object and then the other: no request is repeated without end.
--
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
TRUNCATE crm_sync.history, crm_sync.outbox;
SELECT cdms.reset();
SELECT cdms.create_server($$ commit_timeout '10s' $$);
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.org (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.org');
\set one aaaaaaaa-0000-4000-8000-000000000001
\set two aaaaaaaa-0000-4000-8000-000000000002
CREATE VIEW crm.told AS SELECT regexp_replace(log, '[(?{].* ->', ' ->') FROM cdms.log() AS log;
CREATE VIEW crm.waiting AS SELECT operation, changed ->> 'name', parked FROM crm_sync.outbox ORDER BY id;

-- Hidden from him: CDMS's refusal stands, said once.
SELECT cdms.control('hide', 'Account', :'one');
SET crm_sync.mode = local;
INSERT INTO crm.org (id, name) VALUES (:'one', 'Mine');
RESET crm_sync.mode;
SELECT cdms.log_clear();
SELECT crm_sync.push('crm.org');
TABLE crm.told;
TABLE crm.waiting;
SELECT cdms.control('show', 'Account', :'one');
SELECT cdms.get('Account', :'one', 'Name');
-- Once it is shown, it is changed.
SELECT crm_sync.retry(id) FROM crm_sync.failed;
SELECT crm_sync.push('crm.org');
SELECT cdms.get('Account', :'one', 'Name');
TABLE crm.waiting;

-- There when it is created, not there when it is changed.
SELECT cdms.fault('do-before', '--verb', 'MERGE', '--forever', '--command', 'delete Account aaaaaaaa-0000-4000-8000-000000000002');
SELECT cdms.fault('do-before', '--verb', 'POST', '--forever', '--command',
    'create Account ''{"AccountId":"aaaaaaaa-0000-4000-8000-000000000002","Name":"His"}''');
SELECT cdms.control('delete', 'Account', :'two');
SET crm_sync.mode = local;
INSERT INTO crm.org (id, name) VALUES (:'two', 'Neither');
RESET crm_sync.mode;
SELECT cdms.log_clear();
SELECT crm_sync.push('crm.org');
TABLE crm.told;
TABLE crm.waiting;
SELECT cdms.fault('clear');

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
