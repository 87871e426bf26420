--
-- Code that the owner of a table has put into its types runs as he, whoever
-- reads: checks of domains on what CDMS sent, on the option "constant", on what
-- crm_sync.as_of brings back; casts to json.  What can run as the reader only, a
-- conversion between a store's column and the foreign table's, is refused to all
-- but the owner.
--
\set SHOW_CONTEXT never
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE ROLE regress_crm_mallory;
CREATE ROLE regress_crm_alice;
GRANT USAGE ON FOREIGN SERVER cdms TO regress_crm_mallory;
CREATE SCHEMA m AUTHORIZATION regress_crm_mallory;
\set one aaaaaaaa-0000-4000-8000-000000000001

SET ROLE regress_crm_mallory;
GRANT USAGE ON SCHEMA m TO regress_crm_alice;
-- The code, which wants to be somebody else; that it ran, a rollback leaves.
CREATE SEQUENCE m.calls;
CREATE FUNCTION m.look(place text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF current_user <> 'regress_crm_mallory' THEN
        RAISE WARNING '%: trapped', place;
    END IF;
    PERFORM nextval('m.calls');
    RETURN true;
END $$;
CREATE FUNCTION m.ran() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    result boolean := (SELECT is_called FROM m.calls);
BEGIN
    PERFORM setval('m.calls', 1, false);
    RETURN result;
END $$;
CREATE FUNCTION m.rise() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    ALTER ROLE regress_crm_mallory SUPERUSER;
    RETURN true;
END $$;
CREATE DOMAIN m.name AS text CHECK (m.look('check of a domain'));
CREATE FOREIGN TABLE m.organisation (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name m.name OPTIONS (property 'Name'),
    city text OPTIONS (property 'optevia_TownCity')
) SERVER cdms OPTIONS (entity 'Account');
GRANT SELECT, UPDATE ON m.organisation TO regress_crm_alice;
RESET ROLE;

-- Passed through, and synchronised; a superuser, and somebody else.
SELECT name FROM m.organisation WHERE id = :'one';
SELECT m.ran();
SET ROLE regress_crm_mallory;
SELECT crm_sync.create_store('m.organisation');
RESET ROLE;
SELECT name FROM m.organisation WHERE id = :'one';
SELECT m.ran();
SET ROLE regress_crm_alice;
SELECT name FROM m.organisation WHERE id = :'one';
RESET ROLE;
SELECT m.ran();
-- What a check may not do, it can't do.
SET ROLE regress_crm_mallory;
ALTER DOMAIN m.name ADD CONSTRAINT rise CHECK (m.rise()) NOT VALID;
RESET ROLE;
SELECT name FROM m.organisation WHERE id = :'one';
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_crm_mallory';
SET ROLE regress_crm_mallory;
ALTER DOMAIN m.name DROP CONSTRAINT rise;
RESET ROLE;
SELECT current_user = session_user AS same;

-- The option "constant" is read by who writes, and not by who looks at all tables.
SET ROLE regress_crm_mallory;
ALTER FOREIGN TABLE m.organisation ALTER name OPTIONS (ADD constant 'Constant Ltd');
\c -
\set SHOW_CONTEXT never
SELECT m.ran() IS NOT NULL AS forgotten;
SELECT foreign_table FROM crm_sync.status;
SELECT m.ran();
UPDATE m.organisation_store SET city = 'Ely' WHERE id = :'one';
SELECT m.ran();
SET ROLE regress_crm_mallory;
ALTER FOREIGN TABLE m.organisation ALTER name OPTIONS (DROP constant);
RESET ROLE;

-- The past: domains on the way from history, casts to json on the way from the
-- store.
SELECT name FROM crm_sync.as_of(NULL::m.organisation, now());
SELECT m.ran();
SET ROLE regress_crm_mallory;
CREATE TYPE m.note AS ENUM ('x');
CREATE FUNCTION m.to_json(m.note) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    PERFORM m.look('cast to json');
    RETURN to_json('x'::text);
END $$;
CREATE CAST (m.note AS json) WITH FUNCTION m.to_json(m.note);
CREATE TABLE m.adopted (id uuid PRIMARY KEY, name m.name, city text, note m.note);
INSERT INTO m.adopted VALUES ('22222222-0000-4000-8000-000000000001', 'Here', 'Ely', 'x');
CREATE FOREIGN TABLE m.organisation2 (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    city text OPTIONS (property 'optevia_TownCity')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('m.organisation2', 'm.adopted');
RESET ROLE;
SELECT m.ran();
SELECT city FROM crm_sync.as_of(NULL::m.organisation2, now());
SELECT m.ran();

-- A store whose column has to be converted: by a domain, by a cast of the
-- owner's.
SET ROLE regress_crm_mallory;
ALTER TABLE m.organisation_store ALTER name TYPE text;
SELECT name FROM m.organisation WHERE id = :'one';
RESET ROLE;
SELECT name FROM m.organisation WHERE id = :'one';
SELECT name FROM m.organisation WHERE name = 'x';
SELECT count(*) FROM m.organisation WHERE city = 'x';
UPDATE m.organisation SET city = 'x' WHERE id = :'one' RETURNING name;
SET ROLE regress_crm_mallory;
CREATE TYPE m.shade AS ENUM ('light', 'dark');
CREATE FUNCTION m.to_text(m.shade) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM m.look('cast to text');
    RETURN 'light';
END $$;
CREATE CAST (m.shade AS text) WITH FUNCTION m.to_text(m.shade) AS ASSIGNMENT;
ALTER TABLE m.organisation_store ALTER name TYPE m.name, ALTER city TYPE m.shade USING 'light';
RESET ROLE;
SELECT city FROM m.organisation WHERE id = :'one';
-- PostgreSQL's own conversions do.
SET ROLE regress_crm_mallory;
ALTER TABLE m.organisation_store ALTER city TYPE varchar(80) USING NULL;
RESET ROLE;
SELECT city FROM m.organisation WHERE id = :'one';

-- What is immutable may run when a statement is planned: a default, as a row is
-- stored; the predicate of an index.
SET ROLE regress_crm_mallory;
CREATE FUNCTION m.fixed(int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    PERFORM m.look('immutable function');
    RETURN 'x';
END $$;
ALTER TABLE m.organisation_store ADD COLUMN note text DEFAULT m.fixed(1);
CREATE INDEX ON m.organisation_store (note) WHERE m.fixed(2) = 'x';
\c -
\set SHOW_CONTEXT never
SELECT m.ran() IS NOT NULL;
SELECT crm_sync.pull('m.organisation') > 100;
SELECT m.ran();
DROP INDEX m.organisation_store_note_idx;

-- What is pending of hers, whoever sends it.
SET ROLE regress_crm_mallory;
SET crm_sync.mode = local;
UPDATE m.organisation SET name = 'Pending Ltd' WHERE id = :'one';
RESET crm_sync.mode;
RESET ROLE;
SELECT m.ran();
SELECT crm_sync.push('m.organisation');
SELECT m.ran();

SET client_min_messages = warning;
DROP SCHEMA m CASCADE;
DROP SERVER cdms CASCADE;
RESET client_min_messages;
DROP ROLE regress_crm_mallory, regress_crm_alice;
TRUNCATE crm_sync.history, crm_sync.outbox;
