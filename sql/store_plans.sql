--
-- Queries over synchronised tables are planned over their stores: each answer is
-- that of foreign scans, and of plain tables with the same rows, after each table
-- was asked once.
--
\set SHOW_CONTEXT never
SELECT cdms.reset();
SELECT cdms.clock('set', '2026-03-01T12:00:00Z') IS NOT NULL AS clock_stands;
-- As the clock stands, a server that is watched by a tool has seen it set back after the
-- usual overlap.
SELECT cdms.create_server($$ overlap '1h' $$);
CREATE SCHEMA crm;
-- Columns dropped, the store's own; columns in another order, of another type and
-- collation there; one that is the CRM's.
CREATE FOREIGN TABLE crm.org (
    gone  integer,
    id    uuid OPTIONS (property 'AccountId') NOT NULL,
    name  text OPTIONS (property 'Name') COLLATE "C",
    away  text,
    phone text OPTIONS (property 'optevia_TelephoneNumber'),
    town  text OPTIONS (property 'optevia_TownCity'),
    sector uuid OPTIONS (property 'optevia_Sector', type 'EntityReference'),
    grade integer,
    modified_on timestamptz OPTIONS (property 'ModifiedOn')
) SERVER cdms OPTIONS (entity 'Account');
ALTER FOREIGN TABLE crm.org DROP COLUMN gone, DROP COLUMN away;
CREATE FOREIGN TABLE crm.contact (
    id     uuid OPTIONS (property 'ContactId') NOT NULL,
    name   text OPTIONS (property 'FullName'),
    org    uuid OPTIONS (property 'ParentCustomerId', type 'EntityReference'),
    modified_on timestamptz OPTIONS (property 'ModifiedOn')
) SERVER cdms OPTIONS (entity 'Contact');
CREATE TABLE crm.org_store (
    town text, grade smallint, dropped text, phone varchar(100), sector uuid, name text, id uuid PRIMARY KEY,
    modified_on timestamptz
);
ALTER TABLE crm.org_store DROP COLUMN dropped;
SELECT crm_sync.create_store('crm.org'), crm_sync.create_store('crm.contact');
SELECT crm_sync.pull('crm.org'), crm_sync.pull('crm.contact');
SET crm_sync.mode = local;
UPDATE crm.org SET grade = length(name) % 5;
RESET crm_sync.mode;
CREATE TABLE crm.org_plain AS TABLE crm.org;
CREATE TABLE crm.contact_plain AS TABLE crm.contact;
TRUNCATE crm_sync.outbox;
ANALYZE crm.org_store, crm.contact_store, crm.org_plain, crm.contact_plain;

