--
-- crm_sync.mode = local: the session leaves CDMS alone; what it writes is
-- pending until somebody sends it.
--
\set SHOW_CONTEXT never
SELECT cdms.reset();
TRUNCATE crm_sync.history, crm_sync.outbox;
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id       uuid OPTIONS (property 'AccountId') NOT NULL,
    name     text OPTIONS (property 'Name'),
    alias    text OPTIONS (property 'optevia_Alias'),
    city     text OPTIONS (property 'optevia_TownCity'),
    industry integer OPTIONS (property 'IndustryCode', type 'OptionSetValue')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
\set ada 11111111-0000-4000-8000-000000000001
\set mill 11111111-0000-4000-8000-000000000002
\set yard 11111111-0000-4000-8000-000000000003
\set oneil aaaaaaaa-0000-4000-8000-000000000001
\set wool aaaaaaaa-0000-4000-8000-000000000002
\set bold aaaaaaaa-0000-4000-8000-000000000004
SELECT name, city FROM crm.organisation WHERE id IN (:'oneil', :'wool', :'bold') ORDER BY id;
CREATE VIEW crm.told AS SELECT log FROM cdms.log() WHERE log NOT LIKE 'GET%';
SELECT cdms.log_clear();

-- Reads answer from the store, writes stay in it: CDMS hears nothing of either.
SET crm_sync.mode = local;
SELECT name FROM crm.organisation ORDER BY id;
INSERT INTO crm.organisation (id, name, city) VALUES (:'ada', 'Ada Ltd', 'Leeds');
UPDATE crm.organisation SET city = 'Ely' WHERE id = :'oneil' RETURNING city;
UPDATE crm.organisation SET city = 'Bath', alias = 'ours' WHERE id = :'oneil';
DELETE FROM crm.organisation WHERE id = :'wool';
SELECT name, city FROM crm.organisation ORDER BY id;
SELECT cdms.requests();

-- It is all pending, in the order it was written.
SELECT store, key, operation, changed, attempts, last_error FROM crm_sync.pending ORDER BY id;
SELECT foreign_table, pending, failed FROM crm_sync.status;
SELECT operation, origin, after ->> 'city' AS city FROM crm_sync.history WHERE origin = 'crm' ORDER BY id;

-- The functions that ask CDMS say that they can't.
SELECT crm_sync.pull('crm.organisation');
\echo :SQLSTATE
SELECT crm_sync.push('crm.organisation');
\echo :SQLSTATE
SELECT cdms.requests();

-- The next SELECT of a session that does talk to CDMS creates what is new; what
-- was changed or deleted waits for push().
RESET crm_sync.mode;
SELECT name FROM crm.organisation WHERE id = :'ada';
TABLE crm.told;
SELECT key, operation FROM crm_sync.pending ORDER BY id;

-- A pull leaves alone what is pending, and takes CDMS's changes to the rest.
SELECT cdms.edit('Account', :'oneil', '{"optevia_TownCity": "Hull", "IndustryCode": 7}');
SELECT cdms.edit('Account', :'wool', '{"optevia_TownCity": "Hull"}');
SELECT name, alias, city, industry FROM crm.organisation WHERE id IN (:'oneil', :'wool') ORDER BY id;
SELECT crm_sync.pull('crm.organisation') > 0 AS pulled;
SELECT name, alias, city, industry FROM crm.organisation_store WHERE id IN (:'oneil', :'wool') ORDER BY id;

-- push() sends it all, in order, at the end of its transaction; what it
-- overwrites in CDMS is a conflict like any.
SELECT cdms.log_clear();
BEGIN;
SELECT crm_sync.push('crm.organisation');
SELECT count(*) FROM crm.told;
COMMIT;
TABLE crm.told;
SELECT cdms.get('Account', :'oneil', 'optevia_TownCity');
SELECT operation, conflict FROM crm_sync.conflicts ORDER BY id;
SELECT count(*) FROM crm_sync.pending;
SELECT crm_sync.push('crm.organisation');

-- A synchronised write of an object with pending changes takes them along, in
-- one request.
SET crm_sync.mode = local;
UPDATE crm.organisation SET city = 'Deal' WHERE id = :'oneil';
INSERT INTO crm.organisation (id, name) VALUES (:'mill', 'Mill Ltd');
RESET crm_sync.mode;
SELECT cdms.log_clear();
UPDATE crm.organisation_store SET alias = 'both' WHERE id = :'oneil';
UPDATE crm.organisation_store SET alias = 'both' WHERE id = :'mill';
TABLE crm.told;
SELECT count(*) FROM crm_sync.pending;

