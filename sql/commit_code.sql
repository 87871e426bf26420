--
-- Code of a store's owner runs in the COMMIT, as what CDMS made of a write is read back:
-- there, as anywhere, what it begins is ended.  And the COMMIT is the COMMIT, whatever
-- closes cursors before.
--
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
TRUNCATE crm_sync.history, crm_sync.outbox;
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.org (
    id     uuid OPTIONS (property 'AccountId') NOT NULL,
    name   text OPTIONS (property 'Name'),
    edited timestamptz OPTIONS (property 'ModifiedOn')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.org');
\set one aaaaaaaa-0000-4000-8000-000000000001
\set two 11111111-0000-4000-8000-000000000002
CREATE VIEW crm.told AS SELECT regexp_replace(log, ' .* ->', ' ->') FROM cdms.log() AS log;

-- ------------------------------------------------------- a cursor left open
CREATE FUNCTION crm.leave() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    left_open refcursor := 'left_open';
BEGIN
    IF NOT EXISTS (SELECT FROM pg_cursors WHERE name = 'left_open') THEN
        OPEN left_open FOR SELECT relname FROM pg_class;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER leave AFTER UPDATE ON crm.org_store FOR EACH ROW EXECUTE FUNCTION crm.leave();
INSERT INTO crm.org (id, name) VALUES (:'two', 'Two');
SELECT edited IS NOT NULL FROM crm.org_store;
FETCH ALL FROM left_open;
SELECT count(*) FROM pg_cursors;
-- One that is kept, and fails: it is run as long as all can be undone.
CREATE OR REPLACE FUNCTION crm.leave() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_cursors WHERE name = 'kept_open') THEN
        EXECUTE 'DECLARE kept_open CURSOR WITH HOLD FOR SELECT 1 / (3 - i) FROM generate_series(1, 5) i';
    END IF;
    RETURN NULL;
END $$;
SELECT cdms.log_clear();
INSERT INTO crm.org (id, name) VALUES ('11111111-0000-4000-8000-000000000009', 'Nine');
TABLE crm.told;
-- Or all closed, by who is in the midst of it.
CREATE OR REPLACE FUNCTION crm.leave() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'CLOSE ALL';
    RETURN NULL;
END $$;
UPDATE crm.org SET name = 'Two and all' WHERE id = :'two';
SELECT name FROM crm.org_store;
DROP TRIGGER leave ON crm.org_store;

-- -------------------------------------------- a constraint that is put off there
CREATE TABLE crm.town (name text PRIMARY KEY);
CREATE TABLE crm.visit (org uuid, town text REFERENCES crm.town DEFERRABLE);
CREATE FUNCTION crm.put_off() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SET CONSTRAINTS ALL DEFERRED;
    INSERT INTO crm.visit VALUES (NEW.id, 'nowhere');
    RETURN NULL;
END $$;
CREATE TRIGGER put_off AFTER UPDATE OF edited ON crm.org_store FOR EACH ROW
    WHEN (OLD.edited IS DISTINCT FROM NEW.edited) EXECUTE FUNCTION crm.put_off();
SELECT cdms.log_clear();
\set VERBOSITY terse
INSERT INTO crm.org (id, name) VALUES ('11111111-0000-4000-8000-000000000003', 'Three');
\set VERBOSITY default
TABLE crm.told;
SELECT count(*) FROM crm.visit;
SELECT count(*) FROM crm.org_store WHERE name = 'Three';
DROP TRIGGER put_off ON crm.org_store;
-- One that writes another object in its turn: that is sent as well.
CREATE FUNCTION crm.passed_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE crm.org_store SET name = 'Passed on' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION crm.put_off() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SET CONSTRAINTS ALL DEFERRED;
    INSERT INTO crm.visit VALUES (NEW.id);
    RETURN NULL;
