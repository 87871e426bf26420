--
-- A pass-through table shows CDMS itself: what is read is asked for there, as
-- much of it as is wanted, and nothing is kept.
--
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA through;
CREATE FOREIGN TABLE through.org (
    id      uuid OPTIONS (property 'AccountId') NOT NULL,
    name    text OPTIONS (property 'Name'),
    city    text OPTIONS (property 'optevia_TownCity'),
    sector  uuid OPTIONS (property 'optevia_Sector', type 'EntityReference'),
    sector_name text OPTIONS (property 'optevia_Sector/Name'),
    revenue numeric OPTIONS (property 'Revenue', type 'Money'),
    own     text DEFAULT 'ours'
) SERVER cdms OPTIONS (entity 'Account');
CREATE FOREIGN TABLE through.sector (
    id   uuid OPTIONS (property 'optevia_sectorId') NOT NULL,
    name text OPTIONS (property 'optevia_name')
) SERVER cdms OPTIONS (entity 'optevia_sector');

-- The log, a page's token shortened.
CREATE FUNCTION through.log() RETURNS SETOF text LANGUAGE sql AS
$$ SELECT regexp_replace(line, '[$]skiptoken=(\d+).* ->', '$skiptoken=\1 ->') FROM cdms.log() AS line $$;

-- An edit in CDMS is seen at once, by the same transaction too.
BEGIN;
SELECT name, city FROM through.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000001', 'Name', 'O''Neill & Daughters');
SELECT name, city FROM through.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
COMMIT;

-- Only the properties that the statement needs are asked for: those of the
-- output, of conditions checked here, of a reference's name; at least the key.
SELECT cdms.log_clear();
SELECT name FROM through.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000002';
SELECT count(*) FROM through.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000002' AND lower(city) <> 'x';
SELECT sector, sector_name IS NULL AS nameless FROM through.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000013';
SELECT own FROM through.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000002';
SELECT * FROM through.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000013';
SELECT org FROM through.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000013';
SELECT 1 AS one FROM through.sector LIMIT 1;
SELECT through.log();

-- A whole entity: page by page.
SELECT cdms.log_clear();
SELECT count(*), count(DISTINCT id) FROM through.org;
SELECT through.log();

-- LIMIT: only the pages that are wanted; a cursor likewise.
SELECT cdms.log_clear();
SELECT count(*) FROM (SELECT id FROM through.org LIMIT 50) AS page;
SELECT cdms.requests();
SELECT count(*) FROM (SELECT id FROM through.org LIMIT 51) AS page;
SELECT cdms.requests();
SELECT count(*) FROM (SELECT id FROM through.org LIMIT 1 OFFSET 120) AS page;
SELECT cdms.requests();
SELECT count(*) FROM (SELECT id FROM through.org LIMIT 0) AS page;
SELECT cdms.requests();
SELECT cdms.log_clear();
BEGIN;
DECLARE pages CURSOR FOR SELECT id FROM through.org;
MOVE 50 IN pages;
SELECT cdms.requests();
MOVE 1 IN pages;
SELECT cdms.requests();
CLOSE pages;
DECLARE pages SCROLL CURSOR FOR SELECT name FROM through.org WHERE name IN ('NULL', '\N') ORDER BY name;
FETCH 2 FROM pages;
FETCH BACKWARD 1 FROM pages;
FETCH ABSOLUTE 2 FROM pages;
DECLARE beyond CURSOR WITH HOLD FOR SELECT name FROM through.org WHERE name = 'NULL';
COMMIT;
FETCH ALL FROM beyond;
CLOSE beyond;

-- A join asks each table once ...
SELECT cdms.log_clear();
SELECT s.name AS sector, count(*) FROM through.org o JOIN through.sector s ON s.id = o.sector
    WHERE o.name LIKE 'W%' GROUP BY s.name ORDER BY s.name COLLATE "C" LIMIT 3;
SELECT split_part(log, '?', 1) AS asked, count(*) FROM through.log() GROUP BY 1 ORDER BY 1;
-- ... also where it scans one of them again for each row of the other.
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
EXPLAIN (COSTS OFF)
SELECT o.name, s.name FROM through.org o JOIN through.sector s ON s.id = o.sector WHERE o.name LIKE 'O%';
SELECT cdms.log_clear();
SELECT count(*), count(DISTINCT s.name) > 1 AS several
    FROM through.org o JOIN through.sector s ON s.id = o.sector WHERE o.name LIKE 'O%';
SELECT through.log();
-- A scan stopped halfway and begun again goes on where it stopped asking.
SELECT cdms.log_clear();
SELECT n, (SELECT count(*) FROM (SELECT id FROM through.org LIMIT n * 40) AS part) FROM generate_series(1, 3) AS n;
SELECT cdms.requests();
SELECT n, EXISTS (SELECT FROM through.org WHERE own = n::text) FROM generate_series(1, 3) AS n;
SELECT cdms.requests();
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;

