--
-- The tables of the bench, empty: bench.organisation and bench.contact.  What
-- was there is dropped, with its history.
--
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS bench CASCADE;
DROP SERVER IF EXISTS bench CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox, crm_sync.progress;

CREATE SERVER bench FOREIGN DATA WRAPPER crm_sync
    OPTIONS (url :'url', max_connections :'connections');
CREATE USER MAPPING FOR CURRENT_USER SERVER bench;
CREATE SCHEMA bench;

CREATE FOREIGN TABLE bench.organisation (
    id           uuid        OPTIONS (property 'AccountId') NOT NULL,
    name         text        OPTIONS (property 'Name'),
    alias        text        OPTIONS (property 'optevia_Alias'),
    phone_number text        OPTIONS (property 'optevia_TelephoneNumber'),
    town         text        OPTIONS (property 'optevia_TownCity'),
    postcode     text        OPTIONS (property 'optevia_PostCode'),
    sector       uuid        OPTIONS (property 'optevia_Sector', type 'EntityReference'),
    sector_name  text        OPTIONS (property 'optevia_Sector/Name'),
    turnover     numeric     OPTIONS (property 'Revenue', type 'Money'),
    employees    integer     OPTIONS (property 'NumberOfEmployees'),
    created_on   timestamptz OPTIONS (property 'CreatedOn'),
    modified_on  timestamptz OPTIONS (property 'ModifiedOn')
) SERVER bench OPTIONS (entity 'Account');

CREATE FOREIGN TABLE bench.contact (
    id           uuid        OPTIONS (property 'ContactId') NOT NULL,
    first_name   text        OPTIONS (property 'FirstName'),
    last_name    text        OPTIONS (property 'LastName'),
    email        text        OPTIONS (property 'EMailAddress1'),
    job_title    text        OPTIONS (property 'JobTitle'),
    born         timestamptz OPTIONS (property 'BirthDate'),
    organisation uuid        OPTIONS (property 'ParentCustomerId', type 'EntityReference', target 'account'),
    created_on   timestamptz OPTIONS (property 'CreatedOn'),
    modified_on  timestamptz OPTIONS (property 'ModifiedOn')
) SERVER bench OPTIONS (entity 'Contact');

-- A table that warms a session's connection to CDMS without touching the others.
CREATE FOREIGN TABLE bench.country (
    id   uuid OPTIONS (property 'optevia_countryId') NOT NULL,
    name text OPTIONS (property 'optevia_Country')
) SERVER bench OPTIONS (entity 'optevia_country');

SELECT crm_sync.create_store('bench.organisation');
SELECT crm_sync.create_store('bench.contact');
