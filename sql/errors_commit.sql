--
-- When CDMS can't be written: the COMMIT fails with CDMS's own words, and here
-- nothing has happened.  (What a second attempt can save: sql/write_lost.sql.)
--
\pset format unaligned
\pset tuples_only on
SELECT cdms.reset();
SELECT cdms.create_server($$ max_retries '2' $$);
CREATE SCHEMA push;
CREATE FOREIGN TABLE push.account (
    id    uuid OPTIONS (property 'AccountId') NOT NULL,
    name  text OPTIONS (property 'Name'),
    alias text OPTIONS (property 'optevia_Alias')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('push.account');
SELECT count(*) FROM push.account;

\set one '''aaaaaaaa-0000-4000-8000-000000000001'''
\set two '''aaaaaaaa-0000-4000-8000-000000000002'''
\set three '''aaaaaaaa-0000-4000-8000-000000000003'''
\set new '''eeeeeeee-0000-4000-8000-000000000001'''

-- Is everything here as it was, and nothing waiting?
CREATE VIEW push.written AS
    SELECT (SELECT md5(string_agg(s::text, ',' ORDER BY id)) FROM push.account_store s) AS store,
           (SELECT max(id) FROM crm_sync.history WHERE store = 'push.account_store'::regclass) AS history,
           (SELECT count(*) FROM crm_sync.outbox) AS outbox;
CREATE TEMP TABLE before AS TABLE push.written;
\set here 'SELECT CASE WHEN w = b THEN ''here: nothing'' ELSE ''here: changed'' END FROM push.written w, before b;'

--
-- A refusal
--

-- nobody is logged in
SELECT cdms.fault('status', '--verb', 'MERGE', '--status', '401');
UPDATE push.account SET alias = 'x' WHERE id = :one;
\echo :SQLSTATE
:here

-- not allowed
SELECT cdms.fault('status', '--verb', 'MERGE', '--status', '403', '--body', '<html><body>Access is denied.</body></html>');
UPDATE push.account SET alias = 'x' WHERE id = :one;
\echo :SQLSTATE
:here

-- CRM's code and words; here they are what CDMS really says
UPDATE push.account SET alias = repeat('x', 101) WHERE id = :one;
\echo :SQLSTATE
:here
UPDATE push.account SET alias = 'x' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000023';
\echo :SQLSTATE
SELECT cdms.fault('status', '--verb', 'DELETE', '--status', '500', '--content-type', 'application/json', '--body',
                  '{"error":{"code":"-2147220970","message":{"lang":"en-US","value":"Generic SQL error."}}}');
DELETE FROM push.account WHERE id = :one;
\echo :SQLSTATE
:here

-- a proxy's HTML
SELECT cdms.fault('status', '--verb', 'POST', '--status', '502', '--body', '<html><h1>Bad Gateway</h1></html>');
INSERT INTO push.account (id, name) VALUES (:new, 'New');
\echo :SQLSTATE
:here

-- login pages and redirects in place of what a write answers
SELECT cdms.fault('login', '--verb', 'MERGE');
UPDATE push.account SET alias = 'x' WHERE id = :one;
\echo :SQLSTATE
SELECT cdms.fault('login', '--verb', 'POST');
INSERT INTO push.account (id, name) VALUES (:new, 'New');
\echo :SQLSTATE
SELECT cdms.fault('login', '--verb', 'DELETE');
DELETE FROM push.account WHERE id = :one;
\echo :SQLSTATE
SELECT cdms.fault('status', '--verb', 'MERGE', '--status', '302', '--header', 'Location: https://sts.example.org/adfs/ls/?wctx=secret');
UPDATE push.account SET alias = 'x' WHERE id = :one;
\echo :SQLSTATE
:here

-- CDMS has nothing of all this either.
SELECT cdms.get('Account', :one, 'optevia_Alias'), cdms.count('Account');

--
-- 503
--

-- With max_retries 0 a write is sent once, whatever Retry-After says.
ALTER SERVER cdms OPTIONS (SET max_retries '0');
SELECT cdms.log_clear();
SELECT cdms.fault('status', '--verb', 'POST', '--status', '503', '--retry-after', '0');
INSERT INTO push.account (id, name) VALUES (:new, 'New');
\echo :SQLSTATE
SELECT cdms.fault('status', '--verb', 'MERGE', '--status', '503', '--retry-after', '0');
UPDATE push.account SET alias = 'x' WHERE id = :one;
\echo :SQLSTATE
SELECT cdms.fault('status', '--verb', 'DELETE', '--status', '503', '--retry-after', '0');
DELETE FROM push.account WHERE id = :one;
\echo :SQLSTATE
SELECT log FROM cdms.log() WHERE log NOT LIKE 'GET %';
:here

-- A read is sent again, up to max_retries times, after the pause that was asked for.
ALTER SERVER cdms OPTIONS (SET max_retries '2');
SELECT cdms.log_clear();
SELECT cdms.fault('status', '--status', '503', '--retry-after', '1');
SELECT cdms.fault('status', '--status', '429', '--retry-after', '0');
SELECT clock_timestamp() AS began \gset
SELECT name FROM push.account WHERE id = :one;
SELECT clock_timestamp() - :'began' >= '1 s';
SELECT right(log, 6) FROM cdms.log();

-- The last answer counts.
SELECT cdms.log_clear();
SELECT cdms.fault('status', '--status', '503', '--retry-after', '0', '--times', '3');
SELECT name FROM push.account WHERE id = :one;
\echo :SQLSTATE
SELECT right(log, 6) FROM cdms.log();
SELECT name FROM push.account WHERE id = :one;

-- So is the read-back of a COMMIT.
SELECT cdms.log_clear();
BEGIN;
UPDATE push.account_store SET alias = 'A' WHERE id = :one;
SELECT cdms.fault('status', '--verb', 'GET', '--skip', '1', '--status', '503', '--retry-after', '0');
COMMIT;
SELECT regexp_replace(log, ' .* ', ' ') FROM cdms.log();
SELECT cdms.get('Account', :one, 'optevia_Alias');
TRUNCATE before;
INSERT INTO before TABLE push.written;

--
-- The connection is lost: the message says which server, the port is left out
--

\set VERBOSITY sqlstate
CREATE FUNCTION push.without_port(message text) RETURNS text LANGUAGE sql
    RETURN regexp_replace(message, '127.0.0.1:\d+', 'CDMS');
\set said 'SELECT push.without_port(:''LAST_ERROR_MESSAGE'');'

-- Before CDMS took the write: nobody has it.
ALTER SERVER cdms OPTIONS (SET max_retries '0');
SELECT cdms.log_clear();
SELECT cdms.fault('reset-before', '--verb', 'MERGE');
UPDATE push.account SET alias = 'B' WHERE id = :one;
:said
SELECT log FROM cdms.log('MERGE');
:here
SELECT cdms.get('Account', :one, 'optevia_Alias');
SELECT cdms.fault('close-before', '--verb', 'POST');
INSERT INTO push.account (id, name) VALUES (:new, 'New');
:said
:here
SELECT cdms.count('Account');
SELECT cdms.fault('reset-before', '--verb', 'DELETE');
DELETE FROM push.account WHERE id = :three;
:said
:here
SELECT cdms.count('Account');

-- After CDMS took it: the transaction fails here, and what CDMS had accepted is
-- found out and undone there.
SELECT cdms.fault('reset-after', '--verb', 'MERGE');
UPDATE push.account SET alias = 'C' WHERE id = :one;
:said
:here
SELECT alias FROM push.account WHERE id = :one;
SELECT operation, origin, before ->> 'alias', after ->> 'alias' FROM crm_sync.history
    WHERE store = 'push.account_store'::regclass ORDER BY id DESC LIMIT 1;
SELECT cdms.fault('close-after', '--verb', 'POST');
INSERT INTO push.account (id, name) VALUES (:new, 'New');
:said
SELECT count(*) FROM push.account_store WHERE id = :new;
SELECT cdms.count('Account');

-- So the same INSERT can be tried again.
\set VERBOSITY default
INSERT INTO push.account (id, name) VALUES (:new, 'New');
\echo :SQLSTATE
SELECT name FROM push.account WHERE id = :new;
UPDATE push.account SET name = 'Newer' WHERE id = :new;
SELECT cdms.get('Account', :new, 'Name');

-- A deletion that was carried out and whose answer is lost: the object is created
-- again, and can be deleted again.
\set VERBOSITY sqlstate
SELECT cdms.fault('reset-after', '--verb', 'DELETE');
DELETE FROM push.account WHERE id = :new;
:said
SELECT count(*) FROM push.account_store WHERE id = :new;
SELECT cdms.count('Account');
DELETE FROM push.account_store WHERE id = :new;
SELECT count(*) FROM push.account_store WHERE id = :new;
SELECT count(*) FROM crm_sync.outbox;

-- What CDMS made of a create comes cut, or a page stands in its place.
TRUNCATE before;
INSERT INTO before TABLE push.written;
SELECT cdms.fault('cut', '--verb', 'POST', '--bytes', '30');
INSERT INTO push.account (id, name) VALUES ('eeeeeeee-0000-4000-8000-000000000002', 'Cut');
:said
SELECT cdms.fault('status', '--verb', 'POST', '--status', '201', '--body', '<html><body>Thank you!</body></html>');
INSERT INTO push.account (id, name) VALUES ('eeeeeeee-0000-4000-8000-000000000003', 'Page');
:said
:here
\set VERBOSITY default

--
-- Several changes: what CDMS accepted before the refusal is undone there
--

-- One is created, one changed, one deleted; each of the five requests of the
-- COMMIT fails in its turn.  Here nothing happens; the log says what CDMS did, and
-- how it was undone.
-- (Written to the store, so that each object is got at COMMIT.)
CREATE FUNCTION push.kth(k integer) RETURNS SETOF text LANGUAGE sql AS
$$
    VALUES ('BEGIN'),
        (format('INSERT INTO push.account_store (id, name) VALUES (%L, %L)', 'eeeeeeee-0000-4000-8000-00000000010' || k, 'K')),
        (format('UPDATE push.account_store SET alias = %L WHERE id = %L', 'K' || k, 'aaaaaaaa-0000-4000-8000-000000000002')),
        (format('DELETE FROM push.account_store WHERE id = %L', 'aaaaaaaa-0000-4000-8000-000000000003')),
        ('SELECT cdms.log_clear()'),
        (format('SELECT cdms.fault(%L, %L, %L, %L, %L, %L, %L)', 'status', '--status', '500', '--skip', k - 1, '--body', 'No.')),
        ('COMMIT'),
        ('SELECT regexp_replace(log, ''\?.* ->'', ''? ->'') FROM cdms.log()'),
        ('SELECT CASE WHEN w = b THEN ''here: nothing'' ELSE ''here: changed'' END FROM push.written w, before b')
$$;
SELECT push.kth(1) \gexec
SELECT push.kth(2) \gexec
SELECT push.kth(3) \gexec
SELECT push.kth(4) \gexec
SELECT push.kth(5) \gexec

-- Of all that CDMS has nothing any more.
SELECT count(*) FROM push.account WHERE name = 'K';
SELECT alias FROM push.account WHERE id = :two;
SELECT cdms.log_clear();
SELECT crm_sync.pull('push.account');

-- Nothing is missing there, and nothing had to be created again.
SELECT log FROM cdms.log('POST');
SELECT count(*) FROM push.account_store;
SELECT cdms.count('Account');

-- And nothing of all this is waiting to be sent.
SELECT cdms.log_clear();
BEGIN;
SELECT count(*) FROM push.account;
COMMIT;
SELECT count(*) FROM cdms.log() WHERE log NOT LIKE 'GET %';
SELECT count(*) FROM crm_sync.outbox;

SET client_min_messages = warning;
DROP SERVER cdms CASCADE;
DROP SCHEMA push CASCADE;
