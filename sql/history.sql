--
-- History: every version of an object, who made it, and the table as it was.
--
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
SELECT cdms.reset();
TRUNCATE crm_sync.history, crm_sync.outbox;
SELECT cdms.clock('set', '2015-06-01T12:00:00Z');
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id          uuid OPTIONS (property 'AccountId') NOT NULL,
    name        text OPTIONS (property 'Name'),
    city        text OPTIONS (property 'optevia_TownCity'),
    latitude    double precision OPTIONS (property 'Address1_Latitude'),
    turnover    numeric OPTIONS (property 'Revenue', type 'Money'),
    verified    timestamptz OPTIONS (property 'optevia_LastVerified'),
    modified_by text OPTIONS (property 'ModifiedBy/Name'),
    logo        bytea
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
\set ada 11111111-0000-4000-8000-000000000001
\set oneil aaaaaaaa-0000-4000-8000-000000000001
\set wool aaaaaaaa-0000-4000-8000-000000000002
CREATE ROLE crm_clerk;
GRANT USAGE ON SCHEMA crm, cdms TO crm_clerk;
GRANT SELECT, INSERT, UPDATE, DELETE ON crm.organisation TO crm_clerk;
CREATE USER MAPPING FOR crm_clerk SERVER cdms OPTIONS (username 'clerk', password 'secret');

-- What happens to an object: loaded, edited there, changed here by a clerk, read
-- back, edited there by somebody with a name, deleted here.
SELECT clock_timestamp() AS before_load \gset
SELECT name FROM crm.organisation WHERE id = :'oneil';
SELECT clock_timestamp() AS loaded \gset
SELECT cdms.edit('Account', :'oneil', 'optevia_TownCity', 'Hull');
SELECT city FROM crm.organisation WHERE id = :'oneil';
SELECT clock_timestamp() AS edited \gset
SET ROLE crm_clerk;
UPDATE crm.organisation SET city = 'Ely', turnover = 1.23456 WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
RESET ROLE;
SELECT clock_timestamp() AS written \gset
SELECT cdms.edit('Account', :'oneil', '{"optevia_TownCity": "Bath",
    "ModifiedBy": {"Id": "5784bd4a-0000-4000-8000-000000000003", "LogicalName": "systemuser"}}');
SELECT city, modified_by FROM crm.organisation WHERE id = :'oneil';
SELECT clock_timestamp() AS edited_again \gset
DELETE FROM crm.organisation WHERE id = :'oneil';
SELECT clock_timestamp() AS deleted \gset

-- Each version with what was before and after; who made it: the database user,
-- or the one that CDMS names where a column maps ModifiedBy/Name.
SELECT operation, origin, CASE actor WHEN current_user THEN 'the test' ELSE actor END AS actor,
       before ->> 'city' AS city_before, after ->> 'city' AS city_after,
       before ->> 'turnover' AS turnover_before, after ->> 'turnover' AS turnover_after
    FROM crm_sync.history WHERE store = 'crm.organisation_store'::regclass AND key = :'oneil' ORDER BY id;

-- Versions follow on one another without a gap, in order of time.
SELECT count(*) FILTER (WHERE before IS DISTINCT FROM previous) AS gaps,
       count(*) FILTER (WHERE changed_at < earlier) AS out_of_order
    FROM (SELECT before, changed_at, lag(after) OVER (PARTITION BY key ORDER BY id) AS previous,
                 lag(changed_at) OVER (ORDER BY id) AS earlier FROM crm_sync.history) h;

-- The table as it was.  (Before it was loaded nothing was here.)
SELECT city FROM crm_sync.as_of(NULL::crm.organisation, :'before_load');
SELECT city FROM crm_sync.as_of(NULL::crm.organisation, :'loaded');
SELECT city, turnover FROM crm_sync.as_of(NULL::crm.organisation, :'edited');
SELECT city, turnover, modified_by FROM crm_sync.as_of(NULL::crm.organisation, :'written');
SELECT city, modified_by FROM crm_sync.as_of(NULL::crm.organisation, :'edited_again');
SELECT city FROM crm_sync.as_of(NULL::crm.organisation, :'deleted');
SELECT count(*) FROM crm_sync.as_of(NULL::crm.organisation, NULL);
SELECT count(*) FROM crm_sync.as_of(NULL::crm.organisation, 'infinity');
SELECT count(*) FROM crm_sync.as_of(NULL::crm.organisation, '-infinity');

