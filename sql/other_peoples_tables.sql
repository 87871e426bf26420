--
-- Everybody works with his own synchronised tables, whatever those of others are
-- like: in schemas that he may not use, of broken options, without a store.
--
\set SHOW_CONTEXT never
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE ROLE regress_crm_alice;
CREATE ROLE regress_crm_mallory;
GRANT USAGE ON FOREIGN SERVER cdms TO regress_crm_alice, regress_crm_mallory;
CREATE USER MAPPING FOR regress_crm_alice SERVER cdms OPTIONS (password_required 'false');
CREATE USER MAPPING FOR regress_crm_mallory SERVER cdms OPTIONS (password_required 'false');
CREATE SCHEMA a AUTHORIZATION regress_crm_alice;
CREATE SCHEMA m AUTHORIZATION regress_crm_mallory;
\set one aaaaaaaa-0000-4000-8000-000000000001
\set new 11111111-0000-4000-8000-000000000001

-- Mallory's: one that works, one whose store is gone, one without a key column,
-- names of stores that are none.
SET ROLE regress_crm_mallory;
CREATE FOREIGN TABLE m.good (id uuid OPTIONS (property 'AccountId') NOT NULL, name text OPTIONS (property 'Name'))
    SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('m.good');
CREATE FOREIGN TABLE m.gone (id uuid OPTIONS (property 'AccountId') NOT NULL, name text OPTIONS (property 'Name'))
    SERVER cdms OPTIONS (entity 'Account', store 'm.nowhere');
CREATE FOREIGN TABLE m.keyless (name text OPTIONS (property 'Name'))
    SERVER cdms OPTIONS (entity 'Account', store 'm.good_store');
CREATE FOREIGN TABLE m.dots (id uuid OPTIONS (property 'AccountId') NOT NULL)
    SERVER cdms OPTIONS (entity 'Account', store 'a..b');
CREATE FOREIGN TABLE m.more_dots (id uuid OPTIONS (property 'AccountId') NOT NULL)
    SERVER cdms OPTIONS (entity 'Account', store 'otherdb.x.y');
CREATE FOREIGN TABLE m.same (id uuid OPTIONS (property 'AccountId') NOT NULL)
    SERVER cdms OPTIONS (entity 'Account', store 'a.organisation_store');
RESET ROLE;

-- Tools look through all tables there are.
SELECT table_name, is_insertable_into FROM information_schema.tables WHERE table_schema = 'm' ORDER BY table_name;
SELECT count(*) FROM information_schema.columns WHERE table_schema = 'm' AND is_updatable = 'YES';

-- Alice may not use schema m, and works in her own.
SET ROLE regress_crm_alice;
CREATE FOREIGN TABLE a.organisation (id uuid OPTIONS (property 'AccountId') NOT NULL, name text OPTIONS (property 'Name'))
    SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('a.organisation');
\c -
\set SHOW_CONTEXT never
SET ROLE regress_crm_alice;
-- The first thing that a session does is to write the store.
INSERT INTO a.organisation_store (id, name) VALUES (:'new', 'New');
SELECT name, cdms.get('Account', id, 'Name') AS there FROM a.organisation WHERE id = :'new';
UPDATE a.organisation SET name = 'Newer' WHERE id = :'new';
SELECT name, cdms.get('Account', id, 'Name') AS there FROM a.organisation WHERE id = :'new';
-- The state of all tables is shown to a superuser, broken ones or not; each
-- owner sees his own.
SELECT foreign_table FROM crm_sync.status ORDER BY foreign_table::text COLLATE "C";
RESET ROLE;
SELECT foreign_table FROM crm_sync.status ORDER BY foreign_table::text COLLATE "C";

-- A reader with rights on the foreign table alone: not on the store, not on the
-- schema that it stands in.
CREATE SCHEMA stores AUTHORIZATION regress_crm_alice;
SET ROLE regress_crm_alice;
ALTER TABLE a.organisation_store SET SCHEMA stores;
ALTER FOREIGN TABLE a.organisation OPTIONS (SET store 'stores.organisation_store');
GRANT USAGE ON SCHEMA a TO regress_crm_mallory;
GRANT SELECT, UPDATE ON a.organisation TO regress_crm_mallory;
\c -
\set SHOW_CONTEXT never
SET ROLE regress_crm_mallory;
SELECT name FROM a.organisation WHERE id = :'one';
TABLE stores.organisation_store;
UPDATE a.organisation SET name = 'Through' WHERE id = :'new';
SELECT cdms.get('Account', :'new', 'Name');
-- His broken tables have their own errors, and the good one is not disturbed.
SELECT count(*) FROM m.gone;
SELECT count(*) FROM m.dots;
SELECT count(*) FROM m.more_dots;
SELECT count(*) FROM m.keyless;
SELECT count(*) FROM m.same;
SELECT name FROM m.good WHERE id = :'one';
RESET ROLE;

-- A name without a schema is looked for beside the foreign table, whatever the
-- reader's search_path.
SET ROLE regress_crm_alice;
ALTER TABLE stores.organisation_store SET SCHEMA a;
ALTER FOREIGN TABLE a.organisation OPTIONS (SET store 'organisation_store');
RESET ROLE;
SET search_path = m;
SELECT name FROM a.organisation WHERE id = :'one';
SET search_path = a;
SELECT name FROM a.organisation WHERE id = :'one';
RESET search_path;

SET client_min_messages = warning;
DROP SCHEMA a, m, stores CASCADE;
DROP SERVER cdms CASCADE;
RESET client_min_messages;
DROP ROLE regress_crm_alice, regress_crm_mallory;