-- Within one transaction as well, whatever the mode at its COMMIT.
SELECT cdms.log_clear();
BEGIN;
SET LOCAL crm_sync.mode = local;
UPDATE crm.organisation SET city = 'Here' WHERE id = :'oneil';
SET LOCAL crm_sync.mode = sync;
UPDATE crm.organisation_store SET city = 'Both' WHERE id = :'bold';
SET LOCAL crm_sync.mode = local;
COMMIT;
TABLE crm.told;
SELECT key, changed FROM crm_sync.pending ORDER BY id;
SELECT crm_sync.push('crm.organisation');

-- A pending creation that is deleted again before anybody sent it: CDMS never
-- hears of it.
SET crm_sync.mode = local;
INSERT INTO crm.organisation (id, name) VALUES (:'yard', 'Yard Ltd');
DELETE FROM crm.organisation WHERE id = :'yard';
RESET crm_sync.mode;
SELECT cdms.log_clear();
SELECT count(*) FROM crm.organisation WHERE id = :'yard';
SELECT crm_sync.push('crm.organisation');
TABLE crm.told;
SELECT count(*) FROM crm_sync.pending;

-- At most a hundred are created for one read, the oldest first; the next read
-- goes on.
SET crm_sync.mode = local;
INSERT INTO crm.organisation (id, name)
    SELECT format('33333333-0000-4000-8000-%s', lpad(n::text, 12, '0'))::uuid, 'Branch ' || n
    FROM generate_series(1, 120) n;
RESET crm_sync.mode;
SELECT cdms.log_clear();
SELECT name FROM crm.organisation WHERE id = :'oneil';
SELECT cdms.requests('POST');
SELECT key FROM crm_sync.pending ORDER BY id LIMIT 1;
SELECT name FROM crm.organisation WHERE id = :'oneil';
SELECT cdms.requests('POST');
SELECT count(*) FROM crm_sync.pending;

-- A reader that can't or need not write sends nothing.
SET crm_sync.mode = local;
INSERT INTO crm.organisation (id, name) VALUES (:'yard', 'Yard Ltd');
RESET crm_sync.mode;
SELECT cdms.log_clear();
BEGIN READ ONLY;
SELECT name FROM crm.organisation WHERE id = :'yard';
COMMIT;
BEGIN;
SELECT name FROM crm.organisation WHERE id = :'yard';
ROLLBACK;
TABLE crm.told;
SELECT name FROM crm.organisation WHERE id = :'yard';
TABLE crm.told;

-- CDMS refuses: a WARNING, the read gets its rows, and the change is parked with
-- the reason.  The others are sent.
SET crm_sync.mode = local;
INSERT INTO crm.organisation (id, name, industry) VALUES
    ('11111111-0000-4000-8000-000000000004', 'Refused Ltd', 99),
    ('11111111-0000-4000-8000-000000000005', 'Taken Ltd', 3);
RESET crm_sync.mode;
SELECT cdms.log_clear();
SELECT name FROM crm.organisation WHERE name IN ('Refused Ltd', 'Taken Ltd') ORDER BY name;
SELECT split_part(log, ' ', 1) AS verb, right(log, 3) AS status FROM crm.told;
SELECT key, operation, changed, attempts, last_error FROM crm_sync.failed;
SELECT count(*) FROM crm_sync.pending;
SELECT pending, failed FROM crm_sync.status;

-- Parked means left alone: no read and no push() sends it, no pull touches it.
SELECT cdms.log_clear();
SELECT name FROM crm.organisation WHERE name = 'Refused Ltd';
SELECT crm_sync.push('crm.organisation');
TABLE crm.told;

-- retry() makes it pending again; only who owns the table may decide.
SELECT id AS parked FROM crm_sync.failed \gset
CREATE ROLE crm_reader;
GRANT USAGE ON SCHEMA crm TO crm_reader;
GRANT SELECT ON crm.organisation TO crm_reader;
SET ROLE crm_reader;
SELECT crm_sync.retry(:parked);
\echo :SQLSTATE
SELECT crm_sync.discard(:parked);
\echo :SQLSTATE
SELECT crm_sync.push('crm.organisation');
\echo :SQLSTATE
RESET ROLE;
SELECT crm_sync.retry(:parked);
SELECT count(*) FILTER (WHERE key = '11111111-0000-4000-8000-000000000004') AS pending FROM crm_sync.pending;
SELECT crm_sync.retry(:parked) AS again, crm_sync.retry(-1) AS unknown;

