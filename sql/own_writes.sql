--
-- A statement that reads a synchronised table sees what CDMS has changed, and not
-- what it writes itself; a row that it meets twice it writes once.
--
\set SHOW_CONTEXT never
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name'),
    city text OPTIONS (property 'optevia_TownCity')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
\set one aaaaaaaa-0000-4000-8000-000000000001
\set two aaaaaaaa-0000-4000-8000-000000000002
SELECT count(*) FROM crm.organisation;

-- Rows so wide that their new versions go to other pages, beyond where the scan
-- has come to, in which it would meet them again.
CREATE TABLE crm.plain (id integer, v integer, filling text) WITH (fillfactor = 100);
INSERT INTO crm.plain SELECT g, 0, repeat(md5(g::text), 20) FROM generate_series(1, 2000) g;

-- In autocommit and in the first statement of a transaction each row is updated
-- once, and CDMS's newest change is seen.
SELECT cdms.edit('Account', :'one', 'Name', 'Edited 1');
UPDATE crm.plain SET v = v + 1 FROM crm.organisation o WHERE o.id = :'one' AND o.name = 'Edited 1';
SELECT v, count(*) FROM crm.plain GROUP BY v;
SELECT cdms.edit('Account', :'one', 'Name', 'Edited 2');
BEGIN;
UPDATE crm.plain SET v = v + 1 FROM crm.organisation o WHERE o.id = :'one' AND o.name = 'Edited 2';
UPDATE crm.plain SET v = v + 1 FROM crm.organisation o WHERE o.id = :'one' AND o.name = 'Edited 2';
SELECT v, count(*) FROM crm.plain GROUP BY v;
COMMIT;
-- In a WITH, and with the synchronised table in a sub-select.
WITH w AS (UPDATE crm.plain SET v = v + 1 FROM crm.organisation o WHERE o.id = :'one' RETURNING v)
    SELECT v, count(*) FROM w GROUP BY v;
UPDATE crm.plain SET v = v + 1 WHERE EXISTS (SELECT FROM crm.organisation o WHERE o.id = :'one');
SELECT v, count(*) FROM crm.plain GROUP BY v;

-- INSERT ... SELECT reads none of the rows that it adds.
INSERT INTO crm.plain SELECT p.id, p.v + 1, p.filling FROM crm.plain p, crm.organisation o WHERE o.id = :'one';
SELECT v, count(*) FROM crm.plain GROUP BY v ORDER BY v;
-- Nor does it when it copies organisations, from the table or into the store.
SELECT cdms.log_clear();
INSERT INTO crm.organisation (id, name)
    SELECT overlay(id::text PLACING '11111111' FROM 1)::uuid, 'Copy of ' || name FROM crm.organisation
    WHERE id IN (:'one', :'two');
INSERT INTO crm.organisation_store (id, name)
    SELECT overlay(id::text PLACING '22222222' FROM 1)::uuid, 'Copy of ' || name FROM crm.organisation
    WHERE name LIKE 'Copy of %';
SELECT id, name, cdms.get('Account', id, 'Name') = name AS same FROM crm.organisation_store
    WHERE name LIKE 'Copy of %' ORDER BY id;
SELECT cdms.requests('POST');

-- An UPDATE that meets a row twice takes the first value it met; PostgreSQL
-- does so, whatever the plan.
CREATE TABLE crm.twice (n serial, key uuid, city text);
INSERT INTO crm.twice (key, city) VALUES (:'one', 'First'), (:'one', 'Second'), (:'two', 'Third');
ANALYZE crm.twice;
ANALYZE crm.organisation;
SELECT cdms.log_clear();
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SET enable_memoize = off;
EXPLAIN (COSTS OFF) UPDATE crm.organisation o SET city = t.city FROM crm.twice t WHERE o.id = t.key;
UPDATE crm.organisation o SET city = t.city FROM crm.twice t WHERE o.id = t.key;
SELECT * FROM cdms.log('MERGE');
RESET enable_hashjoin;
SET enable_nestloop = off;
UPDATE crm.twice SET city = upper(city);
WITH taken AS (UPDATE crm.organisation o SET city = t.city FROM crm.twice t WHERE o.id = t.key
               RETURNING o.id, upper(o.city) = o.city AS taken)
    SELECT * FROM taken ORDER BY id;
SELECT count(*) FROM cdms.log('MERGE');
SELECT city = cdms.get('Account', id, 'optevia_TownCity') AS same FROM crm.organisation_store WHERE id IN (:'one', :'two');
-- A DELETE that meets it twice deletes it once.
WITH gone AS (DELETE FROM crm.organisation o USING crm.twice t
                  WHERE o.id = overlay(t.key::text PLACING '11111111' FROM 1)::uuid RETURNING o.id)
    SELECT * FROM gone ORDER BY id;
RESET enable_nestloop;
RESET enable_mergejoin;
RESET enable_material;
RESET enable_memoize;
SELECT * FROM cdms.log('DELETE') ORDER BY 1;
SELECT count(*) FROM crm.organisation_store WHERE id::text LIKE '11111111%';

DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
