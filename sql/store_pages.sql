--
-- A page of CDMS is written to the store by one statement: what a user has put
-- on the store meets it as it would meet rows written one by one.
--
SET client_min_messages = warning;
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE DOMAIN crm.label AS text CHECK (VALUE <> 'forbidden');
CREATE TYPE crm.place AS (street text, floor integer);
CREATE FOREIGN TABLE crm.organisation (
    id          uuid OPTIONS (property 'AccountId') NOT NULL,
    name        crm.label OPTIONS (property 'Name'),
    alias       text OPTIONS (property 'optevia_Alias'),
    modified_by text OPTIONS (property 'ModifiedBy/Name')
) SERVER cdms OPTIONS (entity 'Account');

-- The store has columns of its own, of every kind that gets a value by itself.
CREATE TABLE crm.organisation_store (
    id          uuid PRIMARY KEY,
    name        varchar(200),
    alias       text,
    modified_by text,
    number      integer GENERATED ALWAYS AS IDENTITY,
    capitals    text GENERATED ALWAYS AS (upper(name)) STORED,
    note        text DEFAULT 'new',
    place       crm.place DEFAULT ROW('High Street', 2)
);
SELECT crm_sync.create_store('crm.organisation');
TRUNCATE crm_sync.history, crm_sync.outbox;
\set one aaaaaaaa-0000-4000-8000-000000000001
\set two aaaaaaaa-0000-4000-8000-000000000002
\set three aaaaaaaa-0000-4000-8000-000000000003
CREATE VIEW crm.changes AS
    SELECT key, operation, origin, CASE actor WHEN current_user THEN 'the test' ELSE actor END AS actor,
           before ->> 'alias' AS before, after ->> 'alias' AS after, after ->> 'note' AS note
    FROM crm_sync.history ORDER BY id;

SELECT crm_sync.pull('crm.organisation');
SELECT count(*), count(DISTINCT number), min(number), max(number),
       bool_and(capitals IS NOT DISTINCT FROM upper(name)) AS capitals,
       bool_and(note = 'new') AS note, bool_and(place = ROW('High Street', 2)::crm.place) AS place
FROM crm.organisation_store;
SELECT operation, origin, count(*), count(DISTINCT key) AS keys,
       bool_and(after ->> 'note' = 'new' AND after ->> 'number' IS NOT NULL) AS whole
FROM crm_sync.history GROUP BY 1, 2;

-- A page of changes leaves them alone; who made each in CDMS is known.
UPDATE crm.organisation_store SET note = 'seen', place.floor = 3 WHERE id = :'one';
TRUNCATE crm_sync.history;
SELECT cdms.edit('Account', :'one', '{"optevia_Alias": "A",
    "ModifiedBy": {"Id": "5784bd4a-0000-4000-8000-000000000003", "LogicalName": "systemuser"}}');
SELECT cdms.edit('Account', :'two', '{"optevia_Alias": "B",
    "ModifiedBy": {"Id": "5784bd4a-0000-4000-8000-000000000002", "LogicalName": "systemuser"}}');
SELECT crm_sync.pull('crm.organisation');
TABLE crm.changes;
SELECT alias, note, (place).floor, capitals = upper(name) AS capitals
FROM crm.organisation_store WHERE id = :'one';

-- One row that can't be: nothing of the page is stored, nor noted.
SELECT cdms.edit('Account', :'one', '{"optevia_Alias": "C"}');
SELECT cdms.edit('Account', :'two', '{"optevia_Alias": "too bad"}');
ALTER TABLE crm.organisation_store ADD CONSTRAINT good CHECK (alias <> 'too bad');
\set VERBOSITY terse
SELECT crm_sync.pull('crm.organisation');
SELECT count(*) FROM crm.organisation;
ALTER TABLE crm.organisation_store DROP CONSTRAINT good;
SELECT cdms.edit('Account', :'two', '{"Name": "forbidden"}');
SELECT count(*) FROM crm.organisation;
SELECT cdms.edit('Account', :'two', '{"Name": "allowed"}');
\set VERBOSITY default
SELECT id, alias FROM crm.organisation_store WHERE id IN (:'one', :'two') ORDER BY id;
TRUNCATE crm_sync.history;
SELECT crm_sync.pull('crm.organisation');
TABLE crm.changes;

-- A trigger that keeps a row from being written keeps that one only.
TRUNCATE crm_sync.history;
CREATE FUNCTION crm.keep() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF new.alias = 'kept out' THEN RETURN NULL; END IF; new.note := 'by trigger'; RETURN new; END $$;
CREATE TRIGGER keep BEFORE UPDATE ON crm.organisation_store FOR EACH ROW EXECUTE FUNCTION crm.keep();
SELECT cdms.edit('Account', :'one', '{"optevia_Alias": "kept out"}');
SELECT cdms.edit('Account', :'two', '{"optevia_Alias": "D"}');
SELECT crm_sync.pull('crm.organisation');
TABLE crm.changes;
DROP TRIGGER keep ON crm.organisation_store;
SELECT cdms.edit('Account', :'one', '{"optevia_Alias": "let in"}');
SELECT crm_sync.pull('crm.organisation');

-- Rows of a page may refer to one another, and statement triggers see it whole.
CREATE FOREIGN TABLE crm.family (
    id     uuid OPTIONS (property 'AccountId') NOT NULL,
    parent uuid OPTIONS (property 'ParentAccountId', type 'EntityReference')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.family');
ALTER TABLE crm.family_store ADD FOREIGN KEY (parent) REFERENCES crm.family_store;
CREATE TABLE crm.pages (n serial, rows bigint);
CREATE FUNCTION crm.note_page() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO crm.pages (rows) SELECT count(*) FROM page; RETURN NULL; END $$;
CREATE TRIGGER page AFTER INSERT ON crm.family_store REFERENCING NEW TABLE AS page
    FOR EACH STATEMENT EXECUTE FUNCTION crm.note_page();
SELECT cdms.edit('Account', :'one', '{"ParentAccountId": {"Id": "aaaaaaaa-0000-4000-8000-000000000003", "LogicalName": "account"}}');
SELECT cdms.edit('Account', :'three', '{"ParentAccountId": {"Id": "aaaaaaaa-0000-4000-8000-000000000001", "LogicalName": "account"}}');
SELECT right(id::text, 2) AS id, right(parent::text, 2) AS parent
FROM crm.family WHERE id IN (:'one', :'two', :'three') ORDER BY id;
SELECT rows FROM crm.pages ORDER BY n;

DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
RESET client_min_messages;
