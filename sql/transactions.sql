--
-- CDMS hears of a transaction at its COMMIT, and only of what is committed.
--
\set SHOW_CONTEXT never
SELECT cdms.reset();
TRUNCATE crm_sync.history, crm_sync.outbox;
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id     uuid OPTIONS (property 'AccountId') NOT NULL,
    name   text OPTIONS (property 'Name'),
    alias  text OPTIONS (property 'optevia_Alias'),
    city   text OPTIONS (property 'optevia_TownCity'),
    sector uuid OPTIONS (property 'optevia_Sector', type 'EntityReference')
) SERVER cdms OPTIONS (entity 'Account');
CREATE FOREIGN TABLE crm.person (
    id           uuid OPTIONS (property 'ContactId') NOT NULL,
    first_name   text OPTIONS (property 'FirstName'),
    last_name    text OPTIONS (property 'LastName'),
    organisation uuid OPTIONS (property 'ParentCustomerId', type 'EntityReference', target 'account')
) SERVER cdms OPTIONS (entity 'Contact');
SELECT crm_sync.create_store('crm.organisation'), crm_sync.create_store('crm.person');
\set oneil aaaaaaaa-0000-4000-8000-000000000001
\set wool aaaaaaaa-0000-4000-8000-000000000002
\set inactive aaaaaaaa-0000-4000-8000-000000000023
\set anna 22222222-0000-4000-8000-000000000001
\set bert 22222222-0000-4000-8000-000000000002
SELECT name FROM crm.organisation WHERE id IN (:'oneil', :'wool', :'inactive') ORDER BY name COLLATE "C";

-- What CDMS was told since the last time: everything but reading.
CREATE VIEW crm.told AS SELECT log FROM cdms.log() WHERE log NOT LIKE 'GET%';
SELECT cdms.log_clear();

-- ROLLBACK.
BEGIN;
INSERT INTO crm.organisation (id, name) VALUES (gen_random_uuid(), 'Never Ltd');
UPDATE crm.organisation SET city = 'Never' WHERE id = :'oneil';
DELETE FROM crm.organisation WHERE id = :'wool';
ROLLBACK;
TABLE crm.told;
SELECT count(*) FROM crm.organisation_store WHERE id IN (:'oneil', :'wool') AND city <> 'Never';
SELECT count(*) FROM crm_sync.history WHERE origin = 'crm';

-- ROLLBACK TO SAVEPOINT takes back what came after it, RELEASE keeps it.
BEGIN;
UPDATE crm.organisation SET city = 'Ely' WHERE id = :'oneil';
SAVEPOINT one;
UPDATE crm.organisation SET alias = 'never' WHERE id = :'oneil';
UPDATE crm.organisation SET alias = 'never' WHERE id = :'wool';
ROLLBACK TO SAVEPOINT one;
SAVEPOINT two;
INSERT INTO crm.person (id, last_name) VALUES (:'anna', 'Atkins');
SAVEPOINT three;
UPDATE crm.person SET first_name = 'Anna' WHERE id = :'anna';
RELEASE SAVEPOINT two;
COMMIT;
TABLE crm.told;

-- PL/pgSQL's exception blocks do the same.
SELECT cdms.log_clear();
DO $$
BEGIN
    FOR town IN 1..3 LOOP
        BEGIN
            UPDATE crm.organisation SET city = 'Town ' || town WHERE name LIKE 'O''Neil%';
            IF town <> 2 THEN
                RAISE EXCEPTION 'only the second town will do';
            END IF;
        EXCEPTION WHEN raise_exception THEN
            NULL;
        END;
    END LOOP;
END
$$;
TABLE crm.told;

