--
-- CDMS shows each of its users only what he may see.  Somebody whose login is
-- shown a fifth of the objects reads and writes those, and the rest are neither
-- created again, nor deleted, nor taken for missing because of him.
--
\pset format unaligned
\pset tuples_only on
SELECT cdms.reset();
SELECT cdms.control('user', 'owner', 'owner-secret'), cdms.control('user', 'fifth', 'fifth-secret');
SELECT cdms.control('ration', 'optevia_sectorSet', '5', 'fifth');
SELECT cdms.create_server($$ auth 'basic' $$);
ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (ADD username 'owner', ADD password 'owner-secret');
CREATE ROLE regress_crm_fifth;
CREATE USER MAPPING FOR regress_crm_fifth SERVER cdms OPTIONS (username 'fifth', password 'fifth-secret');
GRANT USAGE ON FOREIGN SERVER cdms TO regress_crm_fifth;
CREATE SCHEMA crm;
CREATE SCHEMA his AUTHORIZATION regress_crm_fifth;
GRANT USAGE ON SCHEMA crm TO regress_crm_fifth;
CREATE FOREIGN TABLE crm.sector (
    id   uuid OPTIONS (property 'optevia_sectorId') NOT NULL,
    name text OPTIONS (property 'optevia_name')
) SERVER cdms OPTIONS (entity 'optevia_sector', on_missing 'delete');
CREATE FOREIGN TABLE crm.seen (
    id   uuid OPTIONS (property 'optevia_sectorId') NOT NULL,
    name text OPTIONS (property 'optevia_name')
) SERVER cdms OPTIONS (entity 'optevia_sector');
GRANT ALL ON crm.sector, crm.seen TO regress_crm_fifth;
SELECT crm_sync.create_store('crm.sector');
SELECT count(*) FROM crm.sector;
SELECT cdms.log_clear();

-- What his own login shows; what the owner's has stored, read in each way.
SET ROLE regress_crm_fifth;
SELECT count(*) FROM crm.seen;
SELECT count(*) FROM crm.sector;
SELECT count(*) FROM crm.sector WHERE name LIKE '%e%';
SELECT name FROM crm.sector WHERE id = '5ec70000-0000-4000-8000-000000000001';
SELECT name FROM crm.sector WHERE id = '5ec70000-0000-4000-8000-000000000005';
-- Nothing is missing because of him: all that was sent is questions.
SELECT cdms.requests() = cdms.requests('GET');
-- He writes what he sees; what he does not see CDMS refuses him, and it stays.
UPDATE crm.sector SET name = 'Fifth' WHERE id = '5ec70000-0000-4000-8000-000000000005';
\set VERBOSITY terse
UPDATE crm.sector SET name = 'Never' WHERE id = '5ec70000-0000-4000-8000-000000000001';
\echo :SQLSTATE
DELETE FROM crm.sector WHERE id = '5ec70000-0000-4000-8000-000000000002';
\echo :SQLSTATE
\set VERBOSITY default
RESET ROLE;
SELECT cdms.log('POST');
SELECT cdms.log('MERGE');
SELECT cdms.log('DELETE');
SELECT count(*) FROM crm_sync.pending;
SELECT count(*) FROM crm_sync.failed;
SELECT cdms.get('optevia_sector', '5ec70000-0000-4000-8000-000000000005', 'optevia_name'),
       cdms.get('optevia_sector', '5ec70000-0000-4000-8000-000000000001', 'optevia_name'),
       cdms.get('optevia_sector', '5ec70000-0000-4000-8000-000000000002', 'optevia_name');
SELECT count(*), cdms.count('optevia_sector') FROM crm.sector;
SELECT cdms.log_clear();

-- A table of his own is his view: complete with a fifth.
SET ROLE regress_crm_fifth;
CREATE FOREIGN TABLE his.sector (
    id   uuid OPTIONS (property 'optevia_sectorId') NOT NULL,
    name text OPTIONS (property 'optevia_name')
) SERVER cdms OPTIONS (entity 'optevia_sector');
SELECT crm_sync.create_store('his.sector');
SELECT count(*) FROM his.sector;
RESET ROLE;
SELECT count(*) FROM his.sector;
SELECT cdms.requests() = cdms.requests('GET');

-- Two owners, one after the other: the table that saw all, then owned by him who
-- sees a fifth.  With "ignore" the rest stays, here and there.
ALTER FOREIGN TABLE crm.sector OPTIONS (SET on_missing 'ignore');
GRANT CREATE ON SCHEMA crm TO regress_crm_fifth;
ALTER FOREIGN TABLE crm.sector OWNER TO regress_crm_fifth;
ALTER TABLE crm.sector_store OWNER TO regress_crm_fifth;
SELECT cdms.log_clear();
SELECT count(*) FROM crm.sector;
SELECT count(*) FROM crm.sector_store;
SELECT cdms.count('optevia_sector'), cdms.requests('POST'), cdms.requests('DELETE');
-- With "create" the rest is offered to CDMS, which has them and refuses; nothing
-- is made twice.
ALTER FOREIGN TABLE crm.sector OPTIONS (SET on_missing 'create');
SELECT cdms.log_clear();
SET client_min_messages = error;
SELECT count(*) FROM crm.sector;
RESET client_min_messages;
SELECT cdms.count('optevia_sector'), cdms.requests('POST'), cdms.requests('DELETE'), cdms.requests('MERGE');
SELECT right(line, 6) AS status, count(*) FROM cdms.log('POST') AS line GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM crm_sync.pending;
SELECT count(*) FROM crm_sync.failed;
SELECT count(*) FROM crm.sector_store;
-- With "delete" what is hidden from the owner's login does not exist here.  In CDMS
-- it stays.
ALTER FOREIGN TABLE crm.sector OPTIONS (SET on_missing 'delete');
SELECT cdms.log_clear();
SELECT count(*) FROM crm.sector;
SELECT count(*) FROM crm.sector_store;
SELECT cdms.count('optevia_sector'), cdms.requests() = cdms.requests('GET');
SELECT operation, origin, count(*) FROM crm_sync.history
    WHERE store = 'crm.sector_store'::regclass AND operation = 'delete' GROUP BY 1, 2;
SELECT count(*) FROM crm_sync.pending;
SELECT count(*) FROM crm_sync.failed;
-- An owner who sees them again has them again.
ALTER FOREIGN TABLE crm.sector OWNER TO CURRENT_USER;
ALTER TABLE crm.sector_store OWNER TO CURRENT_USER;
SELECT count(*) FROM crm.sector;
SELECT cdms.count('optevia_sector'), cdms.requests() = cdms.requests('GET');

SET client_min_messages = warning;
DROP SCHEMA crm, his CASCADE;
DROP SERVER cdms CASCADE;
DROP ROLE regress_crm_fifth;
TRUNCATE crm_sync.history, crm_sync.outbox;
SELECT cdms.reset();
