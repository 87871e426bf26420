--
-- Objects that refer to each other: CDMS takes no reference to what it does not
-- have yet, so parents go first, wherever they are waiting, and of a circle one
-- reference follows later.
--
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id      uuid OPTIONS (property 'AccountId') NOT NULL,
    name    text OPTIONS (property 'Name'),
    parent  uuid OPTIONS (property 'ParentAccountId', type 'EntityReference'),
    contact uuid OPTIONS (property 'PrimaryContactId', type 'EntityReference')
) SERVER cdms OPTIONS (entity 'Account');
CREATE FOREIGN TABLE crm.person (
    id           uuid OPTIONS (property 'ContactId') NOT NULL,
    last_name    text OPTIONS (property 'LastName'),
    organisation uuid OPTIONS (property 'ParentCustomerId', type 'EntityReference', target 'account')
) SERVER cdms OPTIONS (entity 'Contact');
SELECT crm_sync.create_store('crm.organisation'), crm_sync.create_store('crm.person');
CREATE FUNCTION crm.org(n integer) RETURNS uuid LANGUAGE sql IMMUTABLE
    RETURN format('11111111-0000-4000-8000-%s', lpad(n::text, 12, '0'))::uuid;
CREATE FUNCTION crm.man(n integer) RETURNS uuid LANGUAGE sql IMMUTABLE
    RETURN format('22222222-0000-4000-8000-%s', lpad(n::text, 12, '0'))::uuid;
CREATE VIEW crm.told AS SELECT log FROM cdms.log() WHERE log NOT LIKE 'GET%';
SELECT cdms.log_clear();

-- A long chain, written from the last to the first.
INSERT INTO crm.organisation (id, name, parent)
    SELECT crm.org(n), 'Link ' || n, CASE WHEN n > 1 THEN crm.org(n - 1) END FROM generate_series(10, 1, -1) n;
SELECT substring(log FROM 'Link \d+') AS name, right(log, 3) AS status FROM crm.told;

-- Taken apart in one transaction, children go first; what still refers to
-- something deleted is changed before.
SELECT cdms.log_clear();
BEGIN;
DELETE FROM crm.organisation WHERE id IN (crm.org(8), crm.org(9));
UPDATE crm.organisation SET parent = NULL WHERE id = crm.org(10);
COMMIT;
SELECT split_part(log, ' {', 1) AS log FROM crm.told;

-- An object's reference to one created with it, in an UPDATE.
SELECT cdms.log_clear();
BEGIN;
UPDATE crm.organisation SET contact = crm.man(1) WHERE id = crm.org(10);
INSERT INTO crm.person (id, last_name) VALUES (crm.man(1), 'Atkins');
COMMIT;
TABLE crm.told;

-- A pending parent goes out with the child that a read sends: in another table ...
SET crm_sync.mode = local;
INSERT INTO crm.organisation (id, name) VALUES (crm.org(21), 'Pending Ltd');
INSERT INTO crm.person (id, last_name, organisation) VALUES (crm.man(21), 'Bertram', crm.org(21));
RESET crm_sync.mode;
SELECT cdms.log_clear();
SELECT last_name FROM crm.person WHERE id = crm.man(21);
TABLE crm.told;

-- ... in the same one, where it was written later ...
SET crm_sync.mode = local;
INSERT INTO crm.organisation (id, name, parent) VALUES (crm.org(22), 'Daughter Ltd', crm.org(23));
INSERT INTO crm.organisation (id, name) VALUES (crm.org(23), 'Mother Ltd');
RESET crm_sync.mode;
SELECT cdms.log_clear();
SELECT name FROM crm.organisation WHERE id = crm.org(22);
TABLE crm.told;

-- ... and with a write that refers to it.
SET crm_sync.mode = local;
INSERT INTO crm.organisation (id, name) VALUES (crm.org(24), 'Waiting Ltd');
RESET crm_sync.mode;
SELECT cdms.log_clear();
INSERT INTO crm.person (id, last_name, organisation) VALUES (crm.man(24), 'Cameron', crm.org(24));
TABLE crm.told;
SELECT count(*) FROM crm_sync.pending;
SELECT count(*) FROM crm_sync.failed;

-- A circle: an organisation and its primary contact, who works there.
SELECT cdms.log_clear();
BEGIN;
INSERT INTO crm.organisation (id, name, contact) VALUES (crm.org(31), 'Circle Ltd', crm.man(31));
INSERT INTO crm.person (id, last_name, organisation) VALUES (crm.man(31), 'Round', crm.org(31));
COMMIT;
SELECT split_part(log, ' ', 1) AS verb, right(log, 3) AS status, count(*) FROM crm.told GROUP BY 1, 2 ORDER BY 1;
SELECT cdms.get('Account', crm.org(31), 'PrimaryContactId') AS contact,
       cdms.get('Contact', crm.man(31), 'ParentCustomerId') AS organisation;
SELECT contact FROM crm.organisation WHERE id = crm.org(31);

-- The smallest circle: its own parent.
SELECT cdms.log_clear();
INSERT INTO crm.organisation (id, name, parent) VALUES (crm.org(32), 'Own Parent Ltd', crm.org(32));
SELECT split_part(log, ' ', 1) AS verb, right(log, 3) AS status, count(*) FROM crm.told GROUP BY 1, 2 ORDER BY 1;
SELECT cdms.get('Account', crm.org(32), 'ParentAccountId') AS parent;

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