-- It asks CDMS nothing, and its rows join and filter as any.
SELECT name FROM crm.organisation WHERE id = :'wool';
SELECT cdms.log_clear();
SELECT a.name, b.name IS NOT NULL AS now FROM crm_sync.as_of(NULL::crm.organisation, :'edited_again') a
    LEFT JOIN crm_sync.as_of(NULL::crm.organisation, now()) b USING (id) WHERE a.city LIKE 'B%';
SELECT cdms.requests();

-- Rows that were in a table before it became a store have no history until they
-- change: they are taken to have been always so.
CREATE TABLE crm.old_sector (id uuid PRIMARY KEY, name text);
INSERT INTO crm.old_sector VALUES ('5ec70000-0000-4000-8000-000000000001', 'Old name'),
    ('5ec70000-0000-4000-8000-000000000002', 'Other old name');
CREATE FOREIGN TABLE crm.sector (
    id   uuid OPTIONS (property 'optevia_sectorId') NOT NULL,
    name text OPTIONS (property 'optevia_name')
) SERVER cdms OPTIONS (entity 'optevia_sector');
SELECT crm_sync.create_store('crm.sector', 'crm.old_sector');
SELECT clock_timestamp() AS adopted \gset
SELECT name <> 'Old name' AS renamed FROM crm.sector WHERE id = '5ec70000-0000-4000-8000-000000000001';
SELECT name FROM crm_sync.as_of(NULL::crm.sector, :'adopted') ORDER BY name;

-- A transaction rolled back leaves no version, nor does a statement that changes
-- nothing; a change of mode local does.
SELECT max(id) AS last FROM crm_sync.history \gset
BEGIN;
UPDATE crm.organisation SET city = 'Never' WHERE id = :'wool';
ROLLBACK;
UPDATE crm.organisation SET city = city WHERE id = :'wool';
SELECT count(*) FROM crm_sync.history WHERE id > :last;
SET crm_sync.mode = local;
INSERT INTO crm.organisation (id, name) VALUES (:'ada', 'Ada Ltd');
RESET crm_sync.mode;
SELECT operation, origin, after ->> 'name' AS name FROM crm_sync.history WHERE id > :last;

-- What is kept does not depend on the session: digits, zone, style, bytes.
SET extra_float_digits = -15;
SET TimeZone = 'Asia/Kolkata';
SET DateStyle = 'German';
SET bytea_output = 'escape';
UPDATE crm.organisation SET latitude = 51.123456789012345, verified = '2014-07-01 12:00:00', logo = '\x00ff41' WHERE id = :'ada';
RESET extra_float_digits;
RESET bytea_output;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
SELECT origin, after ->> 'latitude' AS latitude, after ->> 'verified' AS verified, after ->> 'logo' AS logo
    FROM crm_sync.history WHERE key = :'ada' AND operation = 'update' ORDER BY id LIMIT 1;
SET TimeZone = 'America/St_Johns';
SET DateStyle = 'SQL, DMY';
SELECT latitude, verified, logo FROM crm_sync.as_of(NULL::crm.organisation, now()) WHERE id = :'ada';
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';

-- Renamed columns: history has what was, under the name it had then; a row of
-- that time has nothing under the new one.
SELECT clock_timestamp() AS before_rename \gset
ALTER FOREIGN TABLE crm.organisation RENAME COLUMN city TO town;
ALTER TABLE crm.organisation_store RENAME COLUMN city TO town;
UPDATE crm.organisation SET town = 'Deal' WHERE id = :'ada';
SELECT before ->> 'town' AS before, after ->> 'town' AS after, before ? 'city' AS city
    FROM crm_sync.history WHERE key = :'ada' AND origin = 'crm' ORDER BY id DESC LIMIT 1;
