--
-- Columns that round what CDMS has, by their type, their domain's, or the store's: CDMS is
-- not asked for what they hold, or rows would be missing.
--
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
TRUNCATE crm_sync.history, crm_sync.outbox;
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE DOMAIN crm.price AS numeric(20,2);
CREATE DOMAIN crm.amount AS crm.price;
CREATE FOREIGN TABLE crm.by_type (
    id uuid OPTIONS (property 'AccountId') NOT NULL, credit numeric(20,2) OPTIONS (property 'CreditLimit', type 'Money')
) SERVER cdms OPTIONS (entity 'Account');
CREATE FOREIGN TABLE crm.by_domain (
    id uuid OPTIONS (property 'AccountId') NOT NULL, credit crm.amount OPTIONS (property 'CreditLimit', type 'Money')
) SERVER cdms OPTIONS (entity 'Account');
CREATE FOREIGN TABLE crm.by_store (
    id uuid OPTIONS (property 'AccountId') NOT NULL, credit numeric OPTIONS (property 'CreditLimit', type 'Money')
) SERVER cdms OPTIONS (entity 'Account');
CREATE TABLE crm.rounded (id uuid PRIMARY KEY, credit numeric(20,2));
SELECT crm_sync.create_store('crm.by_store', 'rounded');
CREATE FOREIGN TABLE crm.exact (
    id uuid OPTIONS (property 'AccountId') NOT NULL, credit numeric OPTIONS (property 'CreditLimit', type 'Money')
) SERVER cdms OPTIONS (entity 'Account');
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000001', 'CreditLimit', '7.6543');
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000002', 'CreditLimit', '7.6550');
SELECT 'type', count(*) FROM crm.by_type WHERE credit = 7.65;
SELECT 'domain', count(*) FROM crm.by_domain WHERE credit = 7.65;
SELECT 'domain', count(*) FROM crm.by_domain WHERE credit IN (7.66, 8);
SELECT 'store', count(*) FROM crm.by_store WHERE credit = 7.66;
SELECT 'exact', count(*) FROM crm.exact WHERE credit = 7.65;
SELECT cdms.log_clear();
SELECT 'exact', count(*) FROM crm.exact WHERE credit = 7.6543;
SELECT count(*) FROM cdms.log() WHERE log LIKE '%CreditLimit/Value eq 7.6543M%';

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
