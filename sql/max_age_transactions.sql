--
-- max_age: a question counts as asked for the transaction that stored the answer,
-- and for others once that has committed.
--
SELECT cdms.reset();
SELECT cdms.create_server($$ max_age '1h' $$);
CREATE SCHEMA age;
CREATE FOREIGN TABLE age.org (
    id      uuid OPTIONS (property 'AccountId') NOT NULL,
    name    text OPTIONS (property 'Name'),
    phone   text OPTIONS (property 'optevia_TelephoneNumber')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('age.org');
\set oneil aaaaaaaa-0000-4000-8000-000000000001
\set wool aaaaaaaa-0000-4000-8000-000000000002
\set quotes aaaaaaaa-0000-4000-8000-000000000019

-- Rolled back.
BEGIN;
SELECT name FROM age.org WHERE id = :'oneil';
SELECT name FROM age.org WHERE id = :'oneil';
SELECT cdms.requests();
ROLLBACK;
SELECT name FROM age.org WHERE id = :'oneil';
SELECT name FROM age.org WHERE id = :'oneil';
SELECT cdms.requests();

-- Savepoints: what goes with them is asked again, what does not is not.
SELECT cdms.log_clear();
BEGIN;
SELECT name FROM age.org WHERE id = :'wool';
SAVEPOINT a;
SELECT name FROM age.org WHERE id = :'quotes';
SAVEPOINT b;
SELECT name FROM age.org WHERE name = 'NULL';
RELEASE b;
SELECT cdms.requests();
ROLLBACK TO a;
SELECT name FROM age.org WHERE id = :'wool';
SELECT cdms.requests();
SELECT name FROM age.org WHERE id = :'quotes';
SELECT name FROM age.org WHERE name = 'NULL';
SELECT cdms.requests();
COMMIT;
SELECT name FROM age.org WHERE id IN (:'wool', :'quotes') ORDER BY name;
SELECT name FROM age.org WHERE name = 'NULL';
SELECT cdms.requests();

-- What could not be stored was overlaid, and is asked again; where nothing was to
-- be stored the question counts.
ALTER SERVER cdms OPTIONS (SET max_age '2h');
SELECT cdms.edit('Account', :'quotes', 'optevia_TelephoneNumber', 'edited'::text);
SELECT cdms.log_clear();
BEGIN READ ONLY;
SELECT phone FROM age.org WHERE id = :'quotes';
SELECT name FROM age.org WHERE id = :'oneil';
COMMIT;
SELECT cdms.requests();
SELECT name FROM age.org WHERE id = :'oneil';
SELECT cdms.requests();
SELECT phone FROM age.org WHERE id = :'quotes';
SELECT phone FROM age.org WHERE id = :'quotes';
SELECT cdms.requests();

-- REPEATABLE READ: a key, or the whole, that was answered before it began is of
-- use to it, conditions are not.  What it asks itself counts for itself.
ALTER SERVER cdms OPTIONS (SET max_age '3h');
SELECT name FROM age.org WHERE id = :'wool';
SELECT name FROM age.org WHERE name = 'NULL';
SELECT cdms.log_clear();
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT name FROM age.org WHERE id = :'wool';
SELECT cdms.requests();
SELECT name FROM age.org WHERE name = 'NULL';
SELECT name FROM age.org WHERE id = :'oneil';
SELECT name FROM age.org WHERE id = :'oneil' AND name LIKE 'O%';
SELECT cdms.requests();
-- What it has seen by a key within max_age stays, also when it is asked again.
SELECT cdms.edit('Account', :'wool', 'Name', 'Edited');
SELECT name FROM age.org WHERE name LIKE '100%' OR name LIKE 'Edited%';
SELECT name FROM age.org WHERE id = :'wool';
COMMIT;
SELECT cdms.log_clear();
SELECT name FROM age.org WHERE id = :'oneil';
SELECT cdms.requests();

SET client_min_messages = warning;
DROP SCHEMA age CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
