--
-- A synchronised table asks CDMS, writes what changed there to its store, and
-- answers from the store; history keeps what was there before.
--
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA reading;
CREATE FOREIGN TABLE reading.org (
    id          uuid OPTIONS (property 'AccountId') NOT NULL,
    name        text OPTIONS (property 'Name'),
    city        text OPTIONS (property 'optevia_TownCity'),
    phone       text OPTIONS (property 'optevia_TelephoneNumber'),
    modified_by text OPTIONS (property 'ModifiedBy/Name')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('reading.org');

-- History in short: what a row was and what it became.
CREATE VIEW reading.history AS
    SELECT operation, origin, actor, before ->> 'name' AS name_before, before ->> 'phone' AS phone_before,
           after ->> 'name' AS name_after, after ->> 'phone' AS phone_after
    FROM crm_sync.history WHERE store = 'reading.org_store'::regclass ORDER BY id;

-- The store is empty; what is asked for comes from CDMS, and stays.
SELECT count(*) FROM reading.org_store;
SELECT name, city, phone FROM reading.org WHERE name LIKE 'O''Neil%';
SELECT name, city, phone FROM reading.org_store;

-- Somebody edits it in CDMS: the next SELECT returns the edit; history has the
-- old version, and who it was.
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000001',
                 '{"optevia_TelephoneNumber": "496 0111",
                   "ModifiedBy": {"Id": "5784bd4a-0000-4000-8000-000000000003", "LogicalName": "systemuser"}}');
SELECT name, city, phone FROM reading.org WHERE name LIKE 'O''Neil%';
SELECT * FROM reading.history;

-- Nothing changed: nothing is written, not even in a transaction of its own.
SELECT cdms.log_clear();
BEGIN;
SELECT phone FROM reading.org WHERE name LIKE 'O''Neil%';
SELECT pg_current_xact_id_if_assigned() IS NULL AS wrote_nothing;
COMMIT;
SELECT cdms.log();
SELECT count(*) FROM reading.history;

-- Renamed there, it matches the condition no more: it was asked for by key, as
-- the store still had it, and is not in the answer.
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000001', 'Name', 'Oneill & Sons');
SELECT cdms.log_clear();
SELECT name FROM reading.org WHERE name LIKE 'O''Neil%';
SELECT cdms.log();
SELECT name FROM reading.org WHERE name = 'Oneill & Sons';
-- The other way round: it begins to match.
SELECT name FROM reading.org WHERE city = 'King''s Lynn' AND phone = '496 0222';
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000001', 'optevia_TelephoneNumber', '496 0222'::text);
SELECT name FROM reading.org WHERE city = 'King''s Lynn' AND phone = '496 0222';

-- New objects appear.
SELECT cdms.create('Account', 'eeeeeeee-0000-4000-8000-000000000001', '{"Name": "O''Neil Newcomers", "optevia_TownCity": "Leeds"}');
SELECT name, city FROM reading.org WHERE name LIKE 'O''Neil%';

-- A value that becomes null, one that becomes the empty string.
SELECT cdms.edit('Account', 'eeeeeeee-0000-4000-8000-000000000001', '{"optevia_TownCity": null, "optevia_TelephoneNumber": ""}');
SELECT city IS NULL AS no_city, phone = '' AS empty_phone FROM reading.org WHERE name LIKE 'O''Neil%';

-- By key: only the key is asked for, whatever else is to be checked.
SELECT cdms.log_clear();
SELECT name FROM reading.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000002';
SELECT name FROM reading.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000003' AND name = 'x' AND lower(city) = 'y';
SELECT name FROM reading.org WHERE id = 'ffffffff-0000-4000-8000-000000000009';
SELECT cdms.log();
-- 60 keys: 25 of them to a request, each key once.
SELECT cdms.log_clear();
DO $$
DECLARE
    keys uuid[] := (
        SELECT array_agg(format('aaaaaaaa-0000-4000-8000-%s', lpad(((g - 1) % 60 + 1)::text, 12, '0'))::uuid)
        FROM generate_series(1, 70) g);
    found integer;
