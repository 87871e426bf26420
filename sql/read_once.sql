--
-- A statement asks CDMS once for each table, however often it scans it; the next
-- statement asks again, in whatever form it comes.
--
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA once;
CREATE FOREIGN TABLE once.org (
    id      uuid OPTIONS (property 'AccountId') NOT NULL,
    name    text OPTIONS (property 'Name'),
    phone   text OPTIONS (property 'optevia_TelephoneNumber'),
    sector  uuid OPTIONS (property 'optevia_Sector', type 'EntityReference')
) SERVER cdms OPTIONS (entity 'Account');
CREATE FOREIGN TABLE once.sector (
    id   uuid OPTIONS (property 'optevia_sectorId') NOT NULL,
    name text OPTIONS (property 'optevia_name')
) SERVER cdms OPTIONS (entity 'optevia_sector');
CREATE FOREIGN TABLE once.region (
    id   uuid OPTIONS (property 'optevia_ukregionId') NOT NULL,
    name text OPTIONS (property 'optevia_name')
) SERVER cdms OPTIONS (entity 'optevia_ukregion');
SELECT crm_sync.create_store('once.org'), crm_sync.create_store('once.sector'), crm_sync.create_store('once.region');
SELECT crm_sync.pull('once.org'), crm_sync.pull('once.sector'), crm_sync.pull('once.region');
ANALYZE once.org, once.sector, once.region, once.org_store, once.sector_store, once.region_store;

-- What was asked since the last look: the set, and the filter.
CREATE FUNCTION once.asked() RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT regexp_replace(line, '^GET (\w+)\?.*?select=[^&]*&?(.*) -> 200$', '\1 \2') FROM cdms.log() AS line
                 WHERE line NOT LIKE '%skiptoken%';
    PERFORM cdms.log_clear();
END $$;
SELECT cdms.log_clear();

-- Self-join, subquery, CTE, UNION, scalar subqueries.
SELECT count(*) FROM once.sector a JOIN once.sector b USING (id);
SELECT once.asked();
SELECT count(*) FROM once.sector WHERE name = (SELECT max(name) FROM once.sector);
SELECT once.asked();
WITH s AS MATERIALIZED (SELECT * FROM once.sector)
SELECT count(*) FROM s a, s b, once.sector c WHERE a.id = b.id AND b.id = c.id;
SELECT once.asked();
SELECT count(*) FROM (TABLE once.sector UNION TABLE once.sector UNION ALL TABLE once.sector) AS three;
SELECT once.asked();
SELECT (SELECT count(*) FROM once.sector), (SELECT min(name) FROM once.sector) IS NOT NULL AS has_names;
SELECT once.asked();

-- Different conditions: one question that covers all.  Where one of them can't be
-- sent, it is for all; the keys of several scans are asked for together.
SELECT count(*) FROM once.sector WHERE name LIKE 'A%' OR id IN (SELECT id FROM once.sector WHERE name LIKE 'B%');
SELECT once.asked();

SELECT count(*) FROM once.sector WHERE name LIKE 'A%' UNION ALL SELECT count(*) FROM once.sector WHERE name LIKE 'B%';
SELECT once.asked();
SELECT a.phone = b.phone AS same FROM once.org a, once.org b
    WHERE a.id = 'aaaaaaaa-0000-4000-8000-000000000024' AND b.id = 'aaaaaaaa-0000-4000-8000-000000000025';
SELECT once.asked();
SELECT a.phone = b.phone AS same FROM once.org a, once.org b
    WHERE a.id = 'aaaaaaaa-0000-4000-8000-000000000024' AND b.name = '\N';
SELECT once.asked();
-- Unless no request can carry it.
SELECT count(*) FROM once.org WHERE name LIKE repeat('x', 1000) || '%'
    UNION ALL SELECT count(*) FROM once.org WHERE name LIKE repeat('y', 1000) || '%';
SELECT left(once.asked(), 50);

-- Joins with rescans: one question for each table still.
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SET enable_memoize = off;
EXPLAIN (COSTS OFF)
SELECT r.name, s.name FROM once.region r JOIN once.sector s ON length(r.name) = length(s.name);
SELECT count(*) > 0 AS some FROM once.region r JOIN once.sector s ON length(r.name) = length(s.name);
SELECT once.asked();
SELECT count(*) > 0 AS some FROM once.region r LEFT JOIN once.sector s ON s.name > r.name WHERE r.name LIKE '%e%';
SELECT once.asked();

