--
-- A store whose foreign keys are deferred: what its owner's reads store is checked
-- at their COMMIT.  A read of somebody else, which stores with the owner's rights,
-- can't leave a check for later.
--
\set SHOW_CONTEXT never
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE ROLE regress_crm_owner;
CREATE ROLE regress_crm_reader;
GRANT USAGE ON FOREIGN SERVER cdms TO regress_crm_owner;
CREATE USER MAPPING FOR regress_crm_owner SERVER cdms OPTIONS (password_required 'false');
CREATE SCHEMA crm AUTHORIZATION regress_crm_owner;
GRANT USAGE ON SCHEMA crm TO regress_crm_reader;
SET ROLE regress_crm_owner;
CREATE FOREIGN TABLE crm.organisation (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name')
) SERVER cdms OPTIONS (entity 'Account');
CREATE FOREIGN TABLE crm.person (
    id           uuid OPTIONS (property 'ContactId') NOT NULL,
    first_name   text OPTIONS (property 'FirstName'),
    organisation uuid OPTIONS (property 'ParentCustomerId', type 'EntityReference', target 'account')
) SERVER cdms OPTIONS (entity 'Contact');
SELECT crm_sync.create_store('crm.organisation'), crm_sync.create_store('crm.person');
ALTER TABLE crm.person_store ADD FOREIGN KEY (organisation) REFERENCES crm.organisation_store DEFERRABLE INITIALLY DEFERRED;
GRANT SELECT, UPDATE ON crm.organisation, crm.person TO regress_crm_reader;
RESET ROLE;
\set account aaaaaaaa-0000-4000-8000-000000000001
\set contact cccccccc-0000-4000-8000-000000000001

-- The owner: the organisation comes after the person, before the COMMIT.
SET SESSION AUTHORIZATION regress_crm_owner;
BEGIN;
SELECT first_name FROM crm.person WHERE id = :'contact';
SELECT name FROM crm.organisation WHERE id = :'account';
COMMIT;
-- A person whose organisation does not come fails at the COMMIT, and is not kept.
BEGIN;
SELECT first_name FROM crm.person WHERE id = 'cccccccc-0000-4000-8000-000000000002';
COMMIT;
SELECT first_name FROM crm.person_store;
RESET SESSION AUTHORIZATION;

-- Who is the owner for a while only is somebody else again at the COMMIT, whom the
-- owner's triggers must not run as.
BEGIN;
SET LOCAL ROLE regress_crm_owner;
SELECT first_name FROM crm.person WHERE id = 'cccccccc-0000-4000-8000-000000000002';
ROLLBACK;

-- Somebody else: reading what is stored already is no matter.
SET ROLE regress_crm_reader;
SELECT first_name FROM crm.person WHERE id = :'contact';
-- Nor is a change that needs no check.
SELECT cdms.edit('Contact', :'contact', 'FirstName', 'Edited');
SELECT first_name FROM crm.person WHERE id = :'contact';
-- Another organisation would have to be checked later: he is told, and nothing is
-- stored.
SELECT cdms.edit('Contact', :'contact', 'ParentCustomerId', '{"Id":"aaaaaaaa-0000-4000-8000-000000000029","LogicalName":"account"}'::json);
SELECT first_name FROM crm.person WHERE id = :'contact';
SELECT first_name FROM crm.person WHERE id = 'cccccccc-0000-4000-8000-000000000004';
RESET ROLE;
SELECT organisation FROM crm.person_store;

-- When the owner has read it, it is there for all.
SET SESSION AUTHORIZATION regress_crm_owner;
BEGIN;
SELECT organisation FROM crm.person WHERE id = :'contact';
SELECT count(*) FROM crm.organisation WHERE id = 'aaaaaaaa-0000-4000-8000-000000000029';
COMMIT;
RESET SESSION AUTHORIZATION;
SET ROLE regress_crm_reader;
SELECT organisation FROM crm.person WHERE id = :'contact';
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
RESET client_min_messages;
DROP ROLE regress_crm_owner, regress_crm_reader;
