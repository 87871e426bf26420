--
-- A store that can't do a store's work is refused with a clear error: one with
-- rules, with partitions or children, without the capturing trigger, with a key
-- that is null, with columns of types that don't fit.  Nothing is lost in silence.
--
\set SHOW_CONTEXT never
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id        uuid OPTIONS (property 'AccountId') NOT NULL,
    name      text OPTIONS (property 'Name'),
    employees integer OPTIONS (property 'NumberOfEmployees')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
\set one aaaaaaaa-0000-4000-8000-000000000001
SELECT name FROM crm.organisation WHERE id = :'one';
CREATE VIEW crm.state AS
    SELECT s.name AS here, cdms.get('Account', s.id, 'Name') AS there FROM crm.organisation_store s;

-- ------------------------------------------------------------------------ rules
-- A pull that finds one, and a write through the foreign table, say so.  Reading
-- is not disturbed while there is nothing to store.
CREATE RULE r AS ON UPDATE TO crm.organisation_store DO INSTEAD NOTHING;
SELECT name FROM crm.organisation WHERE id = :'one';
SELECT cdms.edit('Account', :'one', 'Name', 'Edited');
SELECT name FROM crm.organisation WHERE id = :'one';
UPDATE crm.organisation SET name = 'Mine' WHERE id = :'one';
DROP RULE r ON crm.organisation_store;
SELECT name FROM crm.organisation WHERE id = :'one';
-- With another command first, and with another one in its place.
CREATE RULE r AS ON UPDATE TO crm.organisation_store DO ALSO NOTIFY organisations;
UPDATE crm.organisation SET name = 'Mine' WHERE id = :'one';
DROP RULE r ON crm.organisation_store;
CREATE TABLE crm.notes (name text);
CREATE RULE r AS ON UPDATE TO crm.organisation_store DO ALSO INSERT INTO crm.notes VALUES (new.name);
UPDATE crm.organisation SET name = 'Mine' WHERE id = :'one';
DROP RULE r ON crm.organisation_store;
CREATE RULE r AS ON DELETE TO crm.organisation_store DO INSTEAD NOTHING;
DELETE FROM crm.organisation WHERE id = :'one';
DROP RULE r ON crm.organisation_store;
CREATE RULE r AS ON INSERT TO crm.organisation_store DO ALSO NOTIFY organisations;
INSERT INTO crm.organisation (name) VALUES ('New');
DROP RULE r ON crm.organisation_store;
SELECT count(*) FROM crm.notes;
TABLE crm.state;
-- Afterwards it works again.
UPDATE crm.organisation SET name = 'Mine' WHERE id = :'one';
TABLE crm.state;

-- ---------------------------------------------------------------------- trigger
-- Without it a write would stay here alone: it is refused, and so is a read.
CREATE VIEW crm.capture AS SELECT tgname FROM pg_trigger
    WHERE tgrelid = 'crm.organisation_store'::regclass AND tgfoid = 'crm_sync.capture'::regproc;
SELECT tgname AS trigger FROM crm.capture \gset
ALTER TABLE crm.organisation_store DISABLE TRIGGER :"trigger";
UPDATE crm.organisation SET name = 'Lost' WHERE id = :'one';
INSERT INTO crm.organisation (name) VALUES ('Lost');
SELECT name FROM crm.organisation WHERE id = :'one';
ALTER TABLE crm.organisation_store ENABLE TRIGGER :"trigger";
SELECT name FROM crm.organisation WHERE id = :'one';
DROP TRIGGER :"trigger" ON crm.organisation_store;
UPDATE crm.organisation SET name = 'Lost' WHERE id = :'one';
SELECT crm_sync.create_store('crm.organisation');
UPDATE crm.organisation SET name = 'Found' WHERE id = :'one';
TABLE crm.state;

-- The option alone makes no store either.
CREATE TABLE crm.byhand (id uuid PRIMARY KEY, name text);
CREATE FOREIGN TABLE crm.organisation2 (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name')
) SERVER cdms OPTIONS (entity 'Account', store 'crm.byhand');
SELECT count(*) FROM crm.organisation2;
INSERT INTO crm.organisation2 (name) VALUES ('Lost');
DROP FOREIGN TABLE crm.organisation2;

-- ------------------------------------------------------------------- partitions
CREATE FOREIGN TABLE crm.organisation3 (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name')
) SERVER cdms OPTIONS (entity 'Account');
CREATE TABLE crm.parted (name text, id uuid PRIMARY KEY) PARTITION BY HASH (id);
CREATE TABLE crm.part PARTITION OF crm.parted FOR VALUES WITH (MODULUS 1, REMAINDER 0);
SELECT crm_sync.create_store('crm.organisation3', 'crm.parted');
SELECT crm_sync.create_store('crm.organisation3', 'crm.part');
CREATE TABLE crm.parent (id uuid PRIMARY KEY, name text);
CREATE TABLE crm.child () INHERITS (crm.parent);
SELECT crm_sync.create_store('crm.organisation3', 'crm.parent');
CREATE VIEW crm.view AS TABLE crm.byhand;
SELECT crm_sync.create_store('crm.organisation3', 'crm.view');
-- None of them has been touched.
SELECT tgrelid::regclass FROM pg_trigger
    WHERE tgrelid IN ('crm.parted'::regclass, 'crm.part'::regclass, 'crm.parent'::regclass, 'crm.child'::regclass)
    ORDER BY 1;

-- -------------------------------------------------------------------------- key
-- An adopted table's key becomes NOT NULL; where it holds nulls, that fails.
CREATE TABLE crm.nullable (id uuid UNIQUE, name text);
INSERT INTO crm.nullable VALUES (NULL, 'No key');
SELECT crm_sync.create_store('crm.organisation3', 'crm.nullable');
DELETE FROM crm.nullable;
SELECT crm_sync.create_store('crm.organisation3', 'crm.nullable');
SET crm_sync.mode = local;
INSERT INTO crm.nullable VALUES (NULL, 'No key');
-- Whoever drops the constraint again is told at each write.
ALTER TABLE crm.nullable ALTER id DROP NOT NULL;
INSERT INTO crm.nullable VALUES (NULL, 'No key');
SELECT count(*) FROM crm.nullable;
RESET crm_sync.mode;

-- ------------------------------------------------------------------------ types
-- A column whose values can't become the foreign table's.
ALTER TABLE crm.organisation_store ALTER employees TYPE point USING NULL;
SELECT name FROM crm.organisation WHERE employees = 42;
SELECT employees FROM crm.organisation WHERE id = :'one';
UPDATE crm.organisation SET name = 'Lost' WHERE id = :'one';
ALTER TABLE crm.organisation_store ALTER employees TYPE integer USING NULL;
SELECT name, employees FROM crm.organisation WHERE id = :'one';
-- A column that is gone.
ALTER TABLE crm.organisation_store DROP employees;
SELECT name FROM crm.organisation WHERE id = :'one';
TABLE crm.state;

DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
