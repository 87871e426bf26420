--
-- Stores: made, adopted, moved, and altered.  A column missing on one side is an
-- ERROR with a HINT, never fewer columns; create_store again repairs it.
--
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA shop;
CREATE FOREIGN TABLE shop.org (
    id      uuid OPTIONS (property 'AccountId') NOT NULL,
    name    text OPTIONS (property 'Name') COLLATE "C",
    number  varchar(20) OPTIONS (property 'AccountNumber'),
    credit  numeric(15,2) OPTIONS (property 'CreditLimit', type 'Money'),
    note    text DEFAULT 'none'
) SERVER cdms OPTIONS (entity 'Account');

-- Made: beside the foreign table, with its columns, a primary key, triggers; the
-- option store says where.
SELECT crm_sync.create_store('shop.org');
SELECT column_name, data_type, character_maximum_length AS length, numeric_precision AS digits, numeric_scale AS scale,
       collation_name AS collation, is_nullable, column_default
    FROM information_schema.columns WHERE table_schema = 'shop' AND table_name = 'org_store' ORDER BY ordinal_position;
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'shop.org_store'::regclass;
SELECT tgname, pg_get_triggerdef(oid) ~ 'crm_sync\.(capture|truncated)\(\)' AS ours 
    FROM pg_trigger WHERE tgrelid = 'shop.org_store'::regclass ORDER BY tgname;
SELECT ftoptions FROM pg_foreign_table WHERE ftrelid = 'shop.org'::regclass;
SELECT name, credit FROM shop.org WHERE name IN ('Largest Numbers Ltd', 'Smallest Numbers Ltd') ORDER BY name;

-- Again: nothing is lost.
SELECT crm_sync.create_store('shop.org');
SELECT count(*) FROM shop.org_store;

-- A column more here: an ERROR until create_store is called again.
ALTER FOREIGN TABLE shop.org ADD COLUMN city text OPTIONS (property 'optevia_TownCity');
SELECT name FROM shop.org WHERE name = 'NULL';
INSERT INTO shop.org (name) VALUES ('x');
UPDATE shop.org SET name = 'x' WHERE name = 'NULL';
SELECT crm_sync.pull('shop.org');
EXPLAIN (COSTS OFF) SELECT name FROM shop.org;
SELECT crm_sync.create_store('shop.org');
SELECT name, city FROM shop.org WHERE name = 'NULL';
-- What the store had before it got the column is filled by the next reads.
SELECT name, city FROM shop.org WHERE name LIKE '%Numbers%' ORDER BY name;

-- A column renamed here.
ALTER FOREIGN TABLE shop.org RENAME COLUMN city TO town;
SELECT town FROM shop.org WHERE name = 'NULL';
ALTER TABLE shop.org_store RENAME COLUMN city TO town;
SELECT town FROM shop.org WHERE name = 'NULL';
-- A column renamed there.
ALTER TABLE shop.org_store RENAME COLUMN town TO place;
SELECT town FROM shop.org WHERE name = 'NULL';
-- create_store makes a new one; the old is the CRM's own from here on.
SELECT crm_sync.create_store('shop.org');
SELECT town FROM shop.org WHERE name = 'NULL';
SELECT town, place FROM shop.org_store WHERE name = 'NULL';

-- A column dropped there, one dropped here; one more there is the CRM's own.
ALTER TABLE shop.org_store DROP COLUMN number, DROP COLUMN place, ADD COLUMN rating integer DEFAULT 5;
SELECT number FROM shop.org WHERE name = 'NULL';
SELECT crm_sync.create_store('shop.org');
SELECT number FROM shop.org WHERE name = 'NULL';
ALTER FOREIGN TABLE shop.org DROP COLUMN number;
SELECT * FROM shop.org WHERE name = 'Smallest Numbers Ltd';
SELECT name, rating FROM shop.org_store WHERE name = 'NULL';
-- The key's column.
ALTER TABLE shop.org_store RENAME COLUMN id TO key;
SELECT name FROM shop.org WHERE name = 'NULL';
SELECT crm_sync.create_store('shop.org');
ALTER TABLE shop.org_store RENAME COLUMN key TO id;
SELECT name FROM shop.org WHERE name = 'NULL';

-- A type changed on one side: values are cast, where they can be.
ALTER TABLE shop.org_store ALTER COLUMN credit TYPE text;
SELECT credit FROM shop.org WHERE name = 'Smallest Numbers Ltd';
SELECT crm_sync.create_store('shop.org');
ALTER TABLE shop.org_store ALTER COLUMN credit TYPE numeric(15,2) USING credit::numeric;
SELECT credit FROM shop.org WHERE name = 'Smallest Numbers Ltd';

-- The store dropped, renamed, moved.
ALTER TABLE shop.org_store RENAME TO org_local;
SELECT name FROM shop.org WHERE name = 'NULL';
ALTER FOREIGN TABLE shop.org OPTIONS (SET store 'shop.org_local');
SELECT name FROM shop.org WHERE name = 'NULL';
CREATE SCHEMA shop_stores;
ALTER TABLE shop.org_local SET SCHEMA shop_stores;
SELECT name FROM shop.org WHERE name = 'NULL';
ALTER FOREIGN TABLE shop.org OPTIONS (SET store 'shop_stores.org_local');
SELECT name FROM shop.org WHERE name = 'NULL';
SELECT store FROM crm_sync.status WHERE foreign_table = 'shop.org'::regclass;
DROP TABLE shop_stores.org_local;
SELECT name FROM shop.org WHERE name = 'NULL';
ALTER FOREIGN TABLE shop.org OPTIONS (DROP store);
SELECT crm_sync.create_store('shop.org', 'shop_stores."Org''s own"');
SELECT name FROM shop.org WHERE name = 'NULL';
SELECT store FROM crm_sync.status WHERE foreign_table = 'shop.org'::regclass;

