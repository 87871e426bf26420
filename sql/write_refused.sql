--
-- Columns that can't be written, and what is said to one who tries.  Nothing of
-- it reaches CDMS.
--
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA crm;
IMPORT FOREIGN SCHEMA cdms LIMIT TO (contact) FROM SERVER cdms INTO crm;
CREATE FOREIGN TABLE crm.organisation (
    id          uuid OPTIONS (property 'AccountId') NOT NULL,
    name        text OPTIONS (property 'Name'),
    sector      uuid OPTIONS (property 'optevia_Sector', type 'EntityReference'),
    sector_name text OPTIONS (property 'optevia_Sector/Name'),
    sector_kind text OPTIONS (property 'optevia_Sector/LogicalName'),
    created_on  timestamptz OPTIONS (property 'CreatedOn'),
    created_by  uuid OPTIONS (property 'CreatedBy', type 'EntityReference'),
    modified_on timestamptz OPTIONS (property 'ModifiedOn'),
    modified_by text OPTIONS (property 'ModifiedBy/Name'),
    version     bigint OPTIONS (property 'VersionNumber'),
    state       integer OPTIONS (property 'StateCode', type 'OptionSetValue'),
    owner       uuid OPTIONS (property 'OwnerId', type 'EntityReference', target 'systemuser')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation'), crm_sync.create_store('crm.contact');
\set oneil aaaaaaaa-0000-4000-8000-000000000001
\set sinead cccccccc-0000-4000-8000-000000000001
SELECT name, sector_name FROM crm.organisation WHERE id = :'oneil';
SELECT fullname FROM crm.contact WHERE contactid = :'sinead';
SELECT cdms.log_clear();

-- What CDMS sets itself.
UPDATE crm.organisation SET created_on = '2015-06-01' WHERE id = :'oneil';
\echo :SQLSTATE
UPDATE crm.organisation SET modified_on = now() WHERE id = :'oneil';
\echo :SQLSTATE
UPDATE crm.organisation SET created_by = gen_random_uuid() WHERE id = :'oneil';
\echo :SQLSTATE
UPDATE crm.organisation SET version = version + 1 WHERE id = :'oneil';
\echo :SQLSTATE
INSERT INTO crm.organisation (name, modified_on) VALUES ('Never Ltd', now());
\echo :SQLSTATE

-- NULL on INSERT is no value, and the same value on UPDATE is no other.
BEGIN;
INSERT INTO crm.organisation (name, modified_on, created_on) VALUES ('Never Ltd', NULL, DEFAULT) RETURNING modified_on;
UPDATE crm.organisation SET modified_on = modified_on, state = state, sector_name = sector_name
    WHERE id = :'oneil' RETURNING name;
ROLLBACK;
UPDATE crm.organisation SET modified_on = NULL WHERE id = :'oneil';
\echo :SQLSTATE

-- The name of what a reference points at is not the reference's to change ...
UPDATE crm.organisation SET sector_name = 'Never' WHERE id = :'oneil';
\echo :SQLSTATE
UPDATE crm.organisation SET sector_kind = 'never' WHERE id = :'oneil';
\echo :SQLSTATE
UPDATE crm.organisation SET modified_by = 'Never' WHERE id = :'oneil';
\echo :SQLSTATE
UPDATE crm.contact SET parentcustomerid_name = 'Never' WHERE contactid = :'sinead';
\echo :SQLSTATE

-- ... it follows it: CDMS sends the new name with the read-back.
UPDATE crm.organisation SET sector = '5ec70000-0000-4000-8000-000000000001' WHERE id = :'oneil'
    RETURNING sector_name;
SELECT sector_name = cdms.get('optevia_sector', '5ec70000-0000-4000-8000-000000000001', 'optevia_name') AS follows
    FROM crm.organisation_store WHERE id = :'oneil';
SELECT cdms.log('MERGE');
SELECT cdms.log_clear();

-- State and owner need requests that OData has not.
UPDATE crm.organisation SET state = 1 WHERE id = :'oneil';
\echo :SQLSTATE
INSERT INTO crm.organisation (name, owner) VALUES ('Never Ltd', '5784bd4a-0000-4000-8000-000000000001');
\echo :SQLSTATE
UPDATE crm.contact SET statecode = 1 WHERE contactid = :'sinead';
\echo :SQLSTATE

-- CDMS's own changes to all of these come in nevertheless.
SELECT cdms.edit('Account', :'oneil', '{"StateCode": 1, "OwnerId": {"Id": "5784bd4a-0000-4000-8000-000000000003", "LogicalName": "systemuser"}}');
SELECT state, owner FROM crm.organisation WHERE id = :'oneil';
SELECT cdms.edit('Account', :'oneil', '{"StateCode": 0}');

-- The key of an object is what CDMS knows it by.
UPDATE crm.organisation SET id = gen_random_uuid() WHERE id = :'oneil';
\echo :SQLSTATE
UPDATE crm.organisation_store SET id = '11111111-0000-4000-8000-000000000001' WHERE id = :'oneil';
\echo :SQLSTATE
UPDATE crm.organisation SET id = id WHERE id = :'oneil' RETURNING id;
INSERT INTO crm.organisation_store (id, name) VALUES (NULL, 'Never Ltd');
\echo :SQLSTATE
-- (An INSERT into the foreign table that has no key, or NULL, is given one.)
BEGIN;
INSERT INTO crm.organisation (id, name) VALUES (NULL, 'Never Ltd') RETURNING id IS NOT NULL AS has_key;
ROLLBACK;
-- (VERBOSITY terse: the row that would be shown has times in it)
\set VERBOSITY terse
UPDATE crm.organisation SET id = NULL WHERE id = :'oneil';
\echo :SQLSTATE
\set VERBOSITY default

-- The store is no way round it.
UPDATE crm.organisation_store SET version = 1 WHERE id = :'oneil';
\echo :SQLSTATE
INSERT INTO crm.organisation_store (name, state) VALUES ('Never Ltd', 1);
\echo :SQLSTATE

-- Nor is mode local: such a change could never be sent.
SET crm_sync.mode = local;
UPDATE crm.organisation SET version = 1 WHERE id = :'oneil';
\echo :SQLSTATE
RESET crm_sync.mode;

-- A pass-through table can't be written.
CREATE FOREIGN TABLE crm.sector (
    id   uuid OPTIONS (property 'optevia_sectorId') NOT NULL,
    name text OPTIONS (property 'optevia_name')
) SERVER cdms OPTIONS (entity 'optevia_sector');
INSERT INTO crm.sector VALUES (gen_random_uuid(), 'Never');
\echo :SQLSTATE
UPDATE crm.sector SET name = 'Never';
\echo :SQLSTATE
DELETE FROM crm.sector;
\echo :SQLSTATE
COPY crm.sector FROM stdin;
22222222-0000-4000-8000-000000000009	Never
\.

-- None of this was sent.
SELECT * FROM cdms.log() WHERE log NOT LIKE 'GET%';
SELECT count(*) AS pending FROM crm_sync.outbox;
SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
