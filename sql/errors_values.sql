--
-- When what CDMS has and what a table says of it don't fit: an ERROR that names
-- the property and the object, at the read that meets it.  A table can be
-- defined before CDMS is reachable, so nothing is said earlier than that.
--
\pset format unaligned
\pset tuples_only on
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA misfit;

-- An entity that is none.
CREATE FOREIGN TABLE misfit.entity (id uuid OPTIONS (property 'AcountId'))
    SERVER cdms OPTIONS (entity 'Acount');
SELECT * FROM misfit.entity;
\echo :SQLSTATE

-- An entity set that is none.
CREATE FOREIGN TABLE misfit.entity_set (id uuid OPTIONS (property 'AccountId'))
    SERVER cdms OPTIONS (entity 'Account', entity_set 'Accounts');
SELECT * FROM misfit.entity_set;
\echo :SQLSTATE

-- A property that is none, also of another letter case; a table with a store.
CREATE FOREIGN TABLE misfit.property (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'name')
) SERVER cdms OPTIONS (entity 'Account');
SELECT * FROM misfit.property;
\echo :SQLSTATE
SELECT crm_sync.create_store('misfit.property');
SELECT * FROM misfit.property;
\echo :SQLSTATE
SELECT count(*) FROM misfit.property_store;

-- Corrected, the table works at once.
ALTER FOREIGN TABLE misfit.property ALTER COLUMN name OPTIONS (SET property 'Name');
SELECT name FROM misfit.property WHERE id = 'aaaaaaaa-0000-4000-8000-000000000002';

-- Types that no value of the property fits.
CREATE FOREIGN TABLE misfit.types (
    id        uuid OPTIONS (property 'AccountId') NOT NULL,
    name      integer OPTIONS (property 'Name'),
    employees boolean OPTIONS (property 'NumberOfEmployees'),
    alias     timestamptz OPTIONS (property 'optevia_Alias')
) SERVER cdms OPTIONS (entity 'Account');
SELECT name FROM misfit.types WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
\echo :SQLSTATE
SELECT employees FROM misfit.types WHERE id = 'aaaaaaaa-0000-4000-8000-000000000021';
\echo :SQLSTATE
SELECT alias FROM misfit.types WHERE id = 'aaaaaaaa-0000-4000-8000-000000000002';
\echo :SQLSTATE

-- A null fits each of them.
SELECT employees, alias FROM misfit.types WHERE id = 'aaaaaaaa-0000-4000-8000-000000000013';

-- Types that nothing in CDMS corresponds to, or that the option "type" contradicts.
CREATE FOREIGN TABLE misfit.point (
    id uuid OPTIONS (property 'AccountId') NOT NULL,
    at point OPTIONS (property 'Name')
) SERVER cdms OPTIONS (entity 'Account');
SELECT * FROM misfit.point;
\echo :SQLSTATE
CREATE FOREIGN TABLE misfit.option (
    id     uuid OPTIONS (property 'AccountId') NOT NULL,
    sector uuid OPTIONS (property 'optevia_Sector', type 'OptionSetValue')
) SERVER cdms OPTIONS (entity 'Account');
SELECT * FROM misfit.option;
\echo :SQLSTATE

-- Values that the column can't hold.
CREATE FOREIGN TABLE misfit.size (
    id        uuid OPTIONS (property 'AccountId') NOT NULL,
    name      varchar(16) OPTIONS (property 'Name'),
    employees smallint OPTIONS (property 'NumberOfEmployees'),
    revenue   numeric(14, 2) OPTIONS (property 'Revenue', type 'Money')
) SERVER cdms OPTIONS (entity 'Account');
SELECT name FROM misfit.size WHERE id = 'aaaaaaaa-0000-4000-8000-000000000021';
\echo :SQLSTATE
SELECT employees FROM misfit.size WHERE id = 'aaaaaaaa-0000-4000-8000-000000000021';
\echo :SQLSTATE
SELECT revenue FROM misfit.size WHERE id = 'aaaaaaaa-0000-4000-8000-000000000021';
\echo :SQLSTATE
-- A few letters that stand for 131,000 digits are refused before they become these.
ALTER FOREIGN TABLE misfit.size ALTER COLUMN revenue TYPE text;
SELECT cdms.fault('status', '--status', '200', '--content-type', 'application/json; application/atom+xml', '--body',
    CASE cdms.format() WHEN 'json' THEN
        '{"d":{"results":[{"AccountId":"aaaaaaaa-0000-4000-8000-000000000021","Revenue":{"Value":"1e131071"}}]}}'
    ELSE
        '<feed xmlns="http://www.w3.org/2005/Atom"><entry><content><p:properties'
        ' xmlns:p="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"'
        ' xmlns="http://schemas.microsoft.com/ado/2007/08/dataservices">'
        '<AccountId>aaaaaaaa-0000-4000-8000-000000000021</AccountId>'
        '<Revenue><Value>1e131071</Value></Revenue></p:properties></content></entry></feed>'
    END);
SELECT revenue FROM misfit.size WHERE id = 'aaaaaaaa-0000-4000-8000-000000000021';
\echo :SQLSTATE
ALTER FOREIGN TABLE misfit.size ALTER COLUMN revenue TYPE numeric(14, 2);

-- The same in a table with a store: none of the answer's objects is stored.
SELECT crm_sync.create_store('misfit.size');
SELECT name FROM misfit.size WHERE id IN ('aaaaaaaa-0000-4000-8000-000000000002', 'aaaaaaaa-0000-4000-8000-000000000021');
\echo :SQLSTATE
SELECT (SELECT count(*) FROM misfit.size_store),
       (SELECT count(*) FROM crm_sync.history WHERE store = 'misfit.size_store'::regclass);
SELECT name FROM misfit.size WHERE id = 'aaaaaaaa-0000-4000-8000-000000000002';

-- A value that the store alone refuses: its constraints hold for CDMS, too.
CREATE FOREIGN TABLE misfit.strict (
    id    uuid OPTIONS (property 'AccountId') NOT NULL,
    name  text OPTIONS (property 'Name'),
    alias text OPTIONS (property 'optevia_Alias')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('misfit.strict');
ALTER TABLE misfit.strict_store ALTER COLUMN alias SET NOT NULL,
    ADD CONSTRAINT short CHECK (length(name) < 30), ADD CONSTRAINT name_once UNIQUE (name);
SELECT name FROM misfit.strict WHERE id IN ('aaaaaaaa-0000-4000-8000-000000000002', 'aaaaaaaa-0000-4000-8000-000000000013');
\echo :SQLSTATE
SELECT name FROM misfit.strict WHERE id = 'aaaaaaaa-0000-4000-8000-000000000002';
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000002', 'Name', 'A name of thirty characters or more');
SELECT name FROM misfit.strict WHERE id = 'aaaaaaaa-0000-4000-8000-000000000002';
\echo :SQLSTATE
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000006', 'Name', '100%_ Wool');
SELECT name FROM misfit.strict WHERE id = 'aaaaaaaa-0000-4000-8000-000000000006';
\echo :SQLSTATE
SELECT name FROM misfit.strict_store;

-- Nothing was written to CDMS, nothing is waiting to be.
SELECT count(*) FROM cdms.log() WHERE log NOT LIKE 'GET %';
SELECT count(*) FROM crm_sync.outbox;

SET client_min_messages = warning;
DROP SERVER cdms CASCADE;
DROP SCHEMA misfit CASCADE;
