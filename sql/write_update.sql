--
-- UPDATE of a synchronised table: what CDMS is sent, in which order, and what
-- stands here and there afterwards.
--
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
SELECT cdms.reset();
SELECT cdms.clock('set', '2015-06-01T12:00:00Z');
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id           uuid OPTIONS (property 'AccountId') NOT NULL,
    name         text OPTIONS (property 'Name'),
    alias        text OPTIONS (property 'optevia_Alias'),
    city         text OPTIONS (property 'optevia_TownCity'),
    employees    integer OPTIONS (property 'NumberOfEmployees'),
    turnover     numeric OPTIONS (property 'Revenue', type 'Money'),
    industry     integer OPTIONS (property 'IndustryCode', type 'OptionSetValue'),
    sector       uuid OPTIONS (property 'optevia_Sector', type 'EntityReference'),
    verified     timestamptz OPTIONS (property 'optevia_LastVerified'),
    modified_on  timestamptz OPTIONS (property 'ModifiedOn'),
    paf_override boolean OPTIONS (property 'optevia_PAFOverride', constant 'true'),
    manager      text
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
\set oneil aaaaaaaa-0000-4000-8000-000000000001
\set wool aaaaaaaa-0000-4000-8000-000000000002
\set bold aaaaaaaa-0000-4000-8000-000000000004

-- Sixty organisations to begin with; what is asked for is in the store afterwards.
SELECT array_agg(key) AS sixty FROM (
    SELECT key FROM regexp_split_to_table(cdms.control('keys', 'Account', '100'), E'\n') AS key
        WHERE key NOT LIKE 'aaaaaaaa%' LIMIT 60) k \gset
SELECT count(*) FROM crm.organisation WHERE id = ANY (:'sixty');
SELECT count(*) FROM crm.organisation WHERE id IN (:'oneil', :'wool', :'bold');
SELECT cdms.log_clear();

-- Only what changed is sent, and the constants, which go with every write.
UPDATE crm.organisation SET city = 'Ely' WHERE id = :'oneil';
SELECT cdms.log('MERGE');
SELECT cdms.get('Account', :'oneil', 'optevia_TownCity');
SELECT cdms.get('Account', :'oneil', 'Name');

-- The same values once more change nothing: nothing is sent, nothing is noted.
SELECT cdms.log_clear();
SELECT count(*) AS versions FROM crm_sync.history WHERE key = :'oneil' \gset
UPDATE crm.organisation SET city = 'Ely', name = name WHERE id = :'oneil';
SELECT * FROM cdms.log() WHERE log NOT LIKE 'GET%';
SELECT count(*) - :versions AS new_versions FROM crm_sync.history WHERE key = :'oneil';

-- Neither does a change that the same transaction takes back.
BEGIN;
UPDATE crm.organisation SET city = 'Leeds' WHERE id = :'oneil';
UPDATE crm.organisation SET city = 'Ely' WHERE id = :'oneil';
COMMIT;
SELECT * FROM cdms.log() WHERE log NOT LIKE 'GET%';

-- Several updates of one object in one transaction are one request, whether
-- they were written to the foreign table or to its store.
SELECT cdms.log_clear();
BEGIN;
UPDATE crm.organisation SET city = 'Leeds' WHERE id = :'oneil';
UPDATE crm.organisation SET alias = 'Sons' WHERE id = :'oneil';
UPDATE crm.organisation_store SET city = 'York', employees = 12 WHERE id = :'oneil';
SELECT * FROM cdms.log() WHERE log NOT LIKE 'GET%';
COMMIT;
SELECT * FROM cdms.log() WHERE log NOT LIKE 'GET%';

-- The order: the object is got, written, read back.  (An UPDATE of the foreign
-- table has just got it; the store has asked nobody.)
SELECT cdms.log_clear();
UPDATE crm.organisation_store SET city = 'Ely' WHERE id = :'oneil';
SELECT regexp_replace(log, '\$select=[^&]*&', '') AS log FROM cdms.log();

-- RETURNING shows the store's row: what CDMS sets is old until COMMIT, and what
-- CDMS makes of a value, whole seconds and rounded money, comes with it.
SELECT cdms.clock('step', '60');
SELECT modified_on FROM crm.organisation_store WHERE id = :'oneil';
UPDATE crm.organisation SET turnover = 1234.567891, verified = '2014-02-03 04:05:06.789',
        industry = 3
    WHERE id = :'oneil'
    RETURNING name, turnover, verified, industry, modified_on;
SELECT turnover, verified, industry, modified_on FROM crm.organisation_store WHERE id = :'oneil';

-- UPDATE ... FROM, several rows, each with its own values.
SELECT cdms.log_clear();
WITH updated AS (
    UPDATE crm.organisation o SET alias = v.alias
        FROM (VALUES (:'oneil'::uuid, 'one'), (:'wool', 'two'), (:'bold', 'three')) v (id, alias)
        WHERE o.id = v.id
        RETURNING o.name, o.alias, v.alias = o.alias AS same
) SELECT * FROM updated ORDER BY name COLLATE "C";
SELECT log FROM cdms.log('MERGE') ORDER BY log COLLATE "C";

-- Sixty rows: got and read back 25 keys at a time, written one by one.
SELECT cdms.log_clear();
UPDATE crm.organisation_store SET alias = 'one of sixty'
    WHERE id = ANY (:'sixty');
SELECT split_part(log, ' ', 1) AS verb, count(*) FROM cdms.log() GROUP BY 1 ORDER BY 1;
SELECT verb, (length(log) - length(replace(log, 'guid''', ''))) / 5 AS keys
    FROM (SELECT split_part(log, ' ', 1) AS verb, log FROM cdms.log()) l
    WHERE verb = 'GET';