SELECT name, town FROM crm_sync.as_of(NULL::crm.organisation, now()) WHERE id = :'ada';
SELECT name, town FROM crm_sync.as_of(NULL::crm.organisation, :'loaded') WHERE id = :'oneil';

-- Columns that came later are NULL in rows of the time before; dropped ones are
-- still in history.
ALTER FOREIGN TABLE crm.organisation ADD COLUMN manager text, DROP COLUMN logo, DROP COLUMN latitude;
SELECT crm_sync.create_store('crm.organisation');
UPDATE crm.organisation SET manager = 'Grace' WHERE id = :'ada';
SELECT * FROM crm_sync.as_of(NULL::crm.organisation, :'before_rename') WHERE id = :'ada';
SELECT * FROM crm_sync.as_of(NULL::crm.organisation, now()) WHERE id = :'ada';
SELECT before ->> 'logo' AS logo FROM crm_sync.history WHERE key = :'ada' AND after ->> 'manager' = 'Grace';

-- Who may read the table may read how it was, nobody else.
CREATE ROLE crm_stranger;
GRANT USAGE ON SCHEMA crm TO crm_stranger;
SET ROLE crm_clerk;
SELECT count(*) > 0 AS readable FROM crm_sync.as_of(NULL::crm.organisation, now());
SET ROLE crm_stranger;
SELECT count(*) FROM crm_sync.as_of(NULL::crm.organisation, now());
\echo :SQLSTATE
RESET ROLE;

-- History itself, conflicts and what is pending show each owner his tables' rows,
-- and nobody may change them.
ALTER FOREIGN TABLE crm.sector OWNER TO crm_clerk;
ALTER TABLE crm.old_sector OWNER TO crm_clerk;
SET ROLE crm_clerk;
SELECT store, count(*) FROM crm_sync.history GROUP BY 1;
SELECT count(*) FROM crm_sync.conflicts;
SELECT count(*) FROM crm_sync.pending;
UPDATE crm_sync.history SET actor = 'nobody';
\echo :SQLSTATE
DELETE FROM crm_sync.history;
\echo :SQLSTATE
SET ROLE crm_stranger;
SELECT count(*) FROM crm_sync.history;
RESET ROLE;

-- Where row security of the store would hide rows, history can't know which.
ALTER TABLE crm.organisation_store ENABLE ROW LEVEL SECURITY;
SET ROLE crm_clerk;
SELECT count(*) FROM crm_sync.as_of(NULL::crm.organisation, now());
\echo :SQLSTATE
RESET ROLE;
ALTER TABLE crm.organisation_store DISABLE ROW LEVEL SECURITY;

-- Only a synchronised table has a past.
SELECT * FROM crm_sync.as_of(NULL::crm.organisation_store, now());
\echo :SQLSTATE
SELECT * FROM crm_sync.as_of(NULL::integer, now());
\echo :SQLSTATE
CREATE FOREIGN TABLE crm.country (id uuid OPTIONS (property 'optevia_countryId') NOT NULL)
    SERVER cdms OPTIONS (entity 'optevia_country');
SELECT * FROM crm_sync.as_of(NULL::crm.country, now());
\echo :SQLSTATE

-- Rows go straight to the tables, without a statement: no default of theirs is used.
BEGIN;
ALTER TABLE crm_sync.history ALTER changed_at SET DEFAULT 'epoch';
ALTER TABLE crm_sync.outbox ALTER since SET DEFAULT 'epoch';
SET LOCAL crm_sync.mode = local;
INSERT INTO crm.organisation_store (id) VALUES ('11111111-0000-4000-8000-00000000000f');
SELECT changed_at > 'epoch' FROM crm_sync.history ORDER BY id DESC LIMIT 1;
SELECT since > 'epoch' FROM crm_sync.outbox ORDER BY id DESC LIMIT 1;
ROLLBACK;

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
REVOKE ALL ON SCHEMA cdms FROM crm_clerk;
DROP ROLE crm_clerk, crm_stranger;
TRUNCATE crm_sync.history, crm_sync.outbox;