END $$;
SELECT name FROM crm.org WHERE id = :'one';
CREATE CONSTRAINT TRIGGER passed_on AFTER INSERT ON crm.visit DEFERRABLE FOR EACH ROW EXECUTE FUNCTION crm.passed_on();
CREATE TRIGGER put_off AFTER UPDATE OF edited ON crm.org_store FOR EACH ROW
    WHEN (NEW.name = 'Four') EXECUTE FUNCTION crm.put_off();
INSERT INTO crm.org (id, name) VALUES ('11111111-0000-4000-8000-000000000004', 'Four');
SELECT cdms.log('MERGE');
SELECT count(*) FROM crm_sync.outbox;
DROP TRIGGER put_off ON crm.org_store;
DROP TABLE crm.visit;

-- What was written before the transaction became READ ONLY is sent.
SELECT cdms.log_clear();
BEGIN;
UPDATE crm.org SET name = 'Before' WHERE id = :'two';
SET TRANSACTION READ ONLY;
COMMIT;
SELECT cdms.log('MERGE');

-- -------------------------------------------------------------- CLOSE ALL
SELECT cdms.log_clear();
BEGIN;
UPDATE crm.org SET name = 'Closed' WHERE id = :'two';
CLOSE ALL;
SELECT count(*) FROM cdms.log('MERGE');
SAVEPOINT s;
UPDATE crm.org SET name = 'Never' WHERE id = :'two';
CLOSE ALL;
ROLLBACK TO s;
DECLARE kept CURSOR WITH HOLD FOR SELECT name FROM crm.org WHERE id = :'two';
COMMIT;
SELECT cdms.log('MERGE');
FETCH ALL FROM kept;
CLOSE kept;
-- A cursor that is kept is run before anything is sent: it may fail.  The order of
-- cursors is nobody's.
SELECT cdms.log_clear();
SELECT format('BEGIN; DECLARE c%s CURSOR WITH HOLD FOR SELECT 1 / (3 - i) FROM generate_series(1, 5) i; '
              'UPDATE crm.org SET name = ''Kept %s'' WHERE id = %L; COMMIT', n, n, :'two')
    FROM generate_series(1, 12) n \gexec
SELECT cdms.log('MERGE');
SELECT cdms.log_clear();
BEGIN;
UPDATE crm.org SET name = 'Rolled back' WHERE id = :'two';
CLOSE ALL;
ROLLBACK;
SELECT cdms.log('MERGE');
-- It is not among the cursors.
BEGIN;
UPDATE crm.org SET name = 'Shown' WHERE id = :'two';
SELECT count(*) FROM pg_cursors;
ROLLBACK;
-- In a procedure, in a subtransaction.
DO $$ BEGIN
    BEGIN
        UPDATE crm.org SET name = 'In a block' WHERE id = '11111111-0000-4000-8000-000000000002';
    EXCEPTION WHEN division_by_zero THEN
        NULL;
    END;
    COMMIT;
    UPDATE crm.org SET name = 'After it' WHERE id = '11111111-0000-4000-8000-000000000002';
    ROLLBACK;
END $$;
SELECT cdms.log('MERGE');

-- ------------------------------------------------------ PREPARE TRANSACTION
-- Refused, and nothing is sent, neither what this transaction wrote nor what a read
-- would take along.
SET crm_sync.mode = local;
INSERT INTO crm.org (id, name) VALUES ('11111111-0000-4000-8000-000000000005', 'Waits');
RESET crm_sync.mode;
SELECT cdms.log_clear();
BEGIN;
UPDATE crm.org SET name = 'Prepared' WHERE id = :'two';
PREPARE TRANSACTION 'crm';
BEGIN;
SELECT count(*) FROM crm.org WHERE id = :'two';
PREPARE TRANSACTION 'crm';
SELECT count(*) FROM crm.told WHERE regexp_replace !~ '^GET';
ROLLBACK PREPARED 'crm';
SELECT count(*) FROM crm.org WHERE id = :'two';
TABLE crm.told;
-- One that had failed is over.
BEGIN;
SELECT 1 / 0;
PREPARE TRANSACTION 'crm';
UPDATE crm.org SET name = 'After it all' WHERE id = :'two';
SELECT cdms.log('MERGE');

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
