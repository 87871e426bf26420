--
-- writes 'queue': COMMIT does not wait for CDMS.  What was written is pending until
-- crm_sync.push() sends it, or a background worker (test/tap/worker.pl).
--
\set SHOW_CONTEXT never
SELECT cdms.reset();
SELECT cdms.create_server();
TRUNCATE crm_sync.history, crm_sync.outbox;
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name'),
    city text OPTIONS (property 'optevia_TownCity')
) SERVER cdms OPTIONS (entity 'Account', writes 'queue');
SELECT crm_sync.create_store('crm.organisation');
CREATE VIEW crm.told AS SELECT log FROM cdms.log() WHERE log NOT LIKE 'GET%';
CREATE VIEW crm.waiting AS SELECT key, operation, changed, attempts FROM crm_sync.pending ORDER BY id;
\set one 11111111-0000-4000-8000-000000000001
\set two 11111111-0000-4000-8000-000000000002
\set wool aaaaaaaa-0000-4000-8000-000000000002

-- CDMS hears nothing at COMMIT, nor from a reader; both see what was written.
SELECT count(*) FROM crm.organisation WHERE id = :'wool';
SELECT cdms.log_clear();
BEGIN;
INSERT INTO crm.organisation (id, name, city) VALUES (:'one', 'One', 'Hull'), (:'two', 'Two', 'Hull');
UPDATE crm.organisation SET city = 'Ely' WHERE id = :'one';
UPDATE crm.organisation SET city = 'Ely' WHERE id = :'wool';
COMMIT;
TABLE crm.told;
TABLE crm.waiting;
SELECT name, city FROM crm.organisation WHERE id IN (:'one', :'two') ORDER BY name;
TABLE crm.told;

-- What waits is not overwritten by a read; other properties come from CDMS.
SELECT cdms.edit('Account', :'wool', '{"optevia_TownCity": "Bath", "Name": "Wool & Co"}');
SELECT name, city FROM crm.organisation WHERE id = :'wool';

-- CDMS is away: what is sent now goes on waiting.
\set VERBOSITY sqlstate
ALTER SERVER cdms OPTIONS (ADD request_timeout '300ms');
SELECT cdms.fault('hang', '--forever');
SELECT crm_sync.push('crm.organisation');
SELECT cdms.fault('clear');
ALTER SERVER cdms OPTIONS (DROP request_timeout);
\set VERBOSITY default
TABLE crm.waiting;

-- A change that CDMS refuses is parked, and holds up nobody else's.
SELECT cdms.log_clear();
SELECT cdms.fault('status', '--verb', 'POST', '--status', '400', '--body', 'no', '--skip', '0');
SELECT crm_sync.push('crm.organisation');
TABLE crm.told;
TABLE crm.waiting;
SELECT key, operation, attempts FROM crm_sync.failed ORDER BY id;
SELECT cdms.get('Account', :'wool', 'optevia_TownCity'), cdms.get('Account', :'wool', 'Name');

-- Somebody looks at it and tries again.
SELECT bool_and(crm_sync.retry(id)) FROM crm_sync.failed;
SELECT crm_sync.push('crm.organisation');
SELECT count(*) FROM crm_sync.outbox;
SELECT name, city FROM crm.organisation_store s WHERE id IN (:'one', :'two') ORDER BY name;
SELECT cdms.get('Account', :'one', 'optevia_TownCity'), cdms.get('Account', :'two', 'Name');

-- Changed and deleted before anything was sent: one request, or none.
SELECT cdms.log_clear();
UPDATE crm.organisation SET city = 'A' WHERE id = :'one';
UPDATE crm.organisation SET city = 'B' WHERE id = :'one';
INSERT INTO crm.organisation (id, name) VALUES ('11111111-0000-4000-8000-000000000003', 'Three');
DELETE FROM crm.organisation WHERE id = '11111111-0000-4000-8000-000000000003';
DELETE FROM crm.organisation WHERE id = :'two';
SELECT crm_sync.push('crm.organisation');
TABLE crm.told;
SELECT count(*) FROM crm_sync.outbox;

-- A PREPAREd transaction has nothing to push.
BEGIN;
UPDATE crm.organisation SET city = 'C' WHERE id = :'one';
PREPARE TRANSACTION 'queued';
COMMIT PREPARED 'queued';
TABLE crm.waiting;

-- Back to sync: the next write of the object takes along what waited.
ALTER FOREIGN TABLE crm.organisation OPTIONS (SET writes 'sync');
UPDATE crm.organisation SET name = 'Eins' WHERE id = :'one';
SELECT cdms.get('Account', :'one', 'Name'), cdms.get('Account', :'one', 'optevia_TownCity');
SELECT count(*) FROM crm_sync.outbox;

-- on_unavailable 'local': the store answers when CDMS can't be reached, and says so.
\set VERBOSITY sqlstate
ALTER SERVER cdms OPTIONS (ADD request_timeout '300ms');
SELECT cdms.fault('hang', '--forever');
SELECT name FROM crm.organisation WHERE id = :'one';
ALTER FOREIGN TABLE crm.organisation OPTIONS (ADD on_unavailable 'local');
SELECT name FROM crm.organisation WHERE id = :'one';
SELECT a.name, b.name FROM crm.organisation a JOIN crm.organisation b USING (id) WHERE a.id = :'one';
BEGIN READ ONLY;
SELECT name FROM crm.organisation WHERE id = :'one';
COMMIT;
SELECT last_error IS NOT NULL AS error_noted FROM crm_sync.status;

-- With writes queued the table can be used all the while.
ALTER FOREIGN TABLE crm.organisation OPTIONS (SET writes 'queue');
UPDATE crm.organisation SET city = 'Deal' WHERE id = :'one';
SELECT cdms.fault('clear');
ALTER SERVER cdms OPTIONS (DROP request_timeout);
SELECT crm_sync.push('crm.organisation');
SELECT cdms.get('Account', :'one', 'optevia_TownCity');

-- A refusal is no outage: it is an error.
SELECT cdms.fault('status', '--status', '400', '--body', 'no');
SELECT name FROM crm.organisation WHERE id = :'one';
SELECT cdms.fault('clear');

\set VERBOSITY default
SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