BEGIN
    EXECUTE format('SELECT count(*) FROM reading.org WHERE id IN (%s)',
                   (SELECT string_agg(quote_literal(key), ', ') FROM unnest(keys) key)) INTO found;
    RAISE NOTICE '% found', found;
END $$;
SELECT regexp_count(log, 'AccountId eq') AS keys, length(log) < 2000 AS short FROM cdms.log() AS log;
SELECT cdms.requests();

-- The whole entity: page by page, each object once.  What the store has is asked
-- for with it, and that only.
SELECT cdms.log_clear();
SELECT count(*), count(DISTINCT id) FROM reading.org;
SELECT count(*) AS requests, count(*) FILTER (WHERE log LIKE '%$filter%') AS filtered FROM cdms.log() AS log;
SELECT count(*) FROM reading.org_store;
SELECT count(*) FROM reading.history WHERE operation = 'insert';
-- The same rows as in its store, as another table's, and in a join with that.
SELECT count(*) FROM (TABLE reading.org EXCEPT TABLE reading.org_store) AS difference;
SELECT count(*) FROM reading.org o JOIN reading.org_store s USING (id, name)
    WHERE o IS NOT DISTINCT FROM s::text::reading.org;

-- A page is never half an answer: what fails leaves nothing behind.
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000002', 'Name', '101%_ Wool');
SELECT cdms.fault('status', '--verb', 'GET', '--path', 'skiptoken', '--status', '500', '--forever');
\set VERBOSITY sqlstate
SELECT count(*) FROM reading.org;
\set VERBOSITY default
SELECT last_error IS NOT NULL AS said FROM crm_sync.status WHERE foreign_table = 'reading.org'::regclass;
SELECT name FROM reading.org_store WHERE id = 'aaaaaaaa-0000-4000-8000-000000000002';
SELECT cdms.fault('clear');

-- ROLLBACK takes back what a read stored, a savepoint too; the next read has it.
BEGIN;
SELECT name FROM reading.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000002';
ROLLBACK;
SELECT name FROM reading.org_store WHERE id = 'aaaaaaaa-0000-4000-8000-000000000002';
BEGIN;
SAVEPOINT before;
SELECT name FROM reading.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000002';
ROLLBACK TO before;
SELECT name FROM reading.org_store WHERE id = 'aaaaaaaa-0000-4000-8000-000000000002';
SELECT name FROM reading.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000002';
COMMIT;
SELECT name FROM reading.org_store WHERE id = 'aaaaaaaa-0000-4000-8000-000000000002';

-- A failed read within a subtransaction does not harm the transaction.
BEGIN;
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000002', 'Name', '102%_ Wool');
SAVEPOINT before;
SELECT name, 1 / (length(phone) - length(phone)) FROM reading.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000002';
ROLLBACK TO before;
SELECT name FROM reading.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000002';
COMMIT;

-- pull: the whole entity, and how many objects were written.
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000003', 'Name', 'Third');
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000004', 'Name', 'Fourth');
SELECT crm_sync.pull('reading.org');
SELECT crm_sync.pull('reading.org');
SELECT name FROM reading.org_store WHERE name IN ('Third', 'Fourth') ORDER BY name;

-- Nothing of all this was written to CDMS.
SELECT count(*) FROM crm_sync.pending WHERE store = 'reading.org_store'::regclass;
SELECT entity, store, pending, failed, last_pull IS NOT NULL AS pulled, last_error FROM crm_sync.status
    WHERE foreign_table = 'reading.org'::regclass;
SELECT cdms.requests('POST') + cdms.requests('MERGE') + cdms.requests('DELETE') AS writes;

SET client_min_messages = warning;
DROP SCHEMA reading CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
