--
-- Who owns a synchronised table may make of it and its store what he likes, also while
-- it is in use.  Nothing of his runs as a reader, no memory is read that is none of his,
-- and the server goes on.  Who may only read or insert makes nothing run as the owner.
--
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
SELECT cdms.reset();
SELECT cdms.create_server($$ max_connections '1' $$);
CREATE ROLE regress_crm_mallory;
CREATE ROLE regress_crm_ann;
GRANT USAGE ON FOREIGN SERVER cdms TO regress_crm_mallory, regress_crm_ann;
CREATE SCHEMA m AUTHORIZATION regress_crm_mallory;
GRANT USAGE ON SCHEMA m TO PUBLIC;
-- What ran with whose rights.
CREATE TABLE loot (who text);
GRANT SELECT, INSERT ON loot TO PUBLIC;
CREATE FUNCTION take(text) RETURNS text LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO public.loot VALUES (current_user); RETURN $1; END $$;

SET ROLE regress_crm_mallory;

-- A view in the place of the store, with a column called ctid and the trigger.
CREATE TABLE m.base (id uuid, name text);
INSERT INTO m.base VALUES ('11111111-0000-4000-8000-000000000001', 'x');
CREATE VIEW m.vstore AS SELECT id, public.take(name) AS name, '(0,1)'::tid AS ctid FROM m.base;
CREATE TRIGGER c INSTEAD OF INSERT OR UPDATE OR DELETE ON m.vstore FOR EACH ROW EXECUTE FUNCTION crm_sync.capture();
CREATE FOREIGN TABLE m.v (id uuid OPTIONS (property 'AccountId') NOT NULL, name text OPTIONS (property 'Name'))
    SERVER cdms OPTIONS (entity 'Account', store 'm.vstore', writes 'queue');
GRANT SELECT ON m.v TO PUBLIC;
RESET ROLE;
SELECT * FROM m.v WHERE id = '11111111-0000-4000-8000-000000000001';
SELECT crm_sync.reconcile('m.v');
SELECT crm_sync.pull('m.v');
SELECT crm_sync.push('m.v');
SELECT store FROM crm_sync.status WHERE foreign_table = 'm.v'::regclass;
-- A rule, whose condition would run.
SET ROLE regress_crm_mallory;
CREATE TABLE m.was_table (id uuid PRIMARY KEY, name text);
CREATE FOREIGN TABLE m.w (id uuid OPTIONS (property 'AccountId') NOT NULL, name text OPTIONS (property 'Name'))
    SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('m.w', 'm.was_table');
CREATE RULE asks AS ON UPDATE TO m.was_table WHERE public.take(OLD.name) IS NULL DO INSTEAD NOTHING;
GRANT SELECT ON m.w TO PUBLIC;
RESET ROLE;
SELECT count(*) FROM m.w WHERE name LIKE 'O''Neil%';
SELECT who, count(*) FROM loot WHERE who <> 'regress_crm_mallory' GROUP BY who;

-- A key that is no uuid: an address, where 16 bytes would be read.
SET ROLE regress_crm_mallory;
CREATE FOREIGN TABLE m.t (id uuid OPTIONS (property 'AccountId') NOT NULL, name text OPTIONS (property 'Name'))
    SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('m.t');
ALTER TABLE m.t_store ALTER id DROP DEFAULT, ALTER id TYPE bigint USING 0;
SET crm_sync.mode = local;
INSERT INTO m.t_store VALUES (4660, 'x');
RESET crm_sync.mode;
SELECT count(*) FROM m.t;
SELECT crm_sync.pull('m.t');
SELECT count(*) FROM crm_sync.reconcile('m.t');
SELECT count(*) FROM crm_sync.as_of(NULL::m.t, now());
SELECT count(*) FROM crm_sync.history WHERE store = 'm.t_store'::regclass;

-- A table that is altered by a cast while as_of makes its rows.
CREATE TYPE m.e AS ENUM ('go');
CREATE FOREIGN TABLE m.h (id uuid OPTIONS (property 'AccountId') NOT NULL, c bytea) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('m.h');
SET crm_sync.mode = local;
ALTER TABLE m.h_store ADD go m.e, ALTER c TYPE text USING NULL;
CREATE FUNCTION m.swap(m.e) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
  ALTER FOREIGN TABLE m.h ALTER c TYPE uuid;
  RETURN '"go"';
END $$;
INSERT INTO m.h_store (c, go) VALUES ('01014141-4141-4141-4141-000000000000', 'go');
CREATE CAST (m.e AS json) WITH FUNCTION m.swap(m.e);
SELECT length(c) FROM crm_sync.as_of(NULL::m.h, now());
RESET crm_sync.mode;

