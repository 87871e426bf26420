--
-- The owner of a synchronised table gives other shapes to what a statement is still to
-- read, while it is asked or converted: by code of his that the statement itself makes
-- run.  Nothing is read as what it is not, and the server goes on.
--
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
SELECT cdms.reset();
SELECT cdms.create_server($$ max_connections '1' $$);
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000001', '{"Name":"A1"}');
CREATE ROLE regress_crm_mallory;
GRANT USAGE ON FOREIGN SERVER cdms TO regress_crm_mallory;
CREATE SCHEMA m AUTHORIZATION regress_crm_mallory;
GRANT USAGE ON SCHEMA m TO PUBLIC;

--
-- as_of: another type has the row type's name by the time that rows are made.
--
SET ROLE regress_crm_mallory;
CREATE TYPE m.e AS ENUM ('go');
CREATE FOREIGN TABLE m.h (id uuid OPTIONS (property 'AccountId') NOT NULL, c bytea) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('m.h');
SET crm_sync.mode = local;
ALTER TABLE m.h_store ADD go m.e, ALTER c TYPE bigint USING NULL;
CREATE FUNCTION m.swap(m.e) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('my.go', true) <> '' THEN EXECUTE current_setting('my.go'); END IF;
  RETURN '"go"';
END $$;
INSERT INTO m.h_store (c, go) VALUES (4000::bigint << 2, 'go');
CREATE CAST (m.e AS json) WITH FUNCTION m.swap(m.e);
RESET ROLE;
CREATE SCHEMA elsewhere AUTHORIZATION regress_crm_mallory;
GRANT CREATE ON DATABASE :"DBNAME" TO regress_crm_mallory;
SET my.go = 'ALTER FOREIGN TABLE m.h RENAME TO hold; CREATE TYPE m.h AS (id uuid, c bigint)';
BEGIN;
SELECT length(c), encode(substr(c, 1, 5), 'escape') FROM crm_sync.as_of(NULL::m.h, now());
ROLLBACK;
SET my.go = 'ALTER FOREIGN TABLE m.h SET SCHEMA elsewhere; CREATE TYPE m.h AS (id uuid, c bigint)';
BEGIN;
SELECT length(c), encode(substr(c, 1, 5), 'escape') FROM crm_sync.as_of(NULL::m.h, now());
ROLLBACK;
SET my.go = 'ALTER SCHEMA m RENAME TO n; CREATE SCHEMA m; CREATE TYPE m.h AS (id uuid, c bigint)';
BEGIN;
SELECT length(c), encode(substr(c, 1, 5), 'escape') FROM crm_sync.as_of(NULL::m.h, now());
ROLLBACK;
RESET crm_sync.mode;

