--
-- An entity without ModifiedOn: changes are asked for by VersionNumber, where it is
-- mapped and CDMS filters by it; else the entity is read whole.
--
SELECT cdms.reset();
SELECT cdms.create_server($$ overlap '0' $$);
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.party (
    id      uuid OPTIONS (property 'ActivityPartyId') NOT NULL,
    address text OPTIONS (property 'AddressUsed'),
    version bigint OPTIONS (property 'VersionNumber')
) SERVER cdms OPTIONS (entity 'ActivityParty', on_missing 'delete');
SELECT crm_sync.create_store('crm.party');
\set one ac710000-0000-4000-8000-000000000001
\set two ac710000-0000-4000-8000-000000000002
\set three ac710000-0000-4000-8000-000000000003

-- How many rows of an address a read finds, and what CDMS was asked; of the numbers
-- only whether they are the highest in the store, or a lower one.
CREATE FUNCTION crm.look(wanted text, OUT n bigint, OUT asked text[]) LANGUAGE plpgsql AS $$
DECLARE
    highest bigint := (SELECT max(version) FROM crm.party_store);
BEGIN
    n := (SELECT count(*) FROM crm.party WHERE address = wanted);
    asked := ARRAY(SELECT replace(regexp_replace(replace(log, highest::text || 'L', 'highest'), '\d+L', 'lower'),
                                  '$select=ActivityPartyId,AddressUsed,VersionNumber', '...') FROM cdms.log() AS log
                   OFFSET current_setting('crm.looked')::integer);
    PERFORM set_config('crm.looked', (current_setting('crm.looked')::integer + cardinality(asked))::text, false);
END $$;
CREATE VIEW crm.state AS
    SELECT s.complete, p.version = (SELECT max(version) FROM crm.party_store) AS from_highest
    FROM crm_sync.status s JOIN crm_sync.progress p USING (store);

-- The first time it is known which versions have been seen, the second time, as
-- long after it as the overlap is, that all up to these are there.
SELECT count(*) FROM crm.party;
TABLE crm.state;
SELECT count(*) FROM crm.party;
TABLE crm.state;
SET crm.looked = 4;
SELECT * FROM crm.look('X');

-- A change.  The object that has the version asked from comes each time.
SELECT cdms.edit('ActivityParty', :'one', 'AddressUsed', 'X'::text);
SELECT * FROM crm.look('X');
TABLE crm.state;
SELECT * FROM crm.look('X');
TABLE crm.state;

-- With an overlap what is committed late is found, too: a version below one that
-- was seen.
ALTER SERVER cdms OPTIONS (SET overlap '1h');
SELECT cdms.edit('ActivityParty', :'two', 'AddressUsed', 'Y'::text);
SELECT cdms.edit('ActivityParty', :'two', 'AddressUsed', 'X'::text);
SELECT * FROM crm.look('X');
SELECT cdms.edit('ActivityParty', :'three', format('{"AddressUsed": "X", "VersionNumber": %s}', max(version) - 1))
    FROM crm.party_store;
SELECT * FROM crm.look('X');
TABLE crm.state;
ALTER SERVER cdms OPTIONS (SET overlap '0');
SELECT * FROM crm.look('X');
SELECT * FROM crm.look('X');
TABLE crm.state;

-- The object that has it is gone: perhaps others are, so all is read.
SELECT cdms.delete('ActivityParty', :'one');
SELECT cdms.delete('ActivityParty', :'two');
SELECT * FROM crm.look('X');
SELECT * FROM crm.look('X');
TABLE crm.state;

-- Rolled back it knows no more than before; a READ ONLY transaction may ask, too.
BEGIN;
SELECT cdms.edit('ActivityParty', :'three', 'AddressUsed', 'Y'::text);
SELECT n FROM crm.look('Y');
ROLLBACK;
BEGIN READ ONLY;
SET crm.looked = 17;
SELECT * FROM crm.look('Y');
COMMIT;

-- A CDMS that does not filter by it is asked in vain once.
SELECT cdms.switch('filter-version', 'refuse');
SELECT * FROM crm.look('Y');
SELECT * FROM crm.look('Y');
SELECT cdms.switch('filter-version', 'accept');
SELECT * FROM crm.look('Y');
ALTER FOREIGN TABLE crm.party OPTIONS (SET on_missing 'ignore');
SELECT * FROM crm.look('Y');

-- Unmapped it can't be asked by; and ModifiedOn is better.
ALTER FOREIGN TABLE crm.party DROP COLUMN version;
SELECT cdms.log_clear();
SELECT count(*) FROM crm.party;
SELECT count(*) FROM crm.party;
SELECT cdms.log();
CREATE FOREIGN TABLE crm.region (
    id       uuid OPTIONS (property 'optevia_ukregionId') NOT NULL,
    version  bigint OPTIONS (property 'VersionNumber'),
    modified timestamptz OPTIONS (property 'ModifiedOn')
) SERVER cdms OPTIONS (entity 'optevia_ukregion');
SELECT crm_sync.create_store('crm.region');
SELECT crm_sync.pull('crm.region');
SELECT cdms.log_clear();
SELECT count(*) FROM crm.region;
SELECT regexp_replace(log, 'T.*Z', '...') FROM cdms.log();

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
