--
-- A read stores what CDMS changed, and so runs triggers, defaults and checks of
-- the store: with the rights of the foreign table's owner, never the reader's.
-- The owner of a table gains nothing from those who read it.
--
\set SHOW_CONTEXT never
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE ROLE regress_crm_mallory;
GRANT USAGE ON FOREIGN SERVER cdms TO regress_crm_mallory;
CREATE USER MAPPING FOR regress_crm_mallory SERVER cdms OPTIONS (password_required 'false');
CREATE SCHEMA m AUTHORIZATION regress_crm_mallory;
\set one aaaaaaaa-0000-4000-8000-000000000001
\set two aaaaaaaa-0000-4000-8000-000000000002
\set new 11111111-0000-4000-8000-000000000001

SET ROLE regress_crm_mallory;
CREATE FOREIGN TABLE m.organisation (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name'),
    modified_on timestamptz OPTIONS (property 'ModifiedOn')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('m.organisation');
-- Who stands behind each stored version.
CREATE TABLE m.seen (n serial, what text, who name);
CREATE FUNCTION m.look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO m.seen (what, who) VALUES (tg_name || ' ' || tg_op || ' ' || new.name, current_user);
    RETURN new;
END $$;
CREATE TRIGGER before BEFORE INSERT OR UPDATE ON m.organisation_store FOR EACH ROW EXECUTE FUNCTION m.look();
CREATE TRIGGER later AFTER INSERT OR UPDATE ON m.organisation_store FOR EACH ROW EXECUTE FUNCTION m.look();
CREATE FUNCTION m.who() RETURNS text LANGUAGE sql VOLATILE RETURN current_user;
ALTER TABLE m.organisation_store ADD COLUMN by_default text DEFAULT m.who();
RESET ROLE;

-- A superuser reads: insert, then update, then in a transaction of several
-- statements.
SELECT name FROM m.organisation WHERE id = :'one';
SELECT cdms.edit('Account', :'one', 'Name', 'Edited');
SELECT name FROM m.organisation WHERE id = :'one';
BEGIN;
SELECT name FROM m.organisation WHERE id = :'two';
COMMIT;
SELECT what, who FROM m.seen ORDER BY n;
SELECT name, by_default FROM m.organisation_store ORDER BY name COLLATE "C";

-- What the trigger may not do it can't do, whoever reads; the reader is told.
SET ROLE regress_crm_mallory;
CREATE FUNCTION m.rise() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    ALTER ROLE regress_crm_mallory SUPERUSER;
    RETURN new;
END $$;
CREATE TRIGGER rise BEFORE UPDATE ON m.organisation_store FOR EACH ROW EXECUTE FUNCTION m.rise();
RESET ROLE;
SELECT cdms.edit('Account', :'one', 'Name', 'Edited again');
SELECT name FROM m.organisation WHERE id = :'one';
SELECT crm_sync.pull('m.organisation');
ANALYZE m.organisation;
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_crm_mallory';
-- Nor can it take another role by itself, or leave a setting in the reader's
-- session.
SET ROLE regress_crm_mallory;
CREATE OR REPLACE FUNCTION m.rise() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('role', 'postgres', false);
    RETURN new;
END $$;
RESET ROLE;
SELECT name FROM m.organisation WHERE id = :'one';
SET ROLE regress_crm_mallory;
CREATE OR REPLACE FUNCTION m.rise() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('search_path', 'm', false);
    RETURN new;
END $$;
RESET ROLE;
SHOW search_path;
SELECT name FROM m.organisation WHERE id = :'one';
SHOW search_path;
-- A deferred trigger would run at the reader's COMMIT, as the reader: refused.
SET ROLE regress_crm_mallory;
DROP TRIGGER rise ON m.organisation_store;
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT OR UPDATE ON m.organisation_store
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION m.look();
RESET ROLE;
SELECT cdms.edit('Account', :'one', 'Name', 'Edited once more');
TRUNCATE m.seen;
SELECT name FROM m.organisation WHERE id = :'one';
SELECT what, who FROM m.seen ORDER BY n;
SET ROLE regress_crm_mallory;
DROP TRIGGER deferred ON m.organisation_store;
RESET ROLE;

-- A trigger of somebody else's, whom the owner has let make one: it runs as the owner
-- too, with no more than he may and without a way to another role.
CREATE ROLE regress_crm_carol;
CREATE TABLE public.regress_crm_secret AS SELECT 'secret' AS word;
SET ROLE regress_crm_mallory;
GRANT USAGE, CREATE ON SCHEMA m TO regress_crm_carol;
GRANT TRIGGER ON m.organisation_store TO regress_crm_carol;
SET ROLE regress_crm_carol;
CREATE FUNCTION m.outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;
CREATE FUNCTION m.attempt() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    statement text;
BEGIN
    FOREACH statement IN ARRAY ARRAY['SELECT FROM m.seen', 'SELECT FROM public.regress_crm_secret', 'RESET ROLE',
                                     'SET ROLE regress_crm_carol', 'SET SESSION AUTHORIZATION DEFAULT',
                                     'ALTER ROLE regress_crm_carol SUPERUSER', 'COPY m.seen TO PROGRAM ''true'''] LOOP
        INSERT INTO m.seen (what, who) VALUES (statement || ': ' || m.outcome(statement), current_user);
    END LOOP;
    RETURN new;
END $$;
CREATE TRIGGER attempt BEFORE INSERT OR UPDATE ON m.organisation_store FOR EACH ROW EXECUTE FUNCTION m.attempt();
RESET ROLE;
SELECT cdms.edit('Account', :'one', 'Name', 'Edited for Carol');
SELECT crm_sync.pull('m.organisation') > 0 AS pulled;
SELECT what, who, count(*) > 1 AS again FROM m.seen WHERE what LIKE '%: %' GROUP BY what, who ORDER BY min(n);
SELECT current_user = session_user AS same;
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_crm_carol';
DROP TRIGGER attempt ON m.organisation_store;

-- After the read, and after one that failed, the reader is who he was.
SELECT current_user = session_user AS same;

-- A write is the writer's own act: his triggers run as he.  What CDMS made of it
-- is read back by the owner again.
TRUNCATE m.seen;
INSERT INTO m.organisation (id, name) VALUES (:'new', 'New');
SELECT what, who = session_user AS writer, who = 'regress_crm_mallory' AS owner FROM m.seen ORDER BY n;

SET client_min_messages = warning;
DROP SCHEMA m CASCADE;
DROP SERVER cdms CASCADE;
RESET client_min_messages;
DROP TABLE public.regress_crm_secret;
DROP ROLE regress_crm_mallory, regress_crm_carol;