-- A statement that fails leaves nothing behind, whatever it did before: here the
-- second row of two, and then a division in RETURNING.
SELECT cdms.log_clear();
INSERT INTO crm.person (id, last_name) VALUES (:'bert', 'Bertram'), (:'anna', 'Twice');
\echo :SQLSTATE
UPDATE crm.person SET first_name = 'Never' WHERE id = :'anna' RETURNING 1 / (length(last_name) - 6);
\echo :SQLSTATE
BEGIN;
UPDATE crm.person SET last_name = 'Never' WHERE id = :'anna';
SELECT 1 / 0;
COMMIT;
TABLE crm.told;
SELECT first_name, last_name FROM crm.person_store;

-- The store's own constraints: NOT NULL, UNIQUE, CHECK.
ALTER TABLE crm.person_store ALTER last_name SET NOT NULL, ADD CHECK (first_name <> 'X'), ADD UNIQUE (first_name);
INSERT INTO crm.person (id, first_name) VALUES (:'bert', 'Bert');
\echo :SQLSTATE
INSERT INTO crm.person (id, first_name, last_name) VALUES (:'bert', 'X', 'Bertram');
\echo :SQLSTATE
INSERT INTO crm.person (id, first_name, last_name) VALUES (:'bert', 'Anna', 'Bertram');
\echo :SQLSTATE
TABLE crm.told;

-- Deferred constraints are checked before CDMS is told anything ...
ALTER TABLE crm.person_store ADD CONSTRAINT names UNIQUE (last_name) DEFERRABLE INITIALLY DEFERRED;
BEGIN;
INSERT INTO crm.person (id, last_name) VALUES (:'bert', 'Atkins');
UPDATE crm.organisation SET city = 'Never' WHERE id = :'oneil';
COMMIT;
\echo :SQLSTATE
TABLE crm.told;

-- ... and may be violated meanwhile: two names change places.
INSERT INTO crm.person (id, last_name) VALUES (:'bert', 'Bertram');
SELECT cdms.log_clear();
BEGIN;
UPDATE crm.person SET last_name = 'Bertram' WHERE id = :'anna';
UPDATE crm.person SET last_name = 'Atkins' WHERE id = :'bert';
COMMIT;
SELECT log FROM crm.told ORDER BY log COLLATE "C";
ALTER TABLE crm.person_store DROP CONSTRAINT names;

-- A constraint trigger on the store has its word too.
CREATE FUNCTION crm.no_yorkshire() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.city = 'York' THEN
        RAISE check_violation USING MESSAGE = 'not in York';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER no_yorkshire AFTER INSERT OR UPDATE ON crm.organisation_store
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION crm.no_yorkshire();
SELECT cdms.log_clear();
BEGIN;
UPDATE crm.organisation SET city = 'York' WHERE id = :'oneil';
COMMIT;
\echo :SQLSTATE
TABLE crm.told;

-- It has it of CDMS's values as well: the read that would bring them fails, and
-- the row stays as it was.
SELECT city FROM crm.organisation_store WHERE id = :'oneil';
SELECT cdms.edit('Account', :'oneil', 'optevia_TownCity', 'York');
SELECT city FROM crm.organisation WHERE id = :'oneil';
\echo :SQLSTATE
SELECT city FROM crm.organisation_store WHERE id = :'oneil';

-- Of what a read-back brings too, which no COMMIT would check any more if the
-- constraint stayed deferred.
BEGIN;
UPDATE crm.organisation_store SET alias = 'Sons' WHERE id = :'oneil';
COMMIT;
\echo :SQLSTATE
SELECT city, alias FROM crm.organisation_store WHERE id = :'oneil';

-- Of what comes with the changes that somebody had left, too: they are parked, and
-- hold up nothing.
SET crm_sync.mode = local;
UPDATE crm.organisation_store SET alias = 'Left' WHERE id IN (:'oneil', :'wool');
RESET crm_sync.mode;
SELECT cdms.log_clear();
SELECT crm_sync.push('crm.organisation');
SELECT log FROM crm.told ORDER BY log COLLATE "C";
SELECT changed, parked, last_error FROM crm_sync.outbox;
SELECT crm_sync.discard(id) FROM crm_sync.outbox;
DROP TRIGGER no_yorkshire ON crm.organisation_store;

