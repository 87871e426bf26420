--
-- INSERT, COPY and MERGE: how an object comes into being on both sides.
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
    city         text OPTIONS (property 'optevia_TownCity') DEFAULT 'Leeds',
    alias        text OPTIONS (property 'optevia_Alias'),
    turnover     numeric OPTIONS (property 'Revenue', type 'Money'),
    verified     timestamptz OPTIONS (property 'optevia_LastVerified'),
    parent       uuid OPTIONS (property 'ParentAccountId', type 'EntityReference'),
    modified_on  timestamptz OPTIONS (property 'ModifiedOn'),
    paf_override boolean OPTIONS (property 'optevia_PAFOverride', constant 'true'),
    manager      text
) SERVER cdms OPTIONS (entity 'Account');
CREATE FOREIGN TABLE crm.person (
    id           uuid OPTIONS (property 'ContactId') NOT NULL,
    first_name   text OPTIONS (property 'FirstName'),
    last_name    text OPTIONS (property 'LastName'),
    full_name    text OPTIONS (property 'FullName'),
    organisation uuid OPTIONS (property 'ParentCustomerId', type 'EntityReference', target 'account'),
    organisation_name text OPTIONS (property 'ParentCustomerId/Name')
) SERVER cdms OPTIONS (entity 'Contact');
SELECT crm_sync.create_store('crm.organisation'), crm_sync.create_store('crm.person');
\set ada  11111111-0000-4000-8000-000000000001
\set mill 11111111-0000-4000-8000-000000000002
\set yard 11111111-0000-4000-8000-000000000003
\set anna 22222222-0000-4000-8000-000000000001
\set bert 22222222-0000-4000-8000-000000000002
\set oneil aaaaaaaa-0000-4000-8000-000000000001

-- A key of our own.  What the statement names goes to CDMS, what it leaves out
-- takes the foreign table's default; NULLs are not sent, constants are.  What
-- CDMS sets is NULL until COMMIT; then the store holds what CDMS made of it all.
INSERT INTO crm.organisation (id, name, turnover, verified, manager)
    VALUES (:'ada', 'Ada Ltd', 1234.567891, '2014-02-03 04:05:06.789', 'Grace')
    RETURNING id, name, city, alias, turnover, verified, modified_on, paf_override, manager;
SELECT * FROM cdms.log();
SELECT name, city, alias, turnover, verified, modified_on, paf_override, manager
    FROM crm.organisation_store WHERE id = :'ada';

-- FullName is CDMS's own work.
INSERT INTO crm.person (id, first_name, last_name) VALUES (:'anna', 'Anna', 'Atkins') RETURNING *;
SELECT * FROM crm.person_store;

-- A default of the store comes next, and without any key the store chooses it.
ALTER TABLE crm.organisation_store ALTER alias SET DEFAULT 'of the store';
SELECT cdms.log_clear();
BEGIN;
INSERT INTO crm.organisation (name) VALUES ('Keyless Ltd')
    RETURNING id AS keyless \gset
INSERT INTO crm.organisation (id, name, city, alias) VALUES (:'mill', 'Mill Ltd', DEFAULT, NULL);
INSERT INTO crm.organisation (id, name, city, alias) VALUES (:'yard', 'Yard Ltd', NULL, 'named')
    RETURNING name, city, alias;
COMMIT;
SELECT replace(log, :'keyless', '(key)') FROM cdms.log('POST') log;
SELECT cdms.get('Account', :'keyless', 'Name') AS name, cdms.get('Account', :'keyless', 'optevia_Alias') AS alias;
SELECT (:'keyless')::uuid <> gen_random_uuid() AND substr(:'keyless', 15, 1) = '4' AS random;
ALTER TABLE crm.organisation_store ALTER alias DROP DEFAULT;

-- DEFAULT VALUES has but defaults.
SELECT cdms.log_clear();
INSERT INTO crm.organisation DEFAULT VALUES RETURNING id AS keyless \gset
SELECT replace(log, :'keyless', '(key)') FROM cdms.log('POST') log;

-- The key is taken: in the store, where nobody asks CDMS ...
SELECT cdms.log_clear();
INSERT INTO crm.organisation (id, name) VALUES (:'ada', 'Ada Again Ltd');
\echo :SQLSTATE
SELECT * FROM cdms.log();

-- ... or only in CDMS, which says so at COMMIT; the row does not stay here.
BEGIN;
INSERT INTO crm.organisation (id, name) VALUES (:'oneil', 'Another Ltd') RETURNING name;
COMMIT;
\echo :SQLSTATE
SELECT split_part(log, ' ', 1) AS verb, right(log, 3) AS status FROM cdms.log();
SELECT count(*) FROM crm.organisation_store WHERE id = :'oneil';
SELECT cdms.get('Account', :'oneil', 'Name');

-- ON CONFLICT DO NOTHING: for the foreign table as it is ...
INSERT INTO crm.organisation (id, name)
    VALUES (:'ada', 'Ada Again Ltd'), ('11111111-0000-4000-8000-000000000004', 'Fourth Ltd')
    ON CONFLICT DO NOTHING RETURNING name;
SELECT cdms.get('Account', :'ada', 'Name') AS first,
       cdms.get('Account', '11111111-0000-4000-8000-000000000004', 'Name') AS fourth;