-- A query with org and contact in it: where it was planned, whether the answers are
-- the same three ways, and how many times it asked.
CREATE FUNCTION crm.sum_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SELECT count(*) || '' '' || md5(coalesce(string_agg(row, ''|'' ORDER BY row COLLATE "C"), ''''))
                    FROM (SELECT answer::text AS row FROM (%s) AS answer) AS rows', query) INTO result;
    RETURN result;
END $$;
CREATE FUNCTION crm.compare(INOUT query text, OUT plan text, OUT rows text, OUT same boolean, OUT asked bigint)
RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
    foreign_query text := regexp_replace(query, '\y(org|contact)_\y', 'crm.\1', 'g');
    plain text := crm.sum_of(regexp_replace(query, '\y(org|contact)_\y', 'crm.\1_plain', 'g'));
    over_stores text;
    line text;
BEGIN
    EXECUTE 'EXPLAIN ' || foreign_query INTO line;
    plan := CASE WHEN line LIKE 'Custom Scan (crm_sync)%' THEN 'store' ELSE 'general' END;
    SELECT -sum(gets) INTO asked FROM crm_sync.stat_requests;
    over_stores := crm.sum_of(foreign_query);
    SELECT asked + sum(gets) INTO asked FROM crm_sync.stat_requests;
    SET LOCAL crm_sync.store_plans = off;
    same := over_stores = plain AND crm.sum_of(foreign_query) = plain;
    SET LOCAL crm_sync.store_plans = on;
    rows := split_part(plain, ' ', 1);
    RETURN NEXT;
END $$;

CREATE VIEW crm.hull AS SELECT * FROM crm.org WHERE town = 'Liverpool';
CREATE VIEW crm.hull_plain AS SELECT * FROM crm.org_plain WHERE town = 'Liverpool';
CREATE FUNCTION crm.inlined() RETURNS SETOF crm.org LANGUAGE sql STABLE AS 'SELECT * FROM crm.org WHERE grade = 1';

SELECT c.* FROM (VALUES
-- one table: order, limit, conditions, expressions
('SELECT name, phone, town FROM org_ WHERE id = ''aaaaaaaa-0000-4000-8000-000000000025'''),
('SELECT * FROM org_'),
('SELECT name, row_number() OVER (ORDER BY name, id) FROM org_ ORDER BY name, id LIMIT 20 OFFSET 5'),
('SELECT DISTINCT ON (grade) grade, name FROM org_ ORDER BY grade, name DESC, id'),
('SELECT id FROM org_ WHERE phone LIKE ''%7%'' AND (grade > 2 OR grade IS NULL) AND NOT town = ''Leeds'''),
('SELECT length(phone), grade + 100000 FROM org_'),
-- joins
('SELECT o.name, c.name FROM org_ o JOIN contact_ c ON c.org = o.id'),
('SELECT o.name, c.name FROM org_ o LEFT JOIN contact_ c ON c.org = o.id AND c.name LIKE ''S%'''),
('SELECT o.name, c.name FROM org_ o FULL JOIN contact_ c ON c.org = o.id'),
('SELECT a.name FROM org_ a JOIN org_ b USING (town) WHERE b.grade = 3'),
('SELECT name FROM org_ o WHERE EXISTS (SELECT FROM contact_ c WHERE c.org = o.id)'),
('SELECT name FROM org_ o WHERE NOT EXISTS (SELECT FROM contact_ c WHERE c.org = o.id)'),
('SELECT name FROM org_ WHERE id NOT IN (SELECT org FROM contact_ WHERE org IS NOT NULL)'),
('SELECT o.name, l.name FROM org_ o, LATERAL (SELECT c.name FROM contact_ c WHERE c.org = o.id ORDER BY c.id LIMIT 1) l'),
('SELECT o.name, (SELECT max(c.name COLLATE "C") FROM contact_ c WHERE c.org = o.id) FROM org_ o'),
('SELECT o.name, p.name FROM org_ o JOIN crm.org_plain p USING (id)'),
-- aggregates, windows, sets, recursion
('SELECT count(*) FROM org_'),
('SELECT town, count(*), min(name), sum(grade) FROM org_ GROUP BY town HAVING count(*) > 1'),
('SELECT town, grade, count(*) FROM org_ GROUP BY CUBE (town, grade)'),
('SELECT o.town, count(c.id) FILTER (WHERE c.name > ''M'' COLLATE "C") FROM org_ o LEFT JOIN contact_ c ON c.org = o.id GROUP BY o.town'),
('SELECT id FROM org_ EXCEPT SELECT org FROM contact_'),
('SELECT name FROM org_ UNION SELECT name FROM contact_ UNION ALL SELECT name FROM org_ WHERE grade = 0'),
('WITH RECURSIVE r AS (SELECT id, name, 1 AS depth FROM org_ WHERE grade = 1
  UNION SELECT o.id, o.name, depth + 1 FROM r JOIN org_ o ON o.grade = r.depth + 1 WHERE depth < 3) SELECT * FROM r'),
('WITH o AS MATERIALIZED (SELECT * FROM org_) SELECT a.id FROM o a JOIN o b USING (id)'),
-- whole rows
('SELECT o FROM org_ o'),
('SELECT to_jsonb(o) FROM org_ o WHERE o.grade = 2'),
('SELECT c.name, o IS NULL, (o).town, o.* IS NOT NULL FROM contact_ c LEFT JOIN org_ o ON o.id = c.org AND o.grade = 1'),
('SELECT max(ROW(o.name, o.phone)::text) FROM org_ o'),
-- views
('SELECT h.name, c.name FROM crm.hull h LEFT JOIN contact_ c ON c.org = h.id'),
-- what is the foreign table''s own: foreign scans
('SELECT name FROM org_ FOR UPDATE'),
('SELECT name FROM org_ WHERE tableoid > 0'),
('SELECT name FROM crm.inlined() WHERE name > ''M'''),
('SELECT name FROM org_ WHERE false')
) AS queries (query), crm.compare(queries.query) AS c;

-- A row says of which table it is.
SELECT DISTINCT pg_typeof(o), tableoid::regclass FROM crm.org o;