-- NULL is sent as such: members of a complex value are null each.
SELECT cdms.log_clear();
UPDATE crm.organisation
    SET sector = NULL, industry = NULL, turnover = NULL, alias = NULL, verified = NULL, employees = NULL
    WHERE id = :'oneil';
SELECT cdms.log('MERGE');
SELECT cdms.get('Account', :'oneil', 'optevia_Sector') AS sector,
       cdms.get('Account', :'oneil', 'IndustryCode') AS industry,
       cdms.get('Account', :'oneil', 'Revenue') AS turnover,
       cdms.get('Account', :'oneil', 'optevia_Alias') AS alias,
       cdms.get('Account', :'oneil', 'optevia_LastVerified') AS verified,
       cdms.get('Account', :'oneil', 'NumberOfEmployees') AS employees;
SELECT sector, industry, turnover, alias, verified, employees
    FROM crm.organisation WHERE id = :'oneil';

-- A column of the CRM's own: CDMS is not told, history is.
SELECT cdms.log_clear();
UPDATE crm.organisation SET manager = 'Grace' WHERE id = :'oneil';
SELECT * FROM cdms.log() WHERE log NOT LIKE 'GET%';
SELECT operation, origin, before ->> 'manager' AS before, after ->> 'manager' AS after
    FROM crm_sync.history WHERE key = :'oneil' ORDER BY id DESC LIMIT 1;

-- Both sides changed the same property: the last writer wins, and what he
-- overwrote is kept.  Changes of others to other properties stay.
SELECT cdms.log_clear();
BEGIN;
UPDATE crm.organisation_store SET city = 'Bath' WHERE id = :'oneil';
SELECT cdms.edit('Account', :'oneil',
                 '{"optevia_TownCity": "Hull", "optevia_Alias": "theirs", "IndustryCode": 7}');
COMMIT;
SELECT cdms.log('MERGE');
SELECT cdms.get('Account', :'oneil', 'optevia_TownCity') AS city,
       cdms.get('Account', :'oneil', 'optevia_Alias') AS alias;
SELECT city, alias, industry FROM crm.organisation_store WHERE id = :'oneil';
SELECT store, key, operation, origin, before ->> 'city' AS before, after ->> 'city' AS after, conflict
    FROM crm_sync.conflicts;
SELECT origin, after ->> 'city' AS city, after ->> 'alias' AS alias, conflict
    FROM crm_sync.history WHERE key = :'oneil' ORDER BY id DESC LIMIT 2;

-- It is decided property by property: what both set to the same is no conflict,
-- what had been a NULL, or became one, is.
BEGIN;
UPDATE crm.organisation_store SET city = 'Hove', turnover = 5, industry = NULL WHERE id = :'oneil';
SELECT cdms.edit('Account', :'oneil',
                 '{"optevia_TownCity": "Hove", "Revenue": 6.5, "IndustryCode": 8}');
COMMIT;
SELECT conflict FROM crm_sync.conflicts ORDER BY id DESC LIMIT 1;
SELECT city, turnover, industry FROM crm.organisation WHERE id = :'oneil';

-- A trigger's change of another column is sent as well.
CREATE FUNCTION crm.shout() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN NEW.name := upper(NEW.name); RETURN NEW; END';
CREATE TRIGGER shout BEFORE UPDATE ON crm.organisation FOR EACH ROW EXECUTE FUNCTION crm.shout();
SELECT cdms.log_clear();
UPDATE crm.organisation SET city = 'Deal' WHERE id = :'bold' RETURNING name, city;
SELECT cdms.log('MERGE');
DROP TRIGGER shout ON crm.organisation;

-- No row matches: nothing is sent.
SELECT cdms.log_clear();
UPDATE crm.organisation SET city = 'Nowhere' WHERE id = 'aaaaaaaa-9999-4000-8000-000000000001';
SELECT * FROM cdms.log() WHERE log NOT LIKE 'GET%';

-- The object is gone in CDMS: it is created there again, whole (on_missing
-- 'create', the default) ...
SELECT cdms.delete('Account', :'bold');
SELECT cdms.log_clear();
UPDATE crm.organisation SET city = 'Dover' WHERE id = :'bold';
SELECT * FROM cdms.log() WHERE log NOT LIKE 'GET%';
SELECT cdms.get('Account', :'bold', 'optevia_TownCity');

-- ... as by a write to the store, which reads nothing before.
SELECT cdms.delete('Account', :'bold');
SELECT cdms.log_clear();
UPDATE crm.organisation_store SET city = 'Deal' WHERE id = :'bold';
SELECT split_part(log, ' ', 1) AS verb FROM cdms.log();
SELECT cdms.get('Account', :'bold', 'optevia_TownCity');

-- With 'ignore' the write fails ...
ALTER FOREIGN TABLE crm.organisation OPTIONS (ADD on_missing 'ignore');
SELECT cdms.delete('Account', :'bold');
SELECT cdms.log_clear();
UPDATE crm.organisation_store SET city = 'Dover' WHERE id = :'bold';
\echo :SQLSTATE
SELECT city FROM crm.organisation_store WHERE id = :'bold';
SELECT * FROM cdms.log() WHERE log NOT LIKE 'GET%';

-- ... and with 'delete' there is no row any more once it has been asked for.
ALTER FOREIGN TABLE crm.organisation OPTIONS (SET on_missing 'delete');
UPDATE crm.organisation SET city = 'Dover' WHERE id = :'bold';
SELECT count(*) FROM crm.organisation_store WHERE id = :'bold';
SELECT * FROM cdms.log() WHERE log NOT LIKE 'GET%';

SELECT count(*) AS pending FROM crm_sync.outbox;
SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
