--
-- EXPLAIN says what CDMS is asked and, with ANALYZE, in how many requests, how many
-- objects came, and what of it was stored; then what runs in the store.
--
SELECT cdms.reset();
SELECT cdms.clock('set', '2026-03-01T12:00:00Z') IS NOT NULL AS clock_stands;
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.org (
    id          uuid OPTIONS (property 'AccountId') NOT NULL,
    name        text OPTIONS (property 'Name'),
    town        text OPTIONS (property 'optevia_TownCity'),
    modified_on timestamptz OPTIONS (property 'ModifiedOn')
) SERVER cdms OPTIONS (entity 'Account');
CREATE FOREIGN TABLE crm.contact (
    id          uuid OPTIONS (property 'ContactId') NOT NULL,
    name        text OPTIONS (property 'FullName'),
    org         uuid OPTIONS (property 'ParentCustomerId', type 'EntityReference'),
    modified_on timestamptz OPTIONS (property 'ModifiedOn')
) SERVER cdms OPTIONS (entity 'Contact');
CREATE FOREIGN TABLE crm.passthrough (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.org'), crm_sync.create_store('crm.contact');
CREATE INDEX ON crm.contact_store (org);
CREATE INDEX ON crm.org_store (name COLLATE "C");
\set oneil '\'aaaaaaaa-0000-4000-8000-000000000001\''
\set analyze 'EXPLAIN (ANALYZE, VERBOSE, COSTS OFF, TIMING OFF, SUMMARY OFF)'
SET enable_indexonlyscan = off;

-- By key, and by a filter, before the table was loaded.
:analyze SELECT name FROM crm.org WHERE id = :oneil;
:analyze SELECT name, town FROM crm.org WHERE name LIKE 'O''Neil%' AND length(town) > 1;

-- Without conditions the table is loaded whole.
SET enable_indexscan = off;
SET enable_bitmapscan = off;
:analyze SELECT id, name FROM crm.org;
RESET enable_indexscan;
RESET enable_bitmapscan;
SELECT crm_sync.pull('crm.contact');
ANALYZE crm.org_store, crm.contact_store;

-- Complete: by key, by a condition that is not sent any more, in order.
:analyze SELECT name FROM crm.org WHERE id = :oneil;
:analyze SELECT id, town FROM crm.org WHERE town = 'Nowhere';
:analyze SELECT name FROM crm.org ORDER BY name COLLATE "C" LIMIT 3;

-- What changed there is stored first.
SELECT cdms.edit('Account', :oneil, 'Name', '!');
:analyze SELECT name FROM crm.org ORDER BY name COLLATE "C" LIMIT 1;

-- Joins, semi-joins, aggregates; a table that is scanned twice is asked once.
:analyze SELECT o.name, c.name FROM crm.org o JOIN crm.contact c ON c.org = o.id WHERE o.id = :oneil;
:analyze SELECT a.name FROM crm.org a WHERE id = :oneil AND EXISTS (SELECT FROM crm.org b WHERE b.name = a.name COLLATE "C" AND b.id <> a.id);
:analyze SELECT count(*) FROM crm.contact;
EXPLAIN (VERBOSE, COSTS OFF) SELECT town, count(*) FROM crm.org WHERE town > 'Y' COLLATE "C" GROUP BY town;
SET plan_cache_mode = force_generic_plan;
PREPARE by_key (uuid) AS SELECT town FROM crm.org WHERE id = $1;
EXPLAIN (COSTS OFF) EXECUTE by_key (:oneil);
EXPLAIN (COSTS OFF) EXECUTE by_key (NULL);
RESET plan_cache_mode;

-- In crm_sync.mode local.
SET crm_sync.mode = local;
:analyze SELECT name FROM crm.org WHERE id = :oneil;
RESET crm_sync.mode;

-- Asked before, in the same transaction.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM crm.contact;
:analyze SELECT count(*) FROM crm.contact;
COMMIT;

-- Within max_age.
ALTER SERVER cdms OPTIONS (ADD max_age '1h');
SELECT count(*) FROM crm.org;
CREATE FUNCTION crm.explain(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (ANALYZE, VERBOSE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
        RETURN NEXT regexp_replace(line, 'within max_age \(.*\)', 'within max_age (...)');
    END LOOP;
END $$;
SELECT crm.explain($$ SELECT count(*) FROM crm.org $$);
ALTER SERVER cdms OPTIONS (DROP max_age);

-- Overlaid: the plan that ran is the one with foreign scans.
BEGIN READ ONLY;
SELECT cdms.edit('Account', :oneil, 'Name', '!!');
:analyze SELECT c.name FROM crm.org o JOIN crm.contact c ON c.org = o.id WHERE o.name = '!!';
:analyze SELECT count(*) FROM crm.org;
COMMIT;

-- What is never planned over a store: rows to be locked, pass-through tables.
:analyze SELECT name FROM crm.org WHERE id = :oneil FOR UPDATE;
:analyze SELECT name FROM crm.passthrough WHERE id = :oneil;

-- For programs.
CREATE FUNCTION crm.explain_json(query text) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, FORMAT JSON) ' || query INTO plan;
    RETURN plan -> 0 -> 'Plan';
END $$;
SELECT jsonb_pretty(plan::jsonb -> 'Synchronised Tables') AS asked, plan -> 'Custom Plan Provider' AS provider,
       plan -> 'Plans' -> 0 -> 'Node Type' AS below
FROM crm.explain_json($$ SELECT count(*) FROM crm.org o JOIN crm.contact c ON c.org = o.id WHERE o.town = 'Hull' $$) AS plan;
EXPLAIN (COSTS OFF, FORMAT YAML) SELECT name FROM crm.org WHERE id = :oneil;

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