RESET enable_material;
RESET enable_memoize;
-- A parameterised join: a nested loop over the store's index.
CREATE TABLE once.visit (org uuid, note text);
INSERT INTO once.visit SELECT id, 'visit ' || n
    FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM once.org_store) AS o WHERE n % 5 = 0;
ANALYZE once.visit;
SET crm_sync.store_plans = off;
EXPLAIN (COSTS OFF) SELECT v.note, o.name FROM once.visit v JOIN once.org o ON o.id = v.org WHERE v.note LIKE '%95%';
SELECT v.note, o.name FROM once.visit v JOIN once.org o ON o.id = v.org WHERE v.note LIKE '%95%';
SELECT count(o.name) FROM once.visit v LEFT JOIN once.org o ON o.id = v.org AND o.name < v.note;
SELECT count(*) FROM once.visit v JOIN once.org o ON o.id = v.org JOIN once.sector s ON s.id = o.sector;
SELECT once.asked();
RESET crm_sync.store_plans;
-- What the statement reads by it is as new as the rest.
SELECT cdms.edit('optevia_sector', '5ec70000-0000-4000-8000-000000000001', 'optevia_name', 'Aeroplanes');
SELECT DISTINCT s.name FROM once.org o JOIN once.sector s ON s.id = o.sector
    WHERE s.id = '5ec70000-0000-4000-8000-000000000001';
SELECT once.asked();
-- LATERAL.
SELECT count(*) FROM once.region r
    CROSS JOIN LATERAL (SELECT s.name FROM once.sector s WHERE s.name > r.name ORDER BY s.name LIMIT 1) AS next;
SELECT once.asked();
RESET enable_hashjoin;
RESET enable_mergejoin;

-- Aggregates, EXISTS, anti-join, INSERT ... SELECT into a plain table.
SELECT s.name, count(*) FROM once.org o JOIN once.sector s ON s.id = o.sector
    GROUP BY s.name HAVING count(*) > 20 ORDER BY s.name COLLATE "C";
SELECT once.asked();
SELECT count(*) FROM once.sector s WHERE EXISTS (SELECT FROM once.org o WHERE o.sector = s.id);
SELECT count(*) FROM once.sector s WHERE NOT EXISTS (SELECT FROM once.org o WHERE o.sector = s.id);
SELECT once.asked();
CREATE TABLE once.copy (id uuid, name text);
INSERT INTO once.copy SELECT id, name FROM once.sector;
SELECT count(*) FROM once.copy;
SELECT once.asked();

-- A view, one with a security barrier, functions.  A function's query is a
-- statement of its own.
CREATE VIEW once.a_sectors AS SELECT * FROM once.sector WHERE name LIKE 'A%';
SELECT count(*) FROM once.a_sectors WHERE name = 'Agriculture';
SELECT once.asked();
CREATE FUNCTION once.leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS
$$ BEGIN RAISE NOTICE 'leaked %', $1; RETURN true; END $$;
CREATE VIEW once.barrier WITH (security_barrier) AS SELECT * FROM once.sector WHERE name = 'Agriculture';
SELECT name FROM once.barrier WHERE once.leak(name);
SELECT once.asked();
CREATE FUNCTION once.phone(text) RETURNS text LANGUAGE sql STABLE AS 'SELECT phone FROM once.org WHERE name = $1';
SELECT once.phone('NULL'), once.phone('NULL');
SELECT once.asked();
CREATE FUNCTION once.phone_plpgsql(key uuid) RETURNS text LANGUAGE plpgsql AS
$$ BEGIN RETURN (SELECT phone FROM once.org WHERE id = key); END $$;
SELECT once.phone_plpgsql('aaaaaaaa-0000-4000-8000-000000000024');
SELECT once.asked();