-- A table that is altered by a trigger while a page is stored, and a row that goes to
-- the overlay afterwards: a number would be an address.
RESET ROLE;
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000001', '{"NumberOfEmployees":4660,"Name":"A1"}');
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000002', '{"NumberOfEmployees":4660,"Name":"B1"}');
SET ROLE regress_crm_mallory;
CREATE FOREIGN TABLE m.n (id uuid OPTIONS (property 'AccountId') NOT NULL, name text OPTIONS (property 'Name'),
    n bigint OPTIONS (property 'NumberOfEmployees', type 'Edm.Int32')) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('m.n');
CREATE FUNCTION m.alt() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
 IF NEW.name = 'A1' THEN ALTER FOREIGN TABLE m.n ALTER n TYPE text; END IF;
 IF NEW.name = 'B1' THEN RAISE EXCEPTION USING ERRCODE = '55P03'; END IF;
 RETURN NULL; END $$;
CREATE TRIGGER alt AFTER INSERT ON m.n_store FOR EACH ROW EXECUTE FUNCTION m.alt();
SELECT n FROM m.n WHERE id IN ('aaaaaaaa-0000-4000-8000-000000000001', 'aaaaaaaa-0000-4000-8000-000000000002');
-- The store under its own statements.
CREATE OR REPLACE FUNCTION m.alt() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
 ALTER TABLE m.n_store RENAME TO n_elsewhere;
 CREATE VIEW m.n_store AS SELECT id, public.take(name) AS name, n FROM m.n_elsewhere;
 RETURN NULL; END $$;
DROP TRIGGER alt ON m.n_store;
CREATE TRIGGER alt AFTER INSERT ON m.n_store FOR EACH STATEMENT EXECUTE FUNCTION m.alt();
GRANT SELECT ON m.n TO PUBLIC;
RESET ROLE;
SELECT count(*) FROM m.n;
SELECT who, count(*) FROM loot WHERE who <> 'regress_crm_mallory' GROUP BY who;

-- Keys that are null; a column that has the name of our alias.
SET ROLE regress_crm_mallory;
CREATE FOREIGN TABLE m.c (id uuid OPTIONS (property 'AccountId') NOT NULL, name text OPTIONS (property 'Name'))
    SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('m.c');
ALTER TABLE m.c_store DROP CONSTRAINT c_store_pkey;
ALTER TABLE m.c_store ALTER id DROP NOT NULL, ALTER id DROP DEFAULT, ADD UNIQUE (id), ADD s jsonb;
ALTER TABLE m.c_store DISABLE TRIGGER USER;
INSERT INTO m.c_store (id, name, s) VALUES ('eeeeeeee-0000-4000-8000-000000000001', 'b', NULL), ('eeeeeeee-0000-4000-8000-000000000002', 'c', '{"name":"forged"}');
ALTER TABLE m.c_store ENABLE TRIGGER USER;
SELECT name FROM crm_sync.as_of(NULL::m.c, now()) ORDER BY name;
ALTER TABLE m.c_store DISABLE TRIGGER USER;
INSERT INTO m.c_store (name) VALUES ('x');
ALTER TABLE m.c_store ENABLE TRIGGER USER;
SELECT count(*) FROM crm_sync.as_of(NULL::m.c, now());
SELECT count(*) FROM m.c WHERE name = 'x';
SELECT count(*) FROM crm_sync.reconcile('m.c');
SET crm_sync.mode = local;
UPDATE m.c SET name = 'y' WHERE name = 'x';
RESET crm_sync.mode;
ALTER TABLE m.c_store DISABLE TRIGGER USER;
TRUNCATE m.c_store;
ALTER TABLE m.c_store ENABLE TRIGGER USER;
CREATE FUNCTION m.nul() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.id := NULL; RETURN NEW; END $$;
CREATE TRIGGER nul BEFORE INSERT ON m.c_store FOR EACH ROW EXECUTE FUNCTION m.nul();
SELECT count(*) FROM m.c WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';