-- (which looks at the store, and can't know what only CDMS has) ...
INSERT INTO crm.organisation (id, name) VALUES (:'oneil', 'Another Ltd') ON CONFLICT DO NOTHING;
\echo :SQLSTATE

-- ... with a key, or DO UPDATE, for the store alone.
INSERT INTO crm.organisation (id, name) VALUES (:'ada', 'Ada & Co') ON CONFLICT (id) DO NOTHING;
\echo :SQLSTATE
SELECT cdms.log_clear();
INSERT INTO crm.organisation_store (id, name)
    VALUES (:'ada', 'Ada & Co'), ('11111111-0000-4000-8000-000000000005', 'Fifth Ltd')
    ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name;
SELECT * FROM cdms.log() WHERE log NOT LIKE 'GET%';

-- MERGE likewise.
MERGE INTO crm.organisation o
    USING (VALUES (:'ada'::uuid, 'Ada plc')) v (id, name) ON o.id = v.id
    WHEN MATCHED THEN UPDATE SET name = v.name;
\echo :SQLSTATE
SELECT cdms.log_clear();
MERGE INTO crm.organisation_store o
    USING (VALUES (:'ada'::uuid, 'Ada plc'), ('11111111-0000-4000-8000-000000000005', NULL),
                  ('11111111-0000-4000-8000-000000000006', 'Sixth Ltd')) v (id, name) ON o.id = v.id
    WHEN MATCHED AND v.name IS NULL THEN DELETE
    WHEN MATCHED THEN UPDATE SET name = v.name
    WHEN NOT MATCHED THEN INSERT (id, name) VALUES (v.id, v.name);
SELECT * FROM cdms.log() WHERE log NOT LIKE 'GET%';

-- A hundred rows: one request each, nothing else.
SELECT cdms.log_clear();
INSERT INTO crm.organisation (id, name)
    SELECT format('33333333-0000-4000-8000-%s', lpad(n::text, 12, '0'))::uuid, 'Branch ' || n
    FROM generate_series(1, 100) n;
SELECT split_part(log, ' ', 1) AS verb, right(log, 3) AS status, count(*) FROM cdms.log() GROUP BY 1, 2;
SELECT count(*) FROM crm.organisation_store WHERE name LIKE 'Branch %' AND modified_on IS NOT NULL;
SELECT cdms.get('Account', '33333333-0000-4000-8000-000000000100', 'Name');

-- Parents go before their children, whoever was written first: a contact, its
-- organisation, and the organisation above that.
SELECT cdms.log_clear();
BEGIN;
INSERT INTO crm.person (id, last_name, organisation) VALUES
    (:'bert', 'Bertram', '44444444-0000-4000-8000-000000000001');
INSERT INTO crm.organisation (id, name, parent) VALUES
    ('44444444-0000-4000-8000-000000000001', 'Daughter Ltd', '44444444-0000-4000-8000-000000000002'),
    ('44444444-0000-4000-8000-000000000002', 'Mother Ltd', NULL);
COMMIT;
SELECT * FROM cdms.log();
SELECT last_name, organisation_name FROM crm.person_store WHERE id = :'bert';

-- A polymorphic reference points at what the column's target says: for a
-- contact's parent that is a contact, another column of another table is made.
CREATE FOREIGN TABLE crm.assistant (
    id        uuid OPTIONS (property 'ContactId') NOT NULL,
    last_name text OPTIONS (property 'LastName'),
    boss      uuid OPTIONS (property 'ParentCustomerId', type 'EntityReference', target 'contact')
) SERVER cdms OPTIONS (entity 'Contact');
SELECT crm_sync.create_store('crm.assistant');
SELECT cdms.log_clear();
INSERT INTO crm.assistant (id, last_name, boss)
    VALUES ('22222222-0000-4000-8000-000000000003', 'Cameron', :'anna');
SELECT * FROM cdms.log();
SELECT cdms.get('Contact', '22222222-0000-4000-8000-000000000003', 'ParentCustomerId') AS contact,
       cdms.get('Contact', :'bert', 'ParentCustomerId') AS account;

-- COPY FROM: the same as INSERT, one request for each row, at its COMMIT.
SELECT cdms.log_clear();
COPY crm.organisation (id, name, alias) FROM stdin;
55555555-0000-4000-8000-000000000001	Copied, "quoted" Ltd	\N
55555555-0000-4000-8000-000000000002	Tab\tNewline\nLtd	back\\slash
\.
SELECT * FROM cdms.log();
SELECT name, city, alias FROM crm.organisation_store WHERE id::text LIKE '55555555%' ORDER BY id;

-- A bad row among them, the last: nothing is sent, nothing stored.
SELECT cdms.log_clear();
COPY crm.organisation (id, name) FROM stdin (FORMAT csv);
55555555-0000-4000-8000-000000000003,Good Ltd
55555555-not-a-key,Bad Ltd
\.
SELECT * FROM cdms.log();
SELECT count(*) FROM crm.organisation_store WHERE name = 'Good Ltd';

-- COPY TO takes a query over a foreign table, or the store itself.
COPY (SELECT id, name, city, alias FROM crm.organisation
      WHERE id IN ('55555555-0000-4000-8000-000000000001', '55555555-0000-4000-8000-000000000002')
      ORDER BY id) TO stdout (FORMAT csv, HEADER);
COPY crm.organisation TO stdout;
\echo :SQLSTATE
COPY crm.assistant_store TO stdout;

-- A write to the store itself knows the store's defaults only.
SELECT cdms.log_clear();
INSERT INTO crm.organisation_store (name) VALUES ('Straight Ltd') RETURNING id AS keyless \gset
SELECT replace(log, :'keyless', '(key)') FROM cdms.log() log;

SELECT count(*) AS pending FROM crm_sync.outbox;
SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