-- Rows come and go as in any table: aggregates, UNION, anti-join, INSERT ... SELECT.
SELECT min(revenue), max(revenue), count(revenue) FROM through.org;
SELECT count(*) FROM through.sector s WHERE NOT EXISTS (SELECT FROM through.org o WHERE o.sector = s.id);
CREATE TABLE through.copy AS SELECT id, name FROM through.sector;
SELECT count(*) FROM (SELECT * FROM through.copy EXCEPT SELECT * FROM through.sector) AS difference;
COPY (SELECT name FROM through.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000005') TO STDOUT;

-- Writes want a store.
INSERT INTO through.org (name) VALUES ('New');
UPDATE through.org SET name = 'New' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
DELETE FROM through.org;
TRUNCATE through.org;
COPY through.org (name) FROM '/dev/null';
SELECT crm_sync.pull('through.org');
SELECT crm_sync.push('through.org');
SELECT is_insertable_into FROM information_schema.tables WHERE table_schema = 'through' AND table_name = 'org';
SELECT cdms.count('Account');

-- ANALYZE reads the entity once.
SELECT cdms.log_clear();
ANALYZE through.sector;
SELECT through.log();
SELECT reltuples FROM pg_class WHERE oid = 'through.sector'::regclass;
SELECT attname, n_distinct FROM pg_stats WHERE schemaname = 'through' AND tablename = 'sector' ORDER BY attname;
ANALYZE through.org (revenue);
SELECT reltuples FROM pg_class WHERE oid = 'through.org'::regclass;
EXPLAIN SELECT id FROM through.sector;

-- EXPLAIN asks nothing; it shows what CDMS would be asked first, and ANALYZE
-- what it took.
SELECT cdms.log_clear();
EXPLAIN (COSTS OFF) SELECT name FROM through.org WHERE name LIKE 'O''Neil%' AND lower(city) <> 'x';
EXPLAIN (COSTS OFF, VERBOSE) SELECT name FROM through.org WHERE id IN ('aaaaaaaa-0000-4000-8000-000000000001', 'aaaaaaaa-0000-4000-8000-000000000002');
EXPLAIN (COSTS OFF) SELECT name FROM through.org WHERE id = NULL;
SELECT cdms.requests();
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT name FROM through.org LIMIT 60;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, FORMAT JSON)
SELECT name FROM through.org WHERE name LIKE '%''%' AND lower(city) <> 'x';
SELECT through.log();

-- Prepared statements: the parameter's value is what is asked for, under either
-- plan; nothing where it is null.
PREPARE by_name (text) AS SELECT city FROM through.org WHERE name = $1;
SET plan_cache_mode = force_generic_plan;
SELECT cdms.log_clear();
EXECUTE by_name('NULL');
EXECUTE by_name('\N');
EXPLAIN (COSTS OFF) EXECUTE by_name('NULL');
EXECUTE by_name(NULL);
EXPLAIN (COSTS OFF) EXECUTE by_name(NULL);
PREPARE by_key (uuid) AS SELECT city FROM through.org WHERE id = $1;
EXECUTE by_key('aaaaaaaa-0000-4000-8000-000000000024');
EXECUTE by_key(NULL);
SET plan_cache_mode = force_custom_plan;
EXECUTE by_name('NULL');
RESET plan_cache_mode;
SELECT through.log();

-- Who asks: the current role's mapping, whoever owns the table.
SELECT cdms.control('user', 'grace', 'hopper');
ALTER SERVER cdms OPTIONS (ADD auth 'basic');
CREATE ROLE through_user;
GRANT USAGE ON SCHEMA through TO through_user;
GRANT SELECT ON through.sector TO through_user;
SET ROLE through_user;
SELECT count(*) FROM through.sector;
RESET ROLE;
CREATE USER MAPPING FOR through_user SERVER cdms OPTIONS (username 'grace', password 'hopper');
SET ROLE through_user;
SELECT count(*) FROM through.sector;
SELECT count(*) FROM through.org;
RESET ROLE;
-- Through a view it is the view's owner's.
CREATE VIEW through.sectors AS SELECT name FROM through.sector;
GRANT SELECT ON through.sectors TO through_user;
SET ROLE through_user;
\set VERBOSITY terse
SELECT count(*) FROM through.sectors;
\set VERBOSITY default
RESET ROLE;
ALTER VIEW through.sectors OWNER TO through_user;
SELECT count(*) FROM through.sectors;

SET client_min_messages = warning;
DROP SCHEMA through CASCADE;
DROP SERVER cdms CASCADE;
DROP ROLE through_user;