-- A domain's check that alters the store between the reader's conditions and their plan.
CREATE FUNCTION m.kchk(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
 IF current_setting('my.victim', true) = 'on' THEN
  PERFORM set_config('my.victim', 'off', false);
  ALTER TABLE m.k_store ALTER name TYPE pg_catalog."char" USING 'x';
  ANALYZE m.k_store;
 END IF;
 RETURN true; END $$;
CREATE DOMAIN m.kd AS int CHECK (m.kchk(VALUE));
CREATE FOREIGN TABLE m.k (id uuid OPTIONS (property 'AccountId') NOT NULL, name text OPTIONS (property 'Name'),
    n m.kd OPTIONS (property 'NumberOfEmployees')) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('m.k');
GRANT SELECT ON m.k TO PUBLIC;
SELECT count(*) FROM m.k;
RESET ROLE;
SET my.victim = 'on';
SELECT count(*) FROM m.k WHERE name = 'A1';

-- What is asked of a table by somebody who may not runs nothing of its owner's.
SET ROLE regress_crm_mallory;
CREATE DOMAIN m.loud AS text CHECK (public.take(VALUE) IS NOT NULL);
CREATE FOREIGN TABLE m.l (id uuid OPTIONS (property 'AccountId') NOT NULL,
    name m.loud OPTIONS (property 'Name', constant 'x')) SERVER cdms OPTIONS (entity 'Account');
\c -
TRUNCATE loot;
SET ROLE regress_crm_ann;
SELECT crm_sync.pull('m.l');
SELECT crm_sync.create_store('m.l');
SELECT crm_sync.prune_history('m.l', now());
RESET ROLE;
SELECT who FROM loot;

--
-- The other way round: a superuser's table, and somebody who may insert and read.
--
CREATE SCHEMA crm;
GRANT USAGE ON SCHEMA crm TO PUBLIC;
CREATE DOMAIN crm.word AS text;
CREATE FUNCTION crm.is_word(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN length($1) > 0; END $$;
ALTER DOMAIN crm.word ADD CHECK (crm.is_word(VALUE));
CREATE FOREIGN TABLE crm.org (id uuid OPTIONS (property 'AccountId') NOT NULL, name crm.word OPTIONS (property 'Name'),
    noted timestamptz, shout text) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.org');
ALTER TABLE crm.org_store ALTER noted SET DEFAULT now();
CREATE FUNCTION crm.shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.shout := upper(NEW.name); RETURN NEW; END $$;
CREATE TRIGGER shout BEFORE INSERT ON crm.org_store FOR EACH ROW EXECUTE FUNCTION crm.shout();
CREATE FUNCTION crm.trim() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := btrim(NEW.name); RETURN NEW; END $$;
CREATE TRIGGER t BEFORE INSERT ON crm.org FOR EACH ROW EXECUTE FUNCTION crm.trim();
GRANT SELECT, INSERT ON crm.org TO regress_crm_mallory;
TRUNCATE loot;
-- Functions of the same names, in a schema that her superuser sees and she does not.
SET ROLE regress_crm_mallory;
CREATE FUNCTION m.now() RETURNS timestamptz LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM public.take(''); RETURN '2000-01-01'; END $$;
CREATE FUNCTION m.upper(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN public.take('MINE'); END $$;
CREATE FUNCTION m.length(text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM public.take(''); RETURN 1; END $$;
CREATE FUNCTION m.length(crm.word) RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM public.take(''); RETURN 1; END $$;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA m TO PUBLIC;
SET search_path = m, pg_catalog;
SELECT name FROM crm.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000003';
REVOKE USAGE ON SCHEMA m FROM regress_crm_mallory, PUBLIC;
SET crm_sync.mode = local;
INSERT INTO crm.org (id, name) VALUES ('dddddddd-0000-4000-8000-000000000001', ' x ');
RESET crm_sync.mode;
RESET search_path;
RESET ROLE;
SELECT DISTINCT who FROM loot WHERE who <> 'regress_crm_mallory';
SELECT name, shout, noted > '2001-01-01' FROM crm.org_store ORDER BY name COLLATE "C";
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_crm_mallory';

-- A reader's search_path or temporary tables make nobody load again.
GRANT SELECT ON crm.org TO regress_crm_ann;
DROP TRIGGER t ON crm.org;
DELETE FROM crm_sync.outbox;
SET crm_sync.mode = local;
DELETE FROM crm.org_store WHERE name = 'x';
DELETE FROM crm_sync.outbox;
RESET crm_sync.mode;
ALTER FOREIGN TABLE crm.org ADD modified_on timestamptz OPTIONS (property 'ModifiedOn');
SELECT crm_sync.create_store('crm.org');
SELECT crm_sync.pull('crm.org') > 400;
SELECT cdms.log_clear();
SELECT count(*) FROM crm.org;
SELECT cdms.requests();
SET ROLE regress_crm_ann;
CREATE TEMPORARY TABLE uuid ();
SELECT count(*) FROM crm.org;
RESET ROLE;
SELECT cdms.requests();
SELECT count(*) FROM crm.org;
SELECT cdms.requests();
DROP TABLE pg_temp.uuid;

-- What a setting, a role or the time is part of, is asked anew within max_age.
ALTER FOREIGN TABLE crm.org OPTIONS (ADD max_age '1h');
DELETE FROM crm_sync.progress;
ALTER TABLE crm.org_store DISABLE TRIGGER USER;
TRUNCATE crm.org_store;
ALTER TABLE crm.org_store ENABLE TRIGGER USER;
SET my.name = 'nobody';
SELECT count(*) FROM crm.org WHERE name = current_setting('my.name');
SET my.name = 'A1';
SELECT count(*) FROM crm.org WHERE name = current_setting('my.name');

SET client_min_messages = warning;
DROP SCHEMA m CASCADE;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
DROP FUNCTION take(text);
DROP TABLE loot;
DROP ROLE regress_crm_mallory, regress_crm_ann;
TRUNCATE crm_sync.history, crm_sync.outbox;