-- NOT NULL and UNIQUE with values from CDMS: one clear error, nothing half
-- written, and right again as soon as CDMS is.
SELECT city FROM crm.organisation WHERE id = :'oneil';
ALTER TABLE crm.organisation_store ALTER city SET NOT NULL, ADD CONSTRAINT one_name UNIQUE (name);
SELECT cdms.edit('Account', :'oneil', '{"optevia_TownCity": null}');
SELECT name, city FROM crm.organisation WHERE id IN (:'oneil', :'wool');
\echo :SQLSTATE
SELECT cdms.edit('Account', :'oneil', '{"optevia_TownCity": "Hull", "Name": "100%_ Wool"}');
SELECT name, city FROM crm.organisation WHERE id IN (:'oneil', :'wool');
\echo :SQLSTATE
SELECT name, city FROM crm.organisation_store WHERE id = :'oneil';
SELECT cdms.edit('Account', :'oneil', '{"Name": "Neil"}');
SELECT name, city FROM crm.organisation WHERE id = :'oneil';
ALTER TABLE crm.organisation_store ALTER city DROP NOT NULL, DROP CONSTRAINT one_name;

-- COMMIT AND CHAIN: each COMMIT tells its own.
SELECT cdms.log_clear();
BEGIN;
UPDATE crm.organisation SET city = 'Ely' WHERE id = :'oneil';
COMMIT AND CHAIN;
SELECT count(*) FROM crm.told;
UPDATE crm.organisation SET city = 'Bath' WHERE id = :'oneil';
ROLLBACK AND CHAIN;
UPDATE crm.organisation SET city = 'Hove' WHERE id = :'oneil';
COMMIT;
TABLE crm.told;

-- A procedure's COMMITs do.
SELECT cdms.log_clear();
CREATE PROCEDURE crm.move(town text) LANGUAGE plpgsql AS $$
BEGIN
    UPDATE crm.organisation SET city = town WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
    COMMIT;
    UPDATE crm.organisation SET city = 'Never' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
    ROLLBACK;
    UPDATE crm.organisation SET city = town WHERE id = 'aaaaaaaa-0000-4000-8000-000000000002';
END
$$;
CALL crm.move('Deal');
TABLE crm.told;

-- CDMS refuses: the transaction fails with CDMS's own words, and nothing of it
-- is stored here.  An unknown reference ...
SELECT cdms.log_clear();
BEGIN;
UPDATE crm.person SET first_name = 'Never' WHERE id = :'anna';
INSERT INTO crm.organisation (id, name, sector)
    VALUES ('11111111-0000-4000-8000-000000000001', 'Never Ltd', '5ec70000-9999-4000-8000-000000000001');
COMMIT;
\echo :SQLSTATE
TABLE crm.told;
SELECT count(*) FROM crm.organisation_store WHERE name = 'Never Ltd';
SELECT first_name FROM crm.person_store WHERE id = :'anna';

-- ... a text too long ...
UPDATE crm.organisation_store SET alias = repeat('x', 101) WHERE id = :'oneil';
\echo :SQLSTATE

-- ... a deactivated record ...
UPDATE crm.organisation_store SET city = 'Never' WHERE id = :'inactive';
\echo :SQLSTATE

-- ... an entity that can't be written ...
CREATE FOREIGN TABLE crm.adviser (
    id        uuid OPTIONS (property 'SystemUserId') NOT NULL,
    job_title text OPTIONS (property 'JobTitle')
) SERVER cdms OPTIONS (entity 'SystemUser');
SELECT crm_sync.create_store('crm.adviser');
INSERT INTO crm.adviser (job_title) VALUES ('Never');
\echo :SQLSTATE
SELECT count(*) FROM crm.adviser_store;

