--
-- REPEATABLE READ and SERIALIZABLE: what a transaction has asked once is not asked
-- again, and its answer repeats, whatever else is asked meanwhile.
--
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA repeat;
CREATE FOREIGN TABLE repeat.org (
    id      uuid OPTIONS (property 'AccountId') NOT NULL,
    name    text OPTIONS (property 'Name'),
    phone   text OPTIONS (property 'optevia_TelephoneNumber')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('repeat.org');
CREATE FUNCTION repeat.edit(phone text) RETURNS void LANGUAGE sql AS
$$ SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000025', 'optevia_TelephoneNumber', phone) $$;

-- The same question.
SELECT repeat.edit('first');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT phone FROM repeat.org WHERE name = '\N';
SELECT repeat.edit('second');
SELECT phone FROM repeat.org WHERE name = '\N';
COMMIT;
SELECT phone FROM repeat.org WHERE name = '\N';
SELECT cdms.requests();

-- Another question about an object that the transaction has seen: asked, but
-- what was seen stays.
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT phone FROM repeat.org WHERE name = '\N';
SELECT repeat.edit('third');
SELECT phone FROM repeat.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000025';
SELECT phone FROM repeat.org WHERE name = '\N';
COMMIT;
SELECT phone FROM repeat.org WHERE id = 'aaaaaaaa-0000-4000-8000-000000000025';

-- ROLLBACK TO SAVEPOINT takes back what the store was given; so that is asked again.
DELETE FROM crm_sync.history WHERE store = 'repeat.org_store'::regclass;
SELECT repeat.edit('fourth');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SAVEPOINT before;
SELECT name, phone FROM repeat.org WHERE name IN ('\N', 'NULL') ORDER BY name;
ROLLBACK TO before;
SELECT name, phone FROM repeat.org WHERE name IN ('\N', 'NULL') ORDER BY name;
SAVEPOINT released;
SELECT name FROM repeat.org WHERE name LIKE '100%';
RELEASE released;
SELECT cdms.log_clear();
SELECT name FROM repeat.org WHERE name LIKE '100%';
SELECT cdms.requests();
COMMIT;

SET client_min_messages = warning;
DROP SCHEMA repeat CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
