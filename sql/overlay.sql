--
-- What CDMS has newer and the store can't have now is in the answer all the same:
-- in joins, aggregates, subqueries, sorts, and beside a plan with workers.  Here
-- nothing can be stored because the transaction is READ ONLY; the answers are those
-- of plain tables with what CDMS has.
--
SELECT cdms.reset();
SELECT cdms.switch('page-size', '1000');
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE SCHEMA direct;
CREATE SCHEMA plain;
CREATE FOREIGN TABLE crm.org (
    id     uuid OPTIONS (property 'AccountId') NOT NULL,
    name   text OPTIONS (property 'Name'),
    staff  integer OPTIONS (property 'NumberOfEmployees'),
    sector uuid OPTIONS (property 'optevia_Sector', type 'EntityReference'),
    note   text
) SERVER cdms OPTIONS (entity 'Account', on_missing 'delete');
CREATE FOREIGN TABLE crm.sector (
    id   uuid OPTIONS (property 'optevia_sectorId') NOT NULL,
    name text OPTIONS (property 'optevia_name')
) SERVER cdms OPTIONS (entity 'optevia_sector');
CREATE FOREIGN TABLE direct.org (
    id     uuid OPTIONS (property 'AccountId') NOT NULL,
    name   text OPTIONS (property 'Name'),
    staff  integer OPTIONS (property 'NumberOfEmployees'),
    sector uuid OPTIONS (property 'optevia_Sector', type 'EntityReference')
) SERVER cdms OPTIONS (entity 'Account');
CREATE FOREIGN TABLE direct.sector (
    id   uuid OPTIONS (property 'optevia_sectorId') NOT NULL,
    name text OPTIONS (property 'optevia_name')
) SERVER cdms OPTIONS (entity 'optevia_sector');
SELECT crm_sync.create_store('crm.org'), crm_sync.create_store('crm.sector');
SELECT count(*) FROM crm.org;
SELECT count(*) > 0 AS some FROM crm.sector;
UPDATE crm.org_store SET note = 'note ' || staff % 3 WHERE name LIKE '%Ltd';
\set one aaaaaaaa-0000-4000-8000-000000000001
\set gone aaaaaaaa-0000-4000-8000-000000000024
\set new eeeeeeee-0000-4000-8000-000000000001

-- Changed, moved to another sector, created, deleted; a sector renamed.
SELECT cdms.control('edit-many', 'Account', '200', '{"NumberOfEmployees": 77}');
SELECT cdms.edit('Account', :'one', '{"Name": "Aardvark", "optevia_Sector": {"Id": "5ec70000-0000-4000-8000-000000000001", "LogicalName": "optevia_sector"}}');
SELECT cdms.create('Account', :'new', '{"Name": "Zebra", "NumberOfEmployees": 5}');
SELECT cdms.delete('Account', :'gone');
SELECT cdms.edit('optevia_sector', '5ec70000-0000-4000-8000-000000000001', 'optevia_name', 'Zeppelins');
CREATE TABLE plain.org AS SELECT d.*, s.note FROM direct.org d LEFT JOIN crm.org_store s USING (id);
CREATE TABLE plain.sector AS TABLE direct.sector;
CREATE TABLE plain.many AS SELECT g AS n FROM generate_series(1, 3000) AS g;
ANALYZE plain.org, plain.sector, plain.many;

-- A query's answer from either schema, and whether they are the same.
CREATE FUNCTION plain.compare(VARIADIC queries text[]) RETURNS TABLE (query text, same boolean, rows bigint) LANGUAGE plpgsql AS $$
DECLARE
    ours text[]; theirs text[];
BEGIN
    FOREACH query IN ARRAY queries LOOP
        EXECUTE format('SELECT array_agg(r::text ORDER BY r::text COLLATE "C") FROM (%s) AS r', replace(query, '#', 'crm')) INTO ours;
        EXECUTE format('SELECT array_agg(r::text ORDER BY r::text COLLATE "C") FROM (%s) AS r', replace(query, '#', 'plain')) INTO theirs;
        same := ours IS NOT DISTINCT FROM theirs;
        rows := cardinality(theirs);
        query := regexp_replace(query, '\s+', ' ', 'g');
        RETURN NEXT;
    END LOOP;