--
-- Two tables: while the first is asked, the second, which is still to be asked, or its
-- store, is altered.
--
SET my.go = '';
SET ROLE regress_crm_mallory;
CREATE FUNCTION m.chk(text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('my.go') <> '' THEN EXECUTE current_setting('my.go'); END IF;
  RETURN true;
END $$;
CREATE DOMAIN m.d AS text CHECK (m.chk(VALUE));
CREATE FOREIGN TABLE m.a (id uuid OPTIONS (property 'AccountId') NOT NULL, name m.d OPTIONS (property 'Name'),
    alias text OPTIONS (property 'optevia_Alias')) SERVER cdms OPTIONS (entity 'Account');
CREATE FOREIGN TABLE m.b (id uuid OPTIONS (property 'AccountId') NOT NULL, c text,
    name text OPTIONS (property 'Name')) SERVER cdms OPTIONS (entity 'Account', on_missing 'ignore');
SELECT crm_sync.create_store('m.a');
SELECT crm_sync.create_store('m.b');
RESET ROLE;
CREATE TABLE got (what text, n bigint);
-- The same for each way that a statement can be run.
CREATE FUNCTION try(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  way text;
  change text;
  answer text;
BEGIN
  FOREACH way IN ARRAY ARRAY['on', 'off'] LOOP
    PERFORM set_config('crm_sync.store_plans', way, true);
    FOREACH change IN ARRAY ARRAY[
      'ALTER FOREIGN TABLE m.b DROP COLUMN c',
      'ALTER FOREIGN TABLE m.b ALTER c TYPE bigint; '
        'ALTER TABLE m.b_store ALTER c TYPE bigint USING 4702111234474983745',
      'DROP FOREIGN TABLE m.b CASCADE'] LOOP
      BEGIN
        PERFORM set_config('my.go', change, true);
        EXECUTE statement INTO answer;
        RETURN NEXT coalesce(answer, 'nothing');
      EXCEPTION WHEN OTHERS THEN
        RETURN NEXT SQLSTATE || ' ' || regexp_replace(SQLERRM, 'OID \d+', 'OID ...');
      END;
    END LOOP;
  END LOOP;
END $$;
SELECT try($$ SELECT count(*) FROM m.a, m.b WHERE a.id = 'aaaaaaaa-0000-4000-8000-000000000001' AND b.c = 'x' $$);
SELECT try($$ SELECT count(*) FROM m.a, m.b WHERE a.id = 'aaaaaaaa-0000-4000-8000-000000000001' AND b.c IS NULL AND b.name = 'A1' $$);
SELECT try($$ EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT FROM m.a, m.b WHERE a.id = 'aaaaaaaa-0000-4000-8000-000000000001' AND b.c = 'x' $$);
SELECT try($$ INSERT INTO got SELECT a.name, length(b.c) FROM m.a, m.b WHERE a.id = 'aaaaaaaa-0000-4000-8000-000000000001' AND b.c = 'x' $$);
SELECT try($$ UPDATE m.b SET c = 'y' FROM m.a WHERE a.id = 'aaaaaaaa-0000-4000-8000-000000000001' AND b.c = 'x' $$);
-- A store that is altered before it is read.
SET my.go = '';
SET crm_sync.store_plans = off;
BEGIN;
DECLARE c CURSOR FOR SELECT b.name, b.c FROM m.b WHERE b.id = 'aaaaaaaa-0000-4000-8000-000000000001';
ALTER TABLE m.b_store ALTER c TYPE bigint USING 4702111234474983745;
FETCH c;
ROLLBACK;
SET my.go = 'ALTER TABLE m.a_store ALTER alias TYPE pg_catalog."char" USING ''x''';
SELECT count(*) FROM m.a WHERE alias = '50% [off]_sale';
SET my.go = 'ALTER TABLE m.b_store ALTER c TYPE bigint USING 4702111234474983745';
BEGIN;
SELECT count(*) FROM m.a, m.b WHERE a.id = 'aaaaaaaa-0000-4000-8000-000000000001' AND b.c = 'x';
ROLLBACK;
RESET crm_sync.store_plans;
SELECT count(*) FROM m.a, m.b WHERE a.id = 'aaaaaaaa-0000-4000-8000-000000000001' AND b.c = 'x';

--
-- A query that is older than its table: while it is planned a function of the owner's
-- alters that.
--
SET ROLE regress_crm_mallory;
CREATE FUNCTION m.alter() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  IF current_setting('my.go') <> '' THEN EXECUTE current_setting('my.go'); END IF;
  PERFORM set_config('my.go', '', true);
  RETURN true;
END $$;
CREATE FUNCTION m.constant() RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN m.alter(); END $$;
RESET ROLE;
SELECT try($$ SELECT count(*) FROM m.b WHERE c = 'x' AND m.constant() $$);
SELECT try($$ SELECT c FROM m.b WHERE m.constant() $$);
SELECT try($$ INSERT INTO got SELECT c FROM m.b WHERE m.constant() $$);
SELECT try($$ DELETE FROM m.b WHERE c = 'x' AND m.constant() $$);
-- What is planned first is altered as the rest is planned.
SELECT try($$ SELECT (SELECT count(c) FROM m.b) WHERE m.constant() $$);
-- Two statements of a function in SQL, analysed together before 18: the second is older
-- than what the first, as it is planned or as it is run, makes of its table.
CREATE FUNCTION planned() RETURNS text LANGUAGE sql AS $$
  SELECT m.constant();
  SELECT max(c) FROM m.b $$;
CREATE FUNCTION run() RETURNS bigint LANGUAGE sql AS $$
  SELECT name FROM m.a WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
  SELECT count(*) FROM m.b WHERE c = 'x' $$;
SELECT try ~ '^[0-9A-Z]{5} ' AS refused FROM try($$ SELECT planned() $$);
SELECT try ~ '^[0-9A-Z]{5} ' AS refused FROM try($$ SELECT run() $$);
-- A pass-through table.
ALTER FOREIGN TABLE m.b OPTIONS (DROP store), ALTER c OPTIONS (ADD property 'optevia_Alias');
SELECT try($$ SELECT count(*) FROM m.b WHERE c = 'x' AND m.constant() $$);
SELECT try($$ SELECT c FROM m.b WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001' AND m.constant() $$);
SELECT try($$ SELECT (SELECT count(c) FROM m.b WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001') WHERE m.constant() $$);
SELECT count(*) FROM got;

SET my.go = '';
SET client_min_messages = warning;
DROP FUNCTION try(text), planned(), run();
DROP TABLE got;
REVOKE CREATE ON DATABASE :"DBNAME" FROM regress_crm_mallory;
DROP OWNED BY regress_crm_mallory CASCADE;
DROP SERVER cdms CASCADE;
DROP ROLE regress_crm_mallory;
TRUNCATE crm_sync.history, crm_sync.outbox;