-- A prepared statement, run twenty times with an edit between, under each mode of
-- the plan cache: each run asks once, for what its parameter says, and returns
-- the edit.
CREATE FUNCTION once.run_prepared(mode text, query text, parameter text, every integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    phone text; edited text; n integer; wrong integer := 0;
BEGIN
    PERFORM set_config('plan_cache_mode', mode, true);
    EXECUTE format('PREPARE prepared (text) AS %s', query);
    PERFORM cdms.log_clear();
    FOR n IN 1..20 LOOP
        IF (n - 1) % every = 0 THEN
            edited := mode || n;
            PERFORM cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000024', 'optevia_TelephoneNumber', edited);
        END IF;
        EXECUTE format('EXECUTE prepared (%L)', parameter) INTO phone;
        wrong := wrong + (phone <> edited)::integer;
    END LOOP;
    DEALLOCATE prepared;
    RETURN format('%s: %s wrong, %s requests', mode, wrong, cdms.requests());
END $$;
SELECT once.run_prepared(mode, 'SELECT phone FROM once.org WHERE name = $1', 'NULL', 1)
    FROM unnest('{auto,force_custom_plan,force_generic_plan}'::text[]) AS mode;
SELECT once.run_prepared(mode, 'SELECT phone FROM once.org WHERE id = $1::uuid', 'aaaaaaaa-0000-4000-8000-000000000024', 7)
    FROM unnest('{auto,force_custom_plan,force_generic_plan}'::text[]) AS mode;
SELECT once.run_prepared(mode, 'SELECT o.phone FROM once.org o JOIN once.sector s ON s.id = o.sector WHERE o.name = $1', 'NULL', 7)
    FROM unnest('{auto,force_custom_plan,force_generic_plan}'::text[]) AS mode;
SELECT cdms.log_clear();
-- A parameter that is null.
SET plan_cache_mode = force_generic_plan;
PREPARE by_name (text) AS SELECT phone FROM once.org WHERE name = $1;
EXECUTE by_name(NULL);
SELECT once.asked();
-- Tables altered between: the plan is made anew.
EXECUTE by_name('\N');
ALTER FOREIGN TABLE once.org OPTIONS (ADD on_missing 'ignore');
EXECUTE by_name('\N');
ALTER FOREIGN TABLE once.org ALTER name OPTIONS (SET property 'AccountNumber');
EXECUTE by_name('AC-000024');
ALTER FOREIGN TABLE once.org ALTER name OPTIONS (SET property 'Name');
EXECUTE by_name('\N');
SELECT once.asked();
RESET plan_cache_mode;

-- Cursors: asked when opened; what changes later is not seen; rows can be gone
-- through in any direction, and after COMMIT.
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT name, phone FROM once.org WHERE name IN ('NULL', '\N', 'Straße GmbH') ORDER BY name;
FETCH 1 FROM c;
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000025', 'optevia_TelephoneNumber', 'edited'::text);
SELECT phone FROM once.org WHERE name = '\N';
FETCH ALL FROM c;
FETCH BACKWARD 2 FROM c;
FETCH FIRST FROM c;
CLOSE c;
DECLARE c CURSOR WITH HOLD FOR SELECT phone FROM once.org WHERE name = '\N';
SELECT once.asked();
COMMIT;
FETCH ALL FROM c;
CLOSE c;
SELECT once.asked();

-- READ ONLY: what changed is in the answer, and not stored before somebody may.
BEGIN READ ONLY;
SELECT phone FROM once.org WHERE name = '\N';
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000025', 'optevia_TelephoneNumber', 'last'::text);
SELECT phone FROM once.org WHERE name = '\N';
ROLLBACK;
SELECT phone FROM once.org WHERE name = '\N';

-- Parallel plans over plain tables beside it.
SELECT cdms.log_clear();
CREATE TABLE once.big AS SELECT g AS n, md5(g::text) AS text FROM generate_series(1, 20000) g;
ANALYZE once.big;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000025', 'optevia_TelephoneNumber', '19999'::text);
EXPLAIN (COSTS OFF) SELECT count(*) FROM once.big b WHERE n >= (SELECT phone::integer FROM once.org WHERE name = '\N');
SELECT count(*) FROM once.big b WHERE n >= (SELECT phone::integer FROM once.org WHERE name = '\N');
SELECT count(*) FROM once.big b LEFT JOIN once.org o ON o.phone = b.n::text AND o.name = '\N' WHERE o.id IS NOT NULL;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;
SELECT once.asked();

-- EXPLAIN asks nothing; with ANALYZE it says what asking took.  (Plans over stores
-- are in explain.sql.)
SET crm_sync.store_plans = off;
EXPLAIN (COSTS OFF) SELECT phone FROM once.org WHERE name = '\N' AND lower(phone) <> 'x';
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000025', 'optevia_TelephoneNumber', 'explained'::text);
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF)
SELECT a.phone FROM once.org a JOIN once.org b USING (id) WHERE a.name = '\N' AND b.name = '\N';
RESET crm_sync.store_plans;
SELECT once.asked();

SET client_min_messages = warning;
DROP SCHEMA once CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
