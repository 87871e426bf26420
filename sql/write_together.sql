--
-- Writes that don't depend on each other are under way at once, as many as
-- max_connections says; what depends on another waits for it.  The transaction fails
-- as a whole all the same.
--
\set SHOW_CONTEXT never
SELECT cdms.reset();
SELECT cdms.create_server($$ max_connections '4' $$);
TRUNCATE crm_sync.history, crm_sync.outbox;
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id     uuid OPTIONS (property 'AccountId') NOT NULL,
    name   text OPTIONS (property 'Name'),
    city   text OPTIONS (property 'optevia_TownCity'),
    parent uuid OPTIONS (property 'ParentAccountId', type 'EntityReference')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
CREATE FUNCTION crm.key(n integer) RETURNS uuid IMMUTABLE LANGUAGE sql
    RETURN ('11111111-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid;
CREATE VIEW crm.there AS
    SELECT count(*), count(*) FILTER (WHERE city = 'Hull') AS hull, count(parent) AS children
    FROM crm.organisation_store WHERE id::text LIKE '11111111%';

-- 20 creations, three levels deep, over four connections.
SELECT cdms.control('latency', '50');
SELECT cdms.log_clear();
INSERT INTO crm.organisation (id, name, parent)
    SELECT crm.key(i), 'New ' || i, CASE WHEN i = 1 THEN NULL WHEN i < 6 THEN crm.key(1) ELSE crm.key(2) END
    FROM generate_series(20, 1, -1) i;
SELECT split_part(cdms.control('connections'), ',', 1) AS connections;
SELECT cdms.control('latency', '0');
SELECT count(*), count(DISTINCT log) FROM cdms.log('POST') WHERE log LIKE '%-> 201';
TABLE crm.there;
SELECT cdms.count('Account');
-- What is referred to was there first.
SELECT bool_and(n > 1) FILTER (WHERE log NOT LIKE '%New 1"%') AS parent_first
    FROM (SELECT log, row_number() OVER () AS n FROM cdms.log('POST')) l;

-- Changes, one of which is refused: the others are undone, whichever had left.
SELECT cdms.fault('status', '--verb', 'MERGE', '--skip', '7', '--status', '400', '--body', 'no');
\set VERBOSITY sqlstate
UPDATE crm.organisation_store SET city = 'Hull' WHERE id::text LIKE '11111111%';
\set VERBOSITY default
TABLE crm.there;
SELECT count(*) FILTER (WHERE cdms.get('Account', crm.key(i), 'optevia_TownCity') = 'Hull') AS hull
    FROM generate_series(1, 20) i;
SELECT count(*) FROM crm_sync.outbox;
SELECT unresolved FROM crm_sync.status;

-- Three answers of those under way are lost.
SELECT cdms.fault('reset-after', '--verb', 'MERGE', '--times', '3');
UPDATE crm.organisation_store SET city = 'Hull' WHERE id::text LIKE '11111111%';
TABLE crm.there;

-- Deleted again, children first.
DELETE FROM crm.organisation_store WHERE id::text LIKE '11111111%';
TABLE crm.there;
SELECT cdms.count('Account');

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