-- Tried again it is refused again ...
SELECT crm_sync.push('crm.organisation');
SELECT attempts FROM crm_sync.failed;

-- ... until the reason is gone: CDMS has got the option.
SELECT cdms.switch('option-values', 'accept');
SELECT crm_sync.retry(:parked), crm_sync.push('crm.organisation');
SELECT cdms.get('Account', '11111111-0000-4000-8000-000000000004', 'IndustryCode');
SELECT count(*) FROM crm_sync.failed;
SELECT cdms.switch('option-values', 'refuse');

-- discard() drops a change: the store keeps it until CDMS's next change comes in.
SET crm_sync.mode = local;
UPDATE crm.organisation SET industry = 99, alias = 'discarded' WHERE id = :'bold';
RESET crm_sync.mode;
SELECT crm_sync.push('crm.organisation');
SELECT key, operation, changed FROM crm_sync.failed;
SELECT crm_sync.discard(id) FROM crm_sync.failed;
SELECT count(*) FROM crm_sync.failed;
SELECT alias, industry FROM crm.organisation_store WHERE id = :'bold';
SELECT cdms.log_clear();
SELECT alias, industry FROM crm.organisation WHERE id = :'bold';
TABLE crm.told;

-- A pending change can be discarded as well.
SET crm_sync.mode = local;
DELETE FROM crm.organisation WHERE id = :'bold';
RESET crm_sync.mode;
SELECT crm_sync.discard(id) FROM crm_sync.pending;
SELECT count(*) FROM crm.organisation WHERE id = :'bold';

-- In a push of several, those before a refused one and those after it are sent.
SET crm_sync.mode = local;
UPDATE crm.organisation SET alias = 'first' WHERE id = :'oneil';
UPDATE crm.organisation SET industry = 99 WHERE id = :'bold';
UPDATE crm.organisation SET alias = 'third' WHERE id = :'ada';
RESET crm_sync.mode;
SELECT cdms.log_clear();
SELECT crm_sync.push('crm.organisation');
TABLE crm.told;
SELECT key FROM crm_sync.failed;
SELECT crm_sync.discard(id) FROM crm_sync.failed;

-- A push rolled back has sent nothing.
SET crm_sync.mode = local;
UPDATE crm.organisation SET alias = 'later' WHERE id = :'oneil';
RESET crm_sync.mode;
SELECT cdms.log_clear();
BEGIN;
SELECT crm_sync.push('crm.organisation');
ROLLBACK;
TABLE crm.told;
SELECT changed FROM crm_sync.pending;

-- The mode is sync or local; any other value is an ERROR ...
SET crm_sync.mode = off;
\echo :SQLSTATE
SHOW crm_sync.mode;
SET crm_sync.mode = 'LOCAL';
SHOW crm_sync.mode;

-- ... also when it was set before the library was loaded: nothing works then
-- that might have sent something.
\c
SET crm_sync.mode = loca;
UPDATE crm.organisation SET alias = 'never' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
\echo :SQLSTATE
UPDATE crm.organisation_store SET alias = 'never' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
\echo :SQLSTATE
SELECT name FROM crm.organisation;
\echo :SQLSTATE
SET crm_sync.mode = local;
SELECT alias FROM crm.organisation WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';

-- A good value set early counts from the first statement.
\c
SET crm_sync.mode = local;
UPDATE crm.organisation_store SET city = 'Hove' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
TABLE crm.told;
SELECT changed FROM crm_sync.pending ORDER BY id;

-- So it does from a connection's options or as the default of a database; a bad
-- one there lets nothing through either.
\set early 'dbname=' :DBNAME ' options=-ccrm_sync.mode=local'
\c -reuse-previous=on :early
UPDATE crm.organisation SET city = 'Bath' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
SHOW crm_sync.mode;
\set early 'dbname=' :DBNAME ' options=-ccrm_sync.mode=loca'
\c -reuse-previous=on :early
UPDATE crm.organisation_store SET city = 'Never' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
\echo :SQLSTATE
\set early 'dbname=' :DBNAME ' options='
\c -reuse-previous=on :early
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET crm_sync.mode = local', current_database()); END $$;
\c
UPDATE crm.organisation SET city = 'Deal' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
SHOW crm_sync.mode;
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET crm_sync.mode', current_database()); END $$;
\c
TABLE crm.told;
SELECT changed FROM crm_sync.pending ORDER BY id;

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
DROP ROLE crm_reader;
TRUNCATE crm_sync.history, crm_sync.outbox;
