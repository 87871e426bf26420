--
-- What a push on behalf of no writer takes along: what waited when it came to the
-- object, and nothing that is written in answer.  And what it finds in CDMS already it
-- changes only if it may change it.
--
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
SET client_min_messages = error;
TRUNCATE crm_sync.history, crm_sync.outbox;
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE ROLE regress_crm_ann;
CREATE USER MAPPING FOR regress_crm_ann SERVER cdms OPTIONS (password_required 'false');
CREATE SCHEMA crm;
GRANT USAGE ON SCHEMA crm TO regress_crm_ann;
CREATE FOREIGN TABLE crm.org (
    id    uuid OPTIONS (property 'AccountId') NOT NULL,
    name  text OPTIONS (property 'Name'),
    city  text OPTIONS (property 'optevia_TownCity'),
    alias text OPTIONS (property 'optevia_Alias')
) SERVER cdms OPTIONS (entity 'Account', writes 'queue');
SELECT crm_sync.create_store('crm.org');
\set one aaaaaaaa-0000-4000-8000-000000000001
\set two aaaaaaaa-0000-4000-8000-000000000002
CREATE VIEW crm.told AS SELECT regexp_replace(log, 'guid''[^'']*''', 'key') FROM cdms.log() AS log WHERE log NOT LIKE 'GET%';
CREATE VIEW crm.waiting AS SELECT operation, changed, parked FROM crm_sync.outbox ORDER BY id;

-- A trigger that answers each change with another one.
CREATE FUNCTION crm.answer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() = 1 THEN
        UPDATE crm.org_store SET city = NEW.name || ' ' || (SELECT count(*) FROM crm_sync.history) WHERE id = NEW.id;
    END IF;
    RETURN NULL;
END $$;
SELECT name FROM crm.org WHERE id = :'one';
UPDATE crm.org SET name = 'x' WHERE id = :'one';
CREATE TRIGGER answer AFTER UPDATE ON crm.org_store FOR EACH ROW EXECUTE FUNCTION crm.answer();
SELECT cdms.edit('Account', :'one', 'optevia_TownCity', 'Hull'::text), cdms.log_clear();
SELECT crm_sync.push('crm.org');
TABLE crm.told;
SELECT count(*) FROM crm.waiting;
-- Nor in the turn of somebody else, who has changed the object after that.
GRANT UPDATE, SELECT ON crm.org TO regress_crm_ann;
ALTER TABLE crm.org_store DISABLE TRIGGER answer;
SET ROLE regress_crm_ann;
UPDATE crm.org SET name = 'Hers' WHERE id = :'one';
RESET ROLE;
ALTER TABLE crm.org_store ENABLE TRIGGER answer;
REVOKE UPDATE, SELECT ON crm.org FROM regress_crm_ann;
TABLE crm.waiting;
SELECT cdms.edit('Account', :'one', 'optevia_Alias', 'Edited'::text), cdms.log_clear();
SELECT crm_sync.push('crm.org');
TABLE crm.told;
TABLE crm.waiting;
-- Nor where it is sent at once: it goes with the COMMIT, once.
ALTER FOREIGN TABLE crm.org OPTIONS (SET writes 'sync');
SET crm_sync.mode = local;
UPDATE crm.org SET name = 'y' WHERE id = :'one';
RESET crm_sync.mode;
SELECT cdms.edit('Account', :'one', 'optevia_TownCity', 'Leeds'::text), cdms.log_clear();
SELECT crm_sync.push('crm.org');
SELECT count(*) < 10 AS few FROM crm.told;
DROP TRIGGER answer ON crm.org_store;
SELECT crm_sync.push('crm.org');
SELECT count(*) FROM crm.waiting;

-- Ann, who may INSERT only, has a key that CDMS has.  Her creation does not get so far
-- as to be sent: it is not her own that is found there.
GRANT INSERT ON crm.org TO regress_crm_ann;
SET ROLE regress_crm_ann;
SET crm_sync.mode = local;
INSERT INTO crm.org (id, name) VALUES (:'two', 'Mine');
RESET crm_sync.mode;
RESET ROLE;
SELECT cdms.create_server(name => 'patient');
CREATE FOREIGN TABLE crm.person (
    id   uuid OPTIONS (property 'ContactId') NOT NULL,
    last text OPTIONS (property 'LastName')
) SERVER patient OPTIONS (entity 'Contact');
SELECT crm_sync.create_store('crm.person');
ALTER SERVER cdms OPTIONS (ADD commit_timeout '1ms');
BEGIN;
UPDATE crm.person SET last = 'Late' WHERE id = 'cccccccc-0000-4000-8000-000000000001';
SELECT crm_sync.push('crm.org');
SELECT cdms.log_clear(), cdms.fault('delay', '--verb', 'MERGE', '--ms', '50');
COMMIT;
TABLE crm.told;
TABLE crm.waiting;
ALTER SERVER cdms OPTIONS (DROP commit_timeout);
SELECT crm_sync.push('crm.org');
TABLE crm.told;
TABLE crm.waiting;
SELECT cdms.get('Account', :'two', 'Name') = 'Mine' AS overwritten;
-- With UPDATE of the store, or of the columns that differ, it is.
GRANT UPDATE (id, name) ON crm.org TO regress_crm_ann;
SELECT crm_sync.retry(id) FROM crm_sync.failed;
SELECT crm_sync.push('crm.org');
TABLE crm.waiting;
SELECT cdms.get('Account', :'two', 'Name');

-- What was answered by nobody may have got there or been there before: with the values
-- that were sent it is taken for hers, with others it is not.
REVOKE UPDATE (id, name) ON crm.org FROM regress_crm_ann;
\set new dddddddd-0000-4000-8000-000000000001
SET ROLE regress_crm_ann;
SET crm_sync.mode = local;
INSERT INTO crm.org (id, name) VALUES (:'new', 'New');
RESET crm_sync.mode;
RESET ROLE;
ALTER SERVER cdms OPTIONS (ADD max_retries '0');
SELECT cdms.fault('close-after', '--verb', 'POST');
SELECT crm_sync.push('crm.org');
TABLE crm.waiting;
SELECT crm_sync.push('crm.org');
TABLE crm.waiting;
SELECT cdms.get('Account', :'new', 'Name');
-- Nor does an answer that says nothing make it hers.
SET ROLE regress_crm_ann;
SET crm_sync.mode = local;
INSERT INTO crm.org (id, name) VALUES ('aaaaaaaa-0000-4000-8000-000000000003', 'Mine, too');
RESET crm_sync.mode;
RESET ROLE;
SELECT cdms.fault('status', '--verb', 'POST', '--status', '503', '--retry-after', '0'), cdms.log_clear();
SELECT crm_sync.push('crm.org');
TABLE crm.waiting;
SELECT crm_sync.push('crm.org');
ALTER SERVER cdms OPTIONS (SET max_retries '2');
SELECT cdms.fault('status', '--verb', 'POST', '--status', '503', '--retry-after', '0');
SELECT crm_sync.retry(id) FROM crm_sync.failed;
SELECT crm_sync.push('crm.org');
SELECT crm_sync.retry(id) FROM crm_sync.failed;
SELECT crm_sync.push('crm.org');
TABLE crm.told;
TABLE crm.waiting;

DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
DROP SERVER patient CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
DROP ROLE regress_crm_ann;