-- Under parallel plans, too: what was stored a moment ago is seen by the workers,
-- also where it is not a portal that runs the statement.
CREATE FUNCTION crm.parallel(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line text;
    plan text := '';
    result text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        plan := plan || line;
    END LOOP;
    EXECUTE query INTO result;
    RETURN format('%s workers, %s', substring(plan FROM 'Workers Planned: (\d+)'), result);
END $$;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
SELECT crm.parallel($$SELECT count(*) FROM crm.org WHERE phone = '3456'$$);
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000025', 'optevia_TelephoneNumber', '3456'::text);
SELECT crm.parallel($$SELECT count(*) FROM crm.org WHERE phone = '3456'$$);
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000024', 'optevia_TelephoneNumber', '3456'::text);
-- A scan that each worker does for itself.
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_memoize = off;
SET parallel_leader_participation = off;
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000001', 'optevia_TelephoneNumber', '3457'::text);
SELECT crm.parallel($$SELECT count(o.id) FROM crm.contact c LEFT JOIN crm.org o ON o.id = c.org AND o.phone = '3457'$$);
RESET parallel_leader_participation;
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_memoize;
CREATE TABLE crm.made AS SELECT phone, count(*) FROM crm.org WHERE phone = '3456' GROUP BY phone;
TABLE crm.made;
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000024', 'optevia_TelephoneNumber', '9'::text);
BEGIN READ ONLY;
SELECT crm.parallel($$SELECT count(*) FROM crm.org WHERE phone = '3456'$$);
COMMIT;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;

-- An overlay, here because nothing can be stored: joins, aggregates, sorting and
-- limits have CDMS's version; the plan that ran is the one with foreign scans.
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000025', 'optevia_TownCity', 'Aachen'::text);
SELECT cdms.edit('Contact', 'cccccccc-0000-4000-8000-000000000001', 'FirstName', 'Aaron'::text);
SELECT cdms.log_clear();
BEGIN READ ONLY;
SELECT o.town, count(*) FROM crm.org o WHERE town LIKE 'Aach%' GROUP BY town;
SELECT o.name, c.name FROM crm.org o JOIN crm.contact c ON c.org = o.id WHERE c.name LIKE 'Aaron O%';
SELECT town FROM crm.org WHERE town > '' ORDER BY town COLLATE "C" LIMIT 1;
SELECT count(*) FROM crm.org WHERE EXISTS (SELECT FROM crm.org o WHERE o.town = 'Aachen');
DECLARE c SCROLL CURSOR FOR SELECT town FROM crm.org WHERE town > '' ORDER BY town COLLATE "C";
FETCH 2 FROM c;
FETCH BACKWARD 1 FROM c;
FETCH FIRST FROM c;
COMMIT;
SELECT count(*) FROM cdms.log();
SELECT town FROM crm.org_store WHERE id = 'aaaaaaaa-0000-4000-8000-000000000025';
-- In REPEATABLE READ what was overlaid stays so.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT count(*) FROM crm.org WHERE town = 'Aachen';
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000025', 'optevia_TownCity', 'Hull'::text);
SELECT count(*) FROM crm.org WHERE town = 'Aachen';
COMMIT;
SELECT count(*) FROM crm.org WHERE town = 'Aachen';

-- Cursors: in any direction, declared so or not, and after COMMIT.
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT name FROM crm.org WHERE id::text LIKE 'aaaa%' ORDER BY name;
FETCH 3 FROM c;
FETCH BACKWARD 2 FROM c;
FETCH LAST FROM c;
DECLARE d CURSOR FOR SELECT name FROM crm.org WHERE name LIKE 'O''Neil%';
FETCH 1 FROM d;
FETCH BACKWARD 1 FROM d;
ROLLBACK;
BEGIN;
DECLARE c CURSOR WITH HOLD FOR SELECT count(*) FROM crm.org JOIN crm.contact ON org = org.id;
COMMIT;
FETCH ALL FROM c;
CLOSE c;

-- INSERT ... SELECT: the reading side.  It does not see what it writes.
CREATE TABLE crm.target (id uuid, name text);
EXPLAIN (COSTS OFF) INSERT INTO crm.target SELECT id, name FROM crm.org WHERE grade = 1;
INSERT INTO crm.target SELECT o.id, c.name FROM crm.org o JOIN crm.contact c ON c.org = o.id WHERE o.grade = 1;
SELECT count(*) = (SELECT count(*) FROM crm.org_plain o JOIN crm.contact_plain c ON c.org = o.id WHERE o.grade = 1) AS same FROM crm.target;
WITH made AS (INSERT INTO crm.target SELECT id, name FROM crm.org WHERE grade = 2 RETURNING name) SELECT count(*) > 50 AS many FROM made;
INSERT INTO crm.target SELECT id, name FROM crm.org WHERE name LIKE 'O''Neil%' RETURNING name;
COPY (SELECT o.name, count(*) FROM crm.org o JOIN crm.contact c ON c.org = o.id WHERE o.name LIKE 'O''Neil%' GROUP BY o.name) TO STDOUT;
BEGIN;
SET LOCAL crm_sync.mode = local;
INSERT INTO crm.contact (org, name) SELECT org, 'copy of ' || name FROM crm.contact WHERE name IS NOT NULL;
SELECT count(*) = 2 * count(*) FILTER (WHERE name NOT LIKE 'copy of %') AS doubled FROM crm.contact WHERE name IS NOT NULL;
ROLLBACK;

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
