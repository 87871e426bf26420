--
-- What a reader is told of values that are not his to see: a pending change of somebody
-- else's that his COMMIT takes along and CDMS refuses, a row that the store refuses.
--
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
TRUNCATE crm_sync.history, crm_sync.outbox;
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE ROLE regress_crm_owner;
CREATE ROLE regress_crm_carol;
CREATE ROLE regress_crm_bob;
GRANT USAGE ON FOREIGN SERVER cdms TO regress_crm_owner;
CREATE USER MAPPING FOR regress_crm_owner SERVER cdms OPTIONS (password_required 'false');
CREATE USER MAPPING FOR regress_crm_carol SERVER cdms OPTIONS (password_required 'false');
CREATE SCHEMA crm AUTHORIZATION regress_crm_owner;
SET ROLE regress_crm_owner;
CREATE FOREIGN TABLE crm.org (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name'),
    city text OPTIONS (property 'optevia_TownCity'),
    seen timestamptz OPTIONS (property 'optevia_LastVerified')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.org');
GRANT USAGE ON SCHEMA crm TO regress_crm_carol, regress_crm_bob;
GRANT INSERT ON crm.org TO regress_crm_carol;
GRANT SELECT (id) ON crm.org TO regress_crm_bob;
RESET ROLE;
\set one aaaaaaaa-0000-4000-8000-000000000001
\set two aaaaaaaa-0000-4000-8000-000000000002

-- Bob reads, Carol's change is refused: that it was, he is told.
SET crm_sync.mode = local;
SET ROLE regress_crm_carol;
INSERT INTO crm.org (id, name, seen) VALUES ('11111111-0000-4000-8000-000000000001', 'secret', '1500-01-01 UTC');
RESET crm_sync.mode;
SET ROLE regress_crm_bob;
SELECT id FROM crm.org WHERE id = :'one';
-- Why, she is told, and the owner.
RESET ROLE;
SELECT FROM crm_sync.retry((SELECT id FROM crm_sync.failed));
SET ROLE regress_crm_owner;
SELECT id FROM crm.org WHERE id = :'two';
RESET ROLE;
SELECT FROM crm_sync.discard((SELECT id FROM crm_sync.failed));

-- The store refuses what CDMS has, with the whole row in the words of him who wrote it.
ALTER TABLE crm.org_store ADD CONSTRAINT not_hull CHECK (city <> 'Hull');
SELECT cdms.edit('Account', :'one', 'optevia_TownCity', 'Hull'::text);
SET ROLE regress_crm_bob;
SELECT id FROM crm.org WHERE id = :'one';
\echo :SQLSTATE
SET ROLE regress_crm_owner;
SELECT id FROM crm.org WHERE id = :'one';
RESET ROLE;

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
DROP ROLE regress_crm_owner, regress_crm_carol, regress_crm_bob;