-- Given names: in the foreign table's schema unless they say another.
CREATE FOREIGN TABLE shop.sector (
    id   uuid OPTIONS (property 'optevia_sectorId') NOT NULL,
    name text OPTIONS (property 'optevia_name')
) SERVER cdms OPTIONS (entity 'optevia_sector');
SELECT crm_sync.create_store('shop.sector', 'sectors');
SELECT crm_sync.create_store('shop.sector');
SELECT crm_sync.create_store('shop.sector', 'nowhere.sectors');
SELECT crm_sync.create_store('shop.sector', 'shop_stores."Org''s own"');
SELECT crm_sync.create_store('shop.sector', 'a.b.c.d');
SELECT crm_sync.create_store('shop.sector', '');
SELECT crm_sync.create_store(NULL);
SELECT crm_sync.create_store('shop.sectors');
SELECT crm_sync.create_store('pg_class');

-- An existing table is adopted: it gets the columns and the key that it lacks, its
-- rows stay and are not pending.
CREATE TABLE shop.country_store (id uuid, label varchar(40), n serial);
INSERT INTO shop.country_store VALUES
    ('c0f70000-0000-4000-8000-000000000001', 'here'), ('c0f7ffff-0000-4000-8000-000000000001', 'nowhere');
CREATE FOREIGN TABLE shop.country (
    id    uuid OPTIONS (property 'optevia_countryId') NOT NULL,
    label text OPTIONS (property 'optevia_Country'),
    code  text OPTIONS (property 'optevia_ISOCountry2')
) SERVER cdms OPTIONS (entity 'optevia_country');
SELECT crm_sync.create_store('shop.country');
SELECT * FROM shop.country_store ORDER BY id;
SELECT count(*) FROM crm_sync.pending WHERE store = 'shop.country_store'::regclass;
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'shop.country_store'::regclass;
SELECT cdms.log_clear();
SELECT * FROM shop.country WHERE id = 'c0f70000-0000-4000-8000-000000000001';
SELECT cdms.log();

-- What does not fit is refused, and nothing is changed.
CREATE TABLE shop.wrong_type (id uuid PRIMARY KEY, label integer[]);
SELECT crm_sync.create_store('shop.country', 'wrong_type');
CREATE TABLE shop.no_key (label text);
SELECT crm_sync.create_store('shop.country', 'no_key');
CREATE TABLE shop.wrong_key (id text PRIMARY KEY);
SELECT crm_sync.create_store('shop.country', 'wrong_key');
CREATE TABLE shop.twice (id uuid, label text);
INSERT INTO shop.twice SELECT id, label FROM shop.country_store, generate_series(1, 2) WHERE label = 'nowhere';
SELECT crm_sync.create_store('shop.country', 'twice');
CREATE VIEW shop.view AS SELECT id, label FROM shop.twice;
SELECT crm_sync.create_store('shop.country', 'view');
SELECT crm_sync.create_store('shop.country', 'org');
SELECT count(*) FROM pg_attribute WHERE attrelid = 'shop.no_key'::regclass AND attnum > 0;
SELECT ftoptions FROM pg_foreign_table WHERE ftrelid = 'shop.country'::regclass;

-- A table with another primary key keeps it, if the key is unique.
CREATE TABLE shop.other_key (n serial PRIMARY KEY, id uuid UNIQUE, label text);
SELECT crm_sync.create_store('shop.country', 'other_key');
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'shop.other_key'::regclass ORDER BY conname;
SELECT label FROM shop.country WHERE code = 'GB';
-- The store that was is an ordinary table.
SELECT cdms.log_clear();
UPDATE shop.country_store SET label = 'ours';
TRUNCATE shop.country_store;
SELECT cdms.log();

-- A partitioned table can't be a store: its partitions would keep their changes to
-- themselves.
CREATE TABLE shop.parts (id uuid PRIMARY KEY, label text, code text) PARTITION BY HASH (id);
CREATE TABLE shop.parts_0 PARTITION OF shop.parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE shop.parts_1 PARTITION OF shop.parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE FOREIGN TABLE shop.land (
    id    uuid OPTIONS (property 'optevia_countryId') NOT NULL,
    label text OPTIONS (property 'optevia_Country')
) SERVER cdms OPTIONS (entity 'optevia_country');
SELECT crm_sync.create_store('shop.land', 'parts');

-- Nor one that a crash would empty.
ALTER TABLE shop.other_key SET UNLOGGED;
SELECT count(*) FROM shop.country;
UPDATE shop.other_key SET label = 'x' WHERE label = 'United Kingdom';
ALTER TABLE shop.other_key SET LOGGED;
SELECT count(*) > 0 AS there FROM shop.country;
CREATE UNLOGGED TABLE shop.light (id uuid PRIMARY KEY, label text);
SELECT crm_sync.create_store('shop.land', 'light');

SET client_min_messages = warning;
DROP SCHEMA shop, shop_stores CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
