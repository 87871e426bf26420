--
-- An answer to a write is read by code of the table's owner: the checks of its columns'
-- domains.  What they throw is no answer that was lost, nothing that they have half done
-- stays, and what was created is undone.
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

-- A check that breaks off in the middle of a query, once, as a lost connection would.
SET ROLE regress_crm_mallory;
CREATE TABLE m.side (t text);
CREATE SEQUENCE m.times;
CREATE FUNCTION m.break_off() RETURNS void LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'planted' USING ERRCODE = current_setting('my.code'); END $$;
CREATE FUNCTION m.is_fine(text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE r record;
BEGIN
  IF $1 = 'Bang Ltd' AND coalesce(current_setting('my.code', true), '') <> '' AND nextval('m.times') = 1 THEN
    INSERT INTO m.side VALUES ('half done');
    FOR r IN SELECT oid FROM pg_class LOOP
      PERFORM m.break_off();
    END LOOP;
  END IF;
  RETURN true;
END $$;
CREATE DOMAIN m.fine AS text CHECK (m.is_fine(VALUE));
CREATE FOREIGN TABLE m.a (id uuid OPTIONS (property 'AccountId') NOT NULL, name m.fine OPTIONS (property 'Name'))
    SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('m.a');
GRANT SELECT, INSERT, UPDATE ON m.a TO regress_crm_ann;
RESET ROLE;

-- A creation's answer, with what would be a lost connection and a refused login.
SELECT cdms.count('Account');
SELECT cdms.log_clear();
SET ROLE regress_crm_ann;
BEGIN;
INSERT INTO m.a (id, name) VALUES ('dddddddd-0000-4000-8000-000000000001', 'Bang Ltd');
SET LOCAL my.code = '08006';
COMMIT;
RESET ROLE;
SELECT regexp_replace(cdms.log(), '\?.*|\{.*', '');
SELECT cdms.count('Account');
SELECT count(*) FROM m.side;
SELECT count(*) FROM m.a_store;
ALTER SEQUENCE m.times RESTART;
SET ROLE regress_crm_ann;
BEGIN;
INSERT INTO m.a (id, name) VALUES ('dddddddd-0000-4000-8000-000000000002', 'Bang Ltd');
SET LOCAL my.code = '28P01';
COMMIT;
RESET ROLE;
SELECT cdms.count('Account');
SELECT count(*) FROM m.side;

-- What is read back with a change set.
SELECT cdms.switch('batch', 'atomic');
ALTER SERVER cdms OPTIONS (ADD batch 'on');
INSERT INTO m.a (id, name) VALUES ('dddddddd-0000-4000-8000-000000000003', 'C'), ('dddddddd-0000-4000-8000-000000000004', 'D');
ALTER SEQUENCE m.times RESTART;
SET ROLE regress_crm_ann;
BEGIN;
UPDATE m.a SET name = 'Bang Ltd' WHERE id IN ('dddddddd-0000-4000-8000-000000000003', 'dddddddd-0000-4000-8000-000000000004');
SET LOCAL my.code = '08006';
COMMIT;
RESET ROLE;
SELECT cdms.get('Account', 'dddddddd-0000-4000-8000-000000000003', 'Name'), cdms.get('Account', 'dddddddd-0000-4000-8000-000000000004', 'Name');
SELECT count(*) FROM m.side;

-- Nothing was left of it in the session.
SELECT name FROM pg_cursors;
SELECT count(*) FROM m.a WHERE name = 'C';

SET client_min_messages = warning;
DROP SCHEMA m CASCADE;
DROP SERVER cdms CASCADE;
DROP ROLE regress_crm_mallory, regress_crm_ann;
TRUNCATE crm_sync.history, crm_sync.outbox;
