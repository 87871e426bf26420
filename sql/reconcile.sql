--
-- crm_sync.reconcile(): both sides compared whole.
--
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.region (
    id   uuid OPTIONS (property 'optevia_ukregionId') NOT NULL,
    name text OPTIONS (property 'optevia_name'),
    note text
) SERVER cdms OPTIONS (entity 'optevia_ukregion');
SELECT crm_sync.create_store('crm.region');
SELECT count(*) FROM crm.region;
CREATE VIEW crm.difference AS
    SELECT right(key::text, 2) AS key, difference FROM crm_sync.reconcile('crm.region') ORDER BY key::text;
CREATE VIEW crm.repaired AS
    SELECT right(key::text, 2) AS key, difference FROM crm_sync.reconcile('crm.region', true) ORDER BY key::text;
CREATE FUNCTION crm.key(n integer) RETURNS uuid LANGUAGE sql IMMUTABLE AS
$$ SELECT ('4e610000-0000-4000-8000-0000000000' || lpad(n::text, 2, '0'))::uuid $$;

-- In step: one request for a page, and nothing to say.
SELECT cdms.log_clear();
TABLE crm.difference;
SELECT * FROM cdms.log();

-- Edited, created and deleted there; written here behind everybody's back.
SELECT cdms.edit('optevia_ukregion', crm.key(1), 'optevia_name', 'Edited there');
SELECT cdms.create('optevia_ukregion', crm.key(90), '{"optevia_name": "Created there"}') IS NOT NULL AS created;
SELECT cdms.delete('optevia_ukregion', crm.key(2));
SET session_replication_role = replica;
UPDATE crm.region_store SET name = 'Written behind', note = 'ours' WHERE id = crm.key(3);
DELETE FROM crm.region_store WHERE id = crm.key(4);
INSERT INTO crm.region_store VALUES (crm.key(91), 'Inserted behind');
RESET session_replication_role;
-- What waits is said to, and not repaired.
SET crm_sync.mode = local;
UPDATE crm.region SET name = 'Waits' WHERE id = crm.key(5);
DELETE FROM crm.region WHERE id = crm.key(6);
INSERT INTO crm.region (id, name) VALUES (crm.key(92), 'Waits to be created');
RESET crm_sync.mode;

-- Comparing writes nothing, and may be done in a READ ONLY transaction.
SELECT cdms.log_clear();
BEGIN READ ONLY;
TABLE crm.difference;
TABLE crm.repaired;
ROLLBACK;
TABLE crm.difference;
SELECT cdms.requests();
SELECT id, name, note FROM crm.region_store WHERE id IN (crm.key(1), crm.key(2), crm.key(3), crm.key(4)) ORDER BY id;

-- Repair: CDMS's version is stored, columns of the CRM's own stay; what CDMS lacks
-- is treated as on_missing says.  ignore:
ALTER FOREIGN TABLE crm.region OPTIONS (ADD on_missing 'ignore');
BEGIN;
TABLE crm.repaired;
TABLE crm.difference;
SELECT id, name, note FROM crm.region_store WHERE id IN (crm.key(1), crm.key(3), crm.key(4), crm.key(90)) ORDER BY id;
SELECT operation, origin, count(*) FROM crm_sync.history
    WHERE store = 'crm.region_store'::regclass AND changed_at > now() GROUP BY operation, origin ORDER BY operation, origin;
ROLLBACK;

-- delete:
ALTER FOREIGN TABLE crm.region OPTIONS (SET on_missing 'delete');
SELECT cdms.log_clear();
BEGIN;
TABLE crm.repaired;
TABLE crm.difference;
ROLLBACK;
SELECT cdms.log();

-- create, which is sent at COMMIT as are creations that wait; a refusal parks.
ALTER FOREIGN TABLE crm.region OPTIONS (SET on_missing 'create');
SELECT cdms.log_clear();
TABLE crm.repaired;
SELECT cdms.log('POST');
TABLE crm.difference;
SELECT cdms.get('optevia_ukregion', crm.key(2), 'optevia_name');
SELECT crm_sync.discard(id) FROM crm_sync.pending;
TABLE crm.difference;
TABLE crm.repaired;
TABLE crm.difference;

-- No more requests than pages: 500 objects.
CREATE FOREIGN TABLE crm.account (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name'),
    city text OPTIONS (property 'optevia_TownCity')
) SERVER cdms OPTIONS (entity 'Account', on_missing 'delete');
SELECT crm_sync.create_store('crm.account');
SELECT crm_sync.pull('crm.account');
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000001', '{"Name": "A", "optevia_TownCity": "B"}');
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000002', 'Name', 'C');
SELECT cdms.delete('Account', 'aaaaaaaa-0000-4000-8000-000000000003');
SELECT cdms.log_clear();
SELECT * FROM crm_sync.reconcile('crm.account') ORDER BY key;
SELECT cdms.requests();
-- Repairing it asks for what is missing, once more.
SELECT count(*) FROM crm_sync.reconcile('crm.account', true);
SELECT cdms.requests();
SELECT count(*) FROM crm_sync.reconcile('crm.account');

-- For the table's owner, of a synchronised table, in a session that talks to CDMS.
CREATE ROLE reconcile_other;
GRANT USAGE ON SCHEMA crm TO reconcile_other;
GRANT SELECT ON crm.region TO reconcile_other;
SET ROLE reconcile_other;
SELECT * FROM crm_sync.reconcile('crm.region');
RESET ROLE;
SET crm_sync.mode = local;
SELECT * FROM crm_sync.reconcile('crm.region');
RESET crm_sync.mode;

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
DROP ROLE reconcile_other;
TRUNCATE crm_sync.history, crm_sync.outbox;