-- ... or CDMS is ill.
SELECT cdms.fault('status', '--verb', 'MERGE', '--status', '500', '--forever',
                  '--body', '<html><body><h1>Server Error</h1></body></html>', '--content-type', 'text/html');
UPDATE crm.organisation_store SET city = 'Never' WHERE id = :'oneil';
\echo :SQLSTATE
SELECT cdms.fault('clear');
SELECT city, alias FROM crm.organisation_store WHERE id IN (:'oneil', :'inactive') AND city = 'Never';
SELECT count(*) AS left_over FROM crm_sync.outbox;

-- PREPARE TRANSACTION is refused when something is to be pushed, only then.
BEGIN;
UPDATE crm.organisation_store SET city = 'Never' WHERE id = :'oneil';
PREPARE TRANSACTION 'never';
\echo :SQLSTATE
SELECT count(*) FROM pg_prepared_xacts;
BEGIN;
SET LOCAL crm_sync.mode = local;
SELECT city FROM crm.organisation WHERE id = :'oneil';
SELECT current_setting('max_prepared_transactions') <> '0' AS can_prepare \gset
\if :can_prepare
PREPARE TRANSACTION 'harmless';
ROLLBACK PREPARED 'harmless';
\else
ROLLBACK;
\endif

-- Two tables in one transaction: both or none.
SELECT cdms.log_clear();
BEGIN;
INSERT INTO crm.organisation (id, name) VALUES ('11111111-0000-4000-8000-000000000002', 'Both Ltd');
UPDATE crm.person SET organisation = '11111111-0000-4000-8000-000000000002' WHERE id = :'anna';
COMMIT;
TABLE crm.told;

-- Triggers on the foreign table: statement and row, before and after.
CREATE FUNCTION crm.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE '% % % %: % -> %', TG_WHEN, TG_LEVEL, TG_OP, TG_TABLE_NAME, OLD.city, NEW.city;
    IF TG_WHEN = 'BEFORE' AND TG_LEVEL = 'ROW' AND TG_OP = 'UPDATE' THEN
        NEW.city := initcap(NEW.city);
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER a BEFORE INSERT OR UPDATE OR DELETE ON crm.organisation FOR EACH STATEMENT EXECUTE FUNCTION crm.note();
CREATE TRIGGER b BEFORE INSERT OR UPDATE ON crm.organisation FOR EACH ROW EXECUTE FUNCTION crm.note();
CREATE TRIGGER c AFTER INSERT OR UPDATE OR DELETE ON crm.organisation FOR EACH ROW EXECUTE FUNCTION crm.note();
CREATE TRIGGER d AFTER INSERT OR UPDATE OR DELETE ON crm.organisation FOR EACH STATEMENT EXECUTE FUNCTION crm.note();
SELECT cdms.log_clear();
UPDATE crm.organisation SET city = 'walton on thames' WHERE id = :'oneil' RETURNING city;
TABLE crm.told;
INSERT INTO crm.organisation (id, name, city) VALUES ('11111111-0000-4000-8000-000000000003', 'Third Ltd', 'Hull');
DELETE FROM crm.organisation WHERE id = '11111111-0000-4000-8000-000000000003';
DROP TRIGGER a ON crm.organisation;
DROP TRIGGER b ON crm.organisation;
DROP TRIGGER c ON crm.organisation;
DROP TRIGGER d ON crm.organisation;

-- A trigger that keeps a row back: nothing happens to it.
CREATE FUNCTION crm.keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER keep BEFORE DELETE ON crm.organisation FOR EACH ROW EXECUTE FUNCTION crm.keep();
SELECT cdms.log_clear();
DELETE FROM crm.organisation WHERE id = :'oneil';
TABLE crm.told;
DROP TRIGGER keep ON crm.organisation;

