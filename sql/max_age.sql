--
-- max_age: what was asked of CDMS not longer ago is not asked again.
--
SELECT cdms.reset();
SELECT cdms.create_server($$ max_age '1h' $$);
CREATE SCHEMA age;
CREATE FOREIGN TABLE age.org (
    id      uuid OPTIONS (property 'AccountId') NOT NULL,
    name    text OPTIONS (property 'Name'),
    phone   text OPTIONS (property 'optevia_TelephoneNumber'),
    note    text
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('age.org');
\set oneil aaaaaaaa-0000-4000-8000-000000000001
\set wool aaaaaaaa-0000-4000-8000-000000000002

-- What CDMS was asked since the last look, less what every question has.
CREATE FUNCTION age.asked() RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT replace(log, '$select=AccountId,Name,optevia_TelephoneNumber', '...') FROM cdms.log();
    PERFORM cdms.log_clear();
END $$;

-- A key: asked once, whatever else is asked of it; two keys are asked for unless
-- both were.
SELECT name, phone FROM age.org WHERE id = :'oneil';
SELECT cdms.edit('Account', :'oneil', 'optevia_TelephoneNumber', 'edited'::text);
SELECT name, phone FROM age.org WHERE id = :'oneil' AND name LIKE 'O''Neil%';
SELECT age.asked();
SELECT name, phone FROM age.org WHERE id IN (:'oneil', :'wool') ORDER BY name;
SELECT name FROM age.org WHERE id = :'wool';
SELECT name FROM age.org WHERE id IN (:'wool', :'oneil') ORDER BY name;
SELECT age.asked();

-- Conditions: the same, wherever in a statement they stand; not others.
SELECT name FROM age.org WHERE name = 'NULL' AND phone IS NOT NULL;
SELECT name, 'the same question' FROM age.org AS o WHERE o.name = 'NULL' AND o.phone IS NOT NULL;
PREPARE by_name (text) AS SELECT name FROM age.org WHERE name = $1 AND phone IS NOT NULL;
EXECUTE by_name('NULL');
EXECUTE by_name('\N');
SELECT name FROM age.org WHERE name = 'NULL' AND phone IS NULL;
SELECT age.asked();

-- The whole table covers everything.
SELECT count(*) FROM age.org;
SELECT count(*) AS requests FROM age.asked();
SELECT count(*) FROM age.org;
SELECT name FROM age.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000010';
SELECT name FROM age.org WHERE name LIKE 'Caf%';
SELECT count(*) FROM age.org a JOIN age.org b USING (id);
-- (Whose moment it was, depends on whether the library is preloaded.)
CREATE FUNCTION age.explain(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
        RETURN NEXT regexp_replace(line, '(session|cluster)', '...');
    END LOOP;
END $$;
SELECT age.explain($$ SELECT name FROM age.org WHERE name = 'NULL' $$);

-- What is written here is seen as it was written, and pushed.
UPDATE age.org SET phone = 'ours', note = 'here' WHERE id = :'oneil';
SELECT phone, note FROM age.org WHERE id = :'oneil';
SELECT age.asked();

-- What failed was not answered.
ALTER SERVER cdms OPTIONS (SET max_age '2h');
SELECT cdms.fault('status', '--status', '500');
SELECT name FROM age.org WHERE name = '\N';
SELECT name FROM age.org WHERE name = '\N';
SELECT age.asked();

-- pull() has asked for all.
SELECT crm_sync.pull('age.org');
SELECT count(*) AS requests FROM age.asked();
SELECT name FROM age.org WHERE name = 'NULL';
SELECT age.asked();

-- Of a complete table what changed is all there is to ask.
ALTER FOREIGN TABLE age.org ADD modified_on timestamptz OPTIONS (property 'ModifiedOn');
SELECT crm_sync.create_store('age.org');
SELECT crm_sync.pull('age.org');
ALTER SERVER cdms OPTIONS (SET max_age '3h');
SELECT cdms.log_clear();
SELECT name FROM age.org WHERE name = 'NULL';
SELECT cdms.requests();
SELECT name FROM age.org WHERE name = '\N';
SELECT name FROM age.org WHERE id = :'oneil';
SELECT count(*) FROM age.org;
SELECT cdms.requests();

-- It passes; 0 asks each time.  A table's goes before its server's.
ALTER FOREIGN TABLE age.org OPTIONS (ADD max_age '10ms');
SELECT name FROM age.org WHERE id = :'wool';
SELECT pg_sleep(0.05);
SELECT name FROM age.org WHERE id = :'wool';
SELECT cdms.requests();
ALTER FOREIGN TABLE age.org OPTIONS (SET max_age '0');
SELECT name FROM age.org WHERE id = :'wool';
SELECT name FROM age.org WHERE id = :'wool';
SELECT cdms.requests();

SET client_min_messages = warning;
DROP SCHEMA age CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
