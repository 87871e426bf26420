-- crm_sync: one organisation table, two CRMs.
--
-- CDMS, the old CRM, answers on 127.0.0.1 (a simulator that speaks as Dynamics
-- CRM 2011 does).  This database is the new one.  The functions of schema cdms
-- stand for people at CDMS's own screens, and show the requests it was sent.

CREATE EXTENSION crm_sync;
CREATE SERVER cdms FOREIGN DATA WRAPPER crm_sync
    OPTIONS (url '@url@');
CREATE USER MAPPING FOR CURRENT_USER SERVER cdms;
CREATE SCHEMA crm;

-- Tables can be imported as CDMS describes them ...

IMPORT FOREIGN SCHEMA cdms
    LIMIT TO (optevia_sector, optevia_country, optevia_ukregion)
    FROM SERVER cdms INTO crm;

-- ... or modelled anew: our names, only the properties we want.

CREATE FOREIGN TABLE crm.organisation (
    id              uuid OPTIONS (property 'AccountId') NOT NULL,
    name            text OPTIONS (property 'Name'),
    alias           text OPTIONS (property 'optevia_Alias'),
    uk_organisation boolean OPTIONS (property 'optevia_ukorganisation'),
    country         uuid OPTIONS (property 'optevia_Country', type 'EntityReference'),
    postcode        text OPTIONS (property 'optevia_PostCode'),
    address1        text OPTIONS (property 'optevia_Address1'),
    city            text OPTIONS (property 'optevia_TownCity'),
    uk_region       uuid OPTIONS (property 'optevia_UKRegion', type 'EntityReference'),
    country_code    text OPTIONS (property 'optevia_CountryCode'),
    area_code       text OPTIONS (property 'optevia_AreaCode'),
    phone_number    text OPTIONS (property 'optevia_TelephoneNumber'),
    email_address   text OPTIONS (property 'EMailAddress1'),
    sector          uuid OPTIONS (property 'optevia_Sector', type 'EntityReference'),
    modified_on     timestamptz OPTIONS (property 'ModifiedOn'),
    paf_override    boolean OPTIONS (property 'optevia_PAFOverride', constant 'true')
) SERVER cdms OPTIONS (entity 'Account');

CREATE FOREIGN TABLE crm.contact (
    id                uuid OPTIONS (property 'ContactId') NOT NULL,
    first_name        text OPTIONS (property 'FirstName'),
    last_name         text OPTIONS (property 'LastName'),
    organisation      uuid OPTIONS (property 'ParentCustomerId', type 'EntityReference',
                                    target 'account'),
    organisation_name text OPTIONS (property 'ParentCustomerId/Name')
) SERVER cdms OPTIONS (entity 'Contact');

-- From here on the two are synchronised: each has a store, an ordinary table.

SELECT crm_sync.create_store('crm.organisation'), crm_sync.create_store('crm.contact');

-- Find organisations by name.

SELECT name, city, postcode, phone_number FROM crm.organisation
    WHERE name LIKE 'O''Neil%';

SELECT name, alias, city FROM crm.organisation
    WHERE name ILIKE '%wool%' ORDER BY name LIMIT 5;

-- What CDMS was asked for that:

SELECT cdms.log();

-- Somebody edits an organisation in CDMS, and the next SELECT has it.

SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000001',
                 'optevia_TelephoneNumber', '01553 496 0199');

SELECT name, phone_number FROM crm.organisation WHERE name LIKE 'O''Neil%';

-- An organisation is created here, then corrected ...

SELECT cdms.log_clear();

INSERT INTO crm.organisation (id, name, alias, uk_organisation, postcode, city, sector)
    SELECT '2f1c9a54-7a31-4c0e-9d55-6f0b8a1e2011', 'Ada''s Analytical Engines Ltd', 'AAE',
           true, 'SW1Y 4SB', 'London', optevia_sectorid
    FROM crm.optevia_sector ORDER BY optevia_name LIMIT 1
    RETURNING id, name;

UPDATE crm.organisation SET alias = 'Engines & Sons'
    WHERE id = '2f1c9a54-7a31-4c0e-9d55-6f0b8a1e2011';

-- ... and is in CDMS, which was sent the whole of it once, then what changed.
-- (optevia_PAFOverride is the constant that goes with each write.)

SELECT cdms.log('POST');
SELECT cdms.log('MERGE');
SELECT cdms.get('Account', '2f1c9a54-7a31-4c0e-9d55-6f0b8a1e2011', 'optevia_Alias');

-- What is rolled back CDMS never hears of.

SELECT cdms.log_clear();
BEGIN;
UPDATE crm.organisation SET name = 'Never Mind Ltd'
    WHERE id = '2f1c9a54-7a31-4c0e-9d55-6f0b8a1e2011';
ROLLBACK;
SELECT cdms.requests('MERGE');
SELECT cdms.get('Account', '2f1c9a54-7a31-4c0e-9d55-6f0b8a1e2011', 'Name');

-- Counting and joining, which CDMS's interface does not offer.

SELECT count(*) FROM crm.organisation;

SELECT s.optevia_name AS sector, count(DISTINCT o.id) AS organisations, count(c.id) AS contacts
    FROM crm.organisation o
    JOIN crm.optevia_sector s ON s.optevia_sectorid = o.sector
    LEFT JOIN crm.contact c ON c.organisation = o.id
    GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5;

SELECT o.name AS organisation, c.first_name, c.last_name
    FROM crm.organisation o JOIN crm.contact c ON c.organisation = o.id
    WHERE o.name LIKE 'O''Neil%';

-- A column that only this CRM has.  CDMS is not told of it.

SELECT cdms.log_clear();
ALTER FOREIGN TABLE crm.organisation ADD COLUMN account_manager text;
SELECT crm_sync.create_store('crm.organisation');

UPDATE crm.organisation SET account_manager = 'Grace' WHERE name LIKE 'O''Neil%'
    RETURNING name, account_manager;
SELECT cdms.requests('MERGE');

-- The history of one organisation: what changed, where, and what it was before.

SELECT operation, origin, before ->> 'phone_number' AS phone_before,
       after ->> 'phone_number' AS phone_after, after ->> 'account_manager' AS manager
    FROM crm_sync.history
    WHERE store = 'crm.organisation_store'::regclass
      AND key = 'aaaaaaaa-0000-4000-8000-000000000001'
    ORDER BY id;

-- EXPLAIN shows what CDMS is asked.

EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF)
    SELECT name FROM crm.organisation WHERE name LIKE 'O''Neil%' AND city <> 'Leeds';
