--
-- What a change leaves in history and outbox is there at once: users' triggers
-- see it, savepoints and exception blocks take it away, and nothing else.
--
SET client_min_messages = warning;
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id    uuid OPTIONS (property 'AccountId') NOT NULL,
    name  text OPTIONS (property 'Name'),
    alias text OPTIONS (property 'optevia_Alias')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
CREATE FOREIGN TABLE crm.sector (
    id   uuid OPTIONS (property 'optevia_sectorId') NOT NULL,
    name text OPTIONS (property 'optevia_name')
) SERVER cdms OPTIONS (entity 'optevia_sector');
SELECT crm_sync.create_store('crm.sector');
\set one aaaaaaaa-0000-4000-8000-000000000001
SELECT count(*) FROM crm.organisation WHERE name LIKE 'O''Neil%';
TRUNCATE crm_sync.history, crm_sync.outbox;
SET crm_sync.mode = local;
CREATE VIEW crm.changes AS
    SELECT store, operation, origin, coalesce(after, before) ->> 'name' AS name FROM crm_sync.history ORDER BY id;
CREATE VIEW crm.waiting AS
    SELECT o.store, o.operation, o.columns, o.changed, o.base - 'id' AS base, h.after ->> 'name' AS history
    FROM crm_sync.outbox o LEFT JOIN crm_sync.history h ON h.id = o.history ORDER BY o.id;

-- A trigger sees its row's entries and those before it, and writes another store
-- in answer: its entries follow those of the row that caused them.
CREATE TABLE crm.seen (n serial, name text, history bigint, outbox bigint);
CREATE FUNCTION crm.answer() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    INSERT INTO crm.seen (name, history, outbox)
        VALUES (new.name, (SELECT count(*) FROM crm_sync.history), (SELECT count(*) FROM crm_sync.outbox));
    INSERT INTO crm.sector_store (name) VALUES ('for ' || new.name);
    RETURN NULL;
END
$$;
CREATE TRIGGER answer AFTER INSERT ON crm.organisation_store FOR EACH ROW EXECUTE FUNCTION crm.answer();
INSERT INTO crm.organisation_store (name) VALUES ('A'), ('B'), ('C');
SELECT name, history, outbox FROM crm.seen ORDER BY n;
TABLE crm.changes;
SELECT operation, changed ->> 'name' AS name, base FROM crm.waiting;

-- The same through the foreign table, and by COPY.
TRUNCATE crm_sync.history, crm_sync.outbox, crm.seen;
INSERT INTO crm.organisation (name) VALUES ('D'), ('E');
COPY crm.organisation (name) FROM STDIN;
F
G
\.
SELECT name, history, outbox FROM crm.seen ORDER BY n;
TABLE crm.changes;

-- A pulled page: the rows are CDMS's, what the trigger writes is the CRM's own.
TRUNCATE crm_sync.history, crm_sync.outbox, crm.seen;
DELETE FROM crm.organisation_store WHERE id = :'one';
TRUNCATE crm_sync.history, crm_sync.outbox;
SET crm_sync.mode = sync;
SELECT cdms.log_clear();
BEGIN;
SELECT name FROM crm.organisation WHERE name LIKE 'O''Neil%';
SELECT name, history, outbox FROM crm.seen ORDER BY n;
TABLE crm.changes;
SELECT store, operation, changed ->> 'name' AS changed FROM crm.waiting;
ROLLBACK;
TABLE crm.changes;
SELECT count(*) FROM crm_sync.outbox;
SET crm_sync.mode = local;

-- What an exception block or a savepoint undoes leaves nothing; what came before
-- and after it stays.
TRUNCATE crm_sync.history, crm_sync.outbox, crm.seen;
DO
$$
BEGIN
    INSERT INTO crm.organisation_store (name) VALUES ('before');
    BEGIN
        INSERT INTO crm.organisation (name) VALUES ('within');
        PERFORM 1 / (SELECT count(*) - 4 FROM crm_sync.history);
    EXCEPTION WHEN division_by_zero THEN
        INSERT INTO crm.organisation (name)
            SELECT 'history has ' || count(*) FROM crm_sync.history;
    END;
    INSERT INTO crm.organisation_store (name) VALUES ('after');
END
$$;
TABLE crm.changes;
BEGIN;
SAVEPOINT s;
INSERT INTO crm.organisation (name) VALUES ('to be undone');
ROLLBACK TO s;
INSERT INTO crm.organisation (name) VALUES ('kept');
COMMIT;
SELECT name FROM crm.changes WHERE store = 'crm.organisation_store'::regclass;

-- A statement that fails at its last row leaves nothing of the others.
DROP TRIGGER answer ON crm.organisation_store;
TRUNCATE crm_sync.history, crm_sync.outbox;
INSERT INTO crm.organisation (id, name)
    SELECT CASE i WHEN 1000 THEN :'one' ELSE gen_random_uuid() END::uuid, 'row ' || i
    FROM generate_series(1, 1001) i;
\set VERBOSITY terse
INSERT INTO crm.organisation (id, name)
    SELECT CASE i WHEN 1000 THEN :'one' ELSE gen_random_uuid() END::uuid, 'row ' || i
    FROM generate_series(1, 1000) i;
\set VERBOSITY default
SELECT operation, count(*), count(DISTINCT key) FROM crm_sync.history GROUP BY 1;
INSERT INTO crm.organisation (id, name)
    SELECT CASE i WHEN 1000 THEN :'one' ELSE gen_random_uuid() END::uuid, 'more ' || i
    FROM generate_series(1, 1001) i ON CONFLICT DO NOTHING;
SELECT left(after ->> 'name', 4) AS name, count(*), count(DISTINCT key) FROM crm_sync.history GROUP BY 1 ORDER BY 1;
SELECT count(*), count(DISTINCT history) FROM crm_sync.outbox;

-- What the outbox keeps of each kind of change.
TRUNCATE crm_sync.history, crm_sync.outbox;
INSERT INTO crm.organisation_store (id, name) VALUES ('00000000-0000-4000-8000-000000000009', 'Nine "9" \ é');
UPDATE crm.organisation_store SET alias = 'IX' WHERE id = '00000000-0000-4000-8000-000000000009';
UPDATE crm.organisation_store SET alias = NULL, name = 'Nine' WHERE id = '00000000-0000-4000-8000-000000000009';
DELETE FROM crm.organisation_store WHERE id = '00000000-0000-4000-8000-000000000009';
TABLE crm.waiting;

-- A user's trigger on history itself, and a column of his own with a default.
CREATE TABLE crm.log (n serial, line text);
CREATE FUNCTION crm.note() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO crm.log (line) VALUES (new.operation || ' ' || (new.after ->> 'name')); RETURN NULL; END $$;
CREATE TRIGGER note AFTER INSERT ON crm_sync.history FOR EACH ROW EXECUTE FUNCTION crm.note();
INSERT INTO crm.organisation_store (name) VALUES ('noted'), ('noted, too');
SELECT line FROM crm.log ORDER BY n;
DROP TRIGGER note ON crm_sync.history;
BEGIN;
ALTER TABLE crm_sync.history ADD COLUMN remark text DEFAULT 'none';
INSERT INTO crm.organisation_store (name) VALUES ('remarkable');
SELECT after ->> 'name' AS name, remark FROM crm_sync.history ORDER BY id DESC LIMIT 1;
SELECT changed ->> 'name' AS name, history FROM crm.waiting WHERE changed ->> 'name' LIKE 'r%';
ROLLBACK;

DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
RESET crm_sync.mode;
RESET client_min_messages;