-- BEFORE INSERT may give a column its value that the statement does not name; the
-- others keep the store's defaults, the key among them.
CREATE FUNCTION crm.nickname() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN NEW.alias := ''called '' || NEW.name; RETURN NEW; END';
CREATE TRIGGER nickname BEFORE INSERT ON crm.organisation FOR EACH ROW EXECUTE FUNCTION crm.nickname();
ALTER TABLE crm.organisation_store ALTER city SET DEFAULT 'of the store', ALTER alias SET DEFAULT 'not this';
SELECT cdms.log_clear();
INSERT INTO crm.organisation (name) VALUES ('Fifth Ltd') RETURNING id AS keyless \gset
COPY crm.organisation (id, name, city) FROM stdin;
11111111-0000-4000-8000-000000000006	Sixth Ltd	\N
\.
SELECT replace(log, :'keyless', '(key)') AS log FROM crm.told;
DROP TRIGGER nickname ON crm.organisation;
ALTER TABLE crm.organisation_store ALTER city DROP DEFAULT, ALTER alias DROP DEFAULT;

-- Triggers on the store: BEFORE changes the value, and CDMS gets it so; AFTER
-- writes another synchronised table, which is pushed with it.
CREATE FUNCTION crm.tidy() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN NEW.alias := lower(NEW.alias); RETURN NEW; END';
CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON crm.organisation_store FOR EACH ROW EXECUTE FUNCTION crm.tidy();
CREATE FUNCTION crm.follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE crm.person SET first_name = 'of ' || NEW.alias WHERE organisation = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER follow AFTER UPDATE OF alias ON crm.organisation_store FOR EACH ROW
    WHEN (OLD.alias IS DISTINCT FROM NEW.alias) EXECUTE FUNCTION crm.follow();
SELECT cdms.log_clear();
UPDATE crm.organisation SET alias = 'BOTH' WHERE id = '11111111-0000-4000-8000-000000000002' RETURNING alias;
SELECT log FROM crm.told ORDER BY log COLLATE "C";

-- They see CDMS's changes too: what BEFORE makes of those stays here, what AFTER
-- writes in answer is the CRM's own and goes to CDMS.
SELECT cdms.log_clear();
SELECT cdms.edit('Account', '11111111-0000-4000-8000-000000000002', 'optevia_Alias', 'THEIRS');
SELECT alias FROM crm.organisation WHERE id = '11111111-0000-4000-8000-000000000002';
TABLE crm.told;
SELECT cdms.get('Account', '11111111-0000-4000-8000-000000000002', 'optevia_Alias');
SELECT origin, after ->> 'alias' AS alias, after ->> 'first_name' AS first_name FROM crm_sync.history
    ORDER BY id DESC LIMIT 2;
DROP TRIGGER tidy ON crm.organisation_store;
DROP TRIGGER follow ON crm.organisation_store;

-- What a deferred trigger writes at COMMIT goes out with it.
CREATE TABLE crm.task (id integer, subject uuid);
CREATE FUNCTION crm.mark() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE crm.person_store SET first_name = 'Task ' || NEW.id WHERE id = NEW.subject;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER mark AFTER INSERT ON crm.task
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION crm.mark();
SELECT cdms.log_clear();
BEGIN;
INSERT INTO crm.task VALUES (7, :'anna');
SELECT first_name FROM crm.person_store WHERE id = :'anna';
COMMIT;
TABLE crm.told;

-- A trigger that answers each read-back with another write would never end: after
-- a hundred rounds it is an error.
ALTER FOREIGN TABLE crm.organisation ADD COLUMN turnover numeric OPTIONS (property 'Revenue', type 'Money');
SELECT crm_sync.create_store('crm.organisation');
CREATE FUNCTION crm.correct() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() = 1 THEN
        UPDATE crm.organisation_store SET turnover = NEW.turnover + 0.00001 WHERE id = NEW.id;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER correct AFTER UPDATE ON crm.organisation_store FOR EACH ROW EXECUTE FUNCTION crm.correct();