END $$;
CREATE FUNCTION plain.queries() RETURNS text[] LANGUAGE sql AS $$ SELECT ARRAY[
    'SELECT * FROM #.org',
    'SELECT name, note FROM #.org WHERE staff = 77 AND note IS NOT NULL',
    'SELECT name FROM #.org WHERE id IN (''aaaaaaaa-0000-4000-8000-000000000001'', ''aaaaaaaa-0000-4000-8000-000000000024'', ''eeeeeeee-0000-4000-8000-000000000001'')',
    'SELECT count(*), sum(staff), min(name COLLATE "C"), max(name COLLATE "C"), count(note), count(DISTINCT sector) FROM #.org',
    'SELECT note, count(*), sum(staff) FROM #.org GROUP BY note HAVING count(*) > 1',
    'SELECT sector, staff > 50, count(*) FROM #.org GROUP BY ROLLUP (sector, staff > 50)',
    'SELECT s.name, count(o.id), sum(o.staff) FROM #.sector s LEFT JOIN #.org o ON o.sector = s.id GROUP BY s.name',
    'SELECT o.name, s.name AS sector FROM #.org o JOIN #.sector s ON s.id = o.sector WHERE s.name > ''W''',
    'SELECT a.name, b.name AS other FROM #.org a JOIN #.org b ON b.staff = a.staff + 1',
    'SELECT name FROM #.sector s WHERE NOT EXISTS (SELECT FROM #.org o WHERE o.sector = s.id AND o.staff = 78)',
    'SELECT name FROM #.org WHERE sector IN (SELECT id FROM #.sector WHERE name LIKE ''Z%'')',
    'SELECT name, (SELECT s.name FROM #.sector s WHERE s.id = o.sector) AS sector FROM #.org o WHERE staff = 77',
    'SELECT s.name, l.name AS org FROM #.sector s CROSS JOIN LATERAL (SELECT o.name FROM #.org o WHERE o.sector = s.id ORDER BY o.name COLLATE "C" LIMIT 1) l',
    'SELECT name, rank() OVER (PARTITION BY sector ORDER BY staff, id) FROM #.org',
    '(SELECT name FROM #.org ORDER BY name COLLATE "C" LIMIT 3) UNION ALL (SELECT name FROM #.org ORDER BY name COLLATE "C" DESC LIMIT 3)',
    'SELECT DISTINCT note FROM #.org EXCEPT SELECT note FROM #.org WHERE staff < 10',
    'WITH RECURSIVE r AS (SELECT id, 1 AS n FROM #.org WHERE name = ''Zebra'' UNION ALL SELECT o.id, n + 1 FROM r JOIN #.org o ON o.staff = 77 AND n < 2) SELECT n, count(*) FROM r GROUP BY n',
    'SELECT m.n, o.name FROM plain.many m JOIN #.org o ON o.staff = m.n WHERE m.n % 7 = 0',
    'SELECT count(*), sum(m.n) FROM plain.many m WHERE m.n > (SELECT min(staff) FROM #.org WHERE staff > 0) AND EXISTS (SELECT FROM #.org o WHERE o.staff = m.n)'] $$;

BEGIN READ ONLY;
SELECT * FROM plain.compare(VARIADIC plain.queries());
COMMIT;
-- Nothing was stored.
SELECT count(*) FILTER (WHERE staff = 77) AS changed, count(*) FILTER (WHERE id IN (:'new')) AS created, count(*) FILTER (WHERE id = :'gone') AS deleted
FROM crm.org_store;

-- By other ways of joining, and with workers elsewhere in the plan.
SET enable_hashjoin = off;
SET enable_hashagg = off;
SET enable_mergejoin = off;
SET enable_material = off;
BEGIN READ ONLY;
SELECT count(*) FILTER (WHERE same) AS same, count(*) FROM plain.compare(VARIADIC plain.queries());
COMMIT;
RESET ALL;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
CREATE FUNCTION plain.gathers(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN ' || query LOOP
        IF line LIKE '%Gather%' THEN RETURN true; END IF;
    END LOOP;
    RETURN false;
END $$;
SELECT plain.gathers('SELECT count(*), (SELECT count(*) FROM crm.org WHERE staff = 77) FROM plain.many');
BEGIN READ ONLY;
SELECT count(*), (SELECT count(*) FROM crm.org WHERE staff = 77) AS changed FROM plain.many;
SELECT count(*) FILTER (WHERE same) AS same, count(*) FROM plain.compare(VARIADIC plain.queries());
COMMIT;

-- And stored: the plan that has workers stores as any other does.
SELECT count(*), (SELECT count(*) FROM crm.org WHERE staff = 77) AS changed FROM plain.many;
SELECT count(*) FILTER (WHERE staff = 77) AS changed FROM crm.org_store;
SELECT count(*) FROM crm.org;
SELECT count(*) FILTER (WHERE id IN (:'new')) AS created, count(*) FILTER (WHERE id = :'gone') AS deleted FROM crm.org_store;

RESET ALL;
SET client_min_messages = warning;
DROP SCHEMA crm, direct, plain CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
