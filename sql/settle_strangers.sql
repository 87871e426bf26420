--
-- What an interrupted COMMIT has left in CDMS is undone by who reads one of the
-- owner's tables, and by nobody else: undoing runs the owner's checks, and tells of
-- his objects.  Who has to wait for it may cancel.
--
\set SHOW_CONTEXT never
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE ROLE regress_crm_mallory;
CREATE ROLE regress_crm_victim;
GRANT USAGE ON FOREIGN SERVER cdms TO regress_crm_mallory;
CREATE USER MAPPING FOR regress_crm_mallory SERVER cdms OPTIONS (password_required 'false');
CREATE SCHEMA crm;
CREATE SCHEMA m AUTHORIZATION regress_crm_mallory;
GRANT USAGE ON SCHEMA crm, m TO PUBLIC;
CREATE FOREIGN TABLE crm.organisation (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
GRANT SELECT ON crm.organisation TO regress_crm_victim;

-- A check that says who runs it, throws or waits: as it is told in m.mood.
SET SESSION AUTHORIZATION regress_crm_mallory;
CREATE TABLE m.mood (says text);
INSERT INTO m.mood VALUES ('good');
CREATE FUNCTION m.check(text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    mood text := (SELECT says FROM m.mood);
BEGIN
    IF session_user <> 'regress_crm_mallory' THEN
        RAISE WARNING 'the check runs in the session of %', session_user;
    END IF;
    IF mood = 'bad' AND $1 = 'Sent' THEN
        RAISE EXCEPTION 'it is not for you to undo this';
    ELSIF mood = 'false' AND $1 = 'Sent' THEN
        RAISE EXCEPTION USING ERRCODE = 'query_canceled', MESSAGE = 'canceled by the check';
    ELSIF mood = 'slow' AND $1 = 'Sent' THEN
        PERFORM pg_catalog.pg_sleep(600);
    END IF;
    RETURN true;
END $$;
CREATE DOMAIN m.name AS text CHECK (m.check(VALUE));
CREATE FOREIGN TABLE m.person (
    id   uuid OPTIONS (property 'ContactId') NOT NULL,
    name m.name OPTIONS (property 'LastName')
) SERVER cdms OPTIONS (entity 'Contact');
CREATE FOREIGN TABLE m.organisation (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('m.person'), crm_sync.create_store('m.organisation');
GRANT SELECT ON m.organisation TO regress_crm_victim;
\set person eeeeeeee-0000-4000-8000-000000000001
\set organisation eeeeeeee-0000-4000-8000-000000000002
INSERT INTO m.person (id, name) VALUES (:'person', 'Before');
INSERT INTO m.organisation (id, name) VALUES (:'organisation', 'Before');

-- The second write is refused, and the first is not undone.  A check that throws what
-- a cancel throws does not make the COMMIT try for ever.
BEGIN;
UPDATE m.person SET name = 'Sent' WHERE id = :'person';
UPDATE m.organisation SET name = repeat('too long', 100) WHERE id = :'organisation';
UPDATE m.mood SET says = 'false';
\set VERBOSITY terse
COMMIT;
\set VERBOSITY default
UPDATE m.mood SET says = 'bad';
SELECT foreign_table, unresolved FROM crm_sync.status WHERE unresolved > 0;
RESET SESSION AUTHORIZATION;
SELECT cdms.get('Contact', :'person', 'LastName');

-- Somebody who reads another owner's table neither runs that code nor asks for it.
SELECT cdms.log_clear();
SET SESSION AUTHORIZATION regress_crm_victim;
SELECT name FROM crm.organisation WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
RESET SESSION AUTHORIZATION;
SELECT count(*) AS about_contacts FROM cdms.log() AS log WHERE log LIKE '%ContactSet%';
-- Who reads one of that owner's does; and the read goes on.  What was asked for others is
-- not told him, also where he wants to know.
SET SESSION AUTHORIZATION regress_crm_victim;
SET crm_sync.log_requests = notice;
SELECT name FROM m.organisation WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
RESET crm_sync.log_requests;
-- A check that takes its time takes no more than the reader has, nor does one that
-- throws the same.
RESET SESSION AUTHORIZATION;
UPDATE m.mood SET says = 'slow';
SET SESSION AUTHORIZATION regress_crm_victim;
SET statement_timeout = '1s';
SELECT name FROM m.organisation WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
RESET statement_timeout;
RESET SESSION AUTHORIZATION;
UPDATE m.mood SET says = 'false';
SET SESSION AUTHORIZATION regress_crm_victim;
SELECT name FROM m.organisation WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
RESET SESSION AUTHORIZATION;
SELECT cdms.get('Contact', :'person', 'LastName');

-- With nothing in its way it is undone by the next read.  (The warning has a date.)
UPDATE m.mood SET says = 'good';
SET SESSION AUTHORIZATION regress_crm_victim;
SET client_min_messages = error;
SELECT name FROM m.organisation WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
RESET client_min_messages;
RESET SESSION AUTHORIZATION;
SELECT cdms.get('Contact', :'person', 'LastName');
SELECT count(*) FROM crm_sync.status WHERE unresolved > 0;

-- Describing a table does not run its owner's checks, of constants either.
SET SESSION AUTHORIZATION regress_crm_mallory;
CREATE FOREIGN TABLE m.constant (
    id   uuid OPTIONS (property 'ContactId') NOT NULL,
    name m.name OPTIONS (property 'LastName', constant 'Sent')
) SERVER cdms OPTIONS (entity 'Contact', store 'x');
GRANT SELECT ON m.constant TO PUBLIC;
UPDATE m.mood SET says = 'slow';
RESET SESSION AUTHORIZATION;
SET client_min_messages = error;
SET statement_timeout = '1s';
SELECT foreign_table, last_error FROM crm_sync.status ORDER BY foreign_table::text;
RESET statement_timeout;

DROP SCHEMA crm, m CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
DROP ROLE regress_crm_mallory, regress_crm_victim;