UPDATE crm.organisation_store SET turnover = 1 WHERE id = :'wool';
\echo :SQLSTATE
DROP TRIGGER correct ON crm.organisation_store;
SELECT turnover FROM crm.organisation_store WHERE id = :'wool';

-- A view over the table can be written as any.
CREATE VIEW crm.in_ely AS SELECT id, name AS title, city FROM crm.organisation WHERE city = 'Ely'
    WITH CHECK OPTION;
SELECT cdms.log_clear();
INSERT INTO crm.in_ely VALUES ('11111111-0000-4000-8000-000000000004', 'Fourth Ltd', 'Ely');
UPDATE crm.in_ely SET title = 'Number Four Ltd' RETURNING title;
UPDATE crm.in_ely SET city = 'Hull';
\echo :SQLSTATE
DELETE FROM crm.in_ely;
TABLE crm.told;

-- SECURITY DEFINER: the writer is the function's owner, and so is his mapping.
CREATE ROLE crm_owner;
CREATE ROLE crm_caller;
GRANT USAGE ON SCHEMA crm, cdms TO crm_owner, crm_caller;
GRANT SELECT, UPDATE ON crm.organisation TO crm_owner;
CREATE USER MAPPING FOR crm_owner SERVER cdms OPTIONS (username 'owner', password 'secret');
CREATE FUNCTION crm.rename(key uuid, new_name text) RETURNS text SECURITY DEFINER LANGUAGE sql AS
    'UPDATE crm.organisation SET name = new_name WHERE id = key RETURNING name';
ALTER FUNCTION crm.rename OWNER TO crm_owner;
SELECT cdms.log_clear();
SET ROLE crm_caller;
UPDATE crm.organisation SET name = 'Never' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
\echo :SQLSTATE
SELECT crm.rename('aaaaaaaa-0000-4000-8000-000000000001', 'Renamed Ltd');
RESET ROLE;
TABLE crm.told;
SELECT actor, after ->> 'name' AS name FROM crm_sync.history WHERE origin = 'crm' ORDER BY id DESC LIMIT 1;

-- updatable 'false', for a table: no way leads to a write, not through the store
-- either, but for the CRM's own columns.
ALTER FOREIGN TABLE crm.organisation ADD COLUMN manager text;
SELECT crm_sync.create_store('crm.organisation');
ALTER FOREIGN TABLE crm.organisation OPTIONS (ADD updatable 'false');
SELECT cdms.log_clear();
UPDATE crm.organisation SET city = 'Never' WHERE id = :'oneil';
\echo :SQLSTATE
UPDATE crm.organisation_store SET city = 'Never' WHERE id = :'oneil';
\echo :SQLSTATE
DELETE FROM crm.organisation_store WHERE id = :'oneil';
\echo :SQLSTATE
UPDATE crm.organisation_store SET manager = 'Grace' WHERE id = :'oneil';
SELECT name, manager FROM crm.organisation WHERE id = :'oneil';
TABLE crm.told;

-- For the server it holds for each table that does not say otherwise.
ALTER FOREIGN TABLE crm.organisation OPTIONS (SET updatable 'true');
ALTER SERVER cdms OPTIONS (ADD updatable 'false');
SELECT cdms.log_clear();
UPDATE crm.person SET first_name = 'Never' WHERE id = :'anna';
\echo :SQLSTATE
COPY crm.person (id, last_name) FROM stdin;
22222222-0000-4000-8000-000000000009	Never
\.
UPDATE crm.organisation SET city = 'Ely' WHERE id = :'oneil';
TABLE crm.told;

SELECT count(*) AS pending FROM crm_sync.outbox;
SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
REVOKE ALL ON SCHEMA cdms FROM crm_owner, crm_caller;
DROP ROLE crm_owner, crm_caller;
TRUNCATE crm_sync.history, crm_sync.outbox;
