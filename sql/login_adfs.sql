--
-- Login through ADFS's forms: one for a session's requests; made again once when
-- it was lost; a wrong password is said and not tried again and again; nobody but
-- CDMS and ADFS is spoken to.
--
\pset format unaligned
\pset tuples_only on
SELECT cdms.reset();
SELECT cdms.control('user', 'UKTI\owner', 'sécret &+=%"owner'), cdms.control('user', 'clerk', 'clerk-secret');
SELECT cdms.switch('login', 'adfs');
-- CDMS is 127.0.0.1, ADFS is localhost.
CREATE FUNCTION pg_temp.adfs() RETURNS text LANGUAGE sql RETURN replace(cdms.url(), '127.0.0.1', 'localhost');
SELECT cdms.create_server(format($$ auth 'adfs', adfs_url %L, max_retries '1' $$, replace(pg_temp.adfs(), 'UKTI', 'adfs/ls/')));
DROP USER MAPPING FOR CURRENT_USER SERVER cdms;
CREATE USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (username 'UKTI\owner', password 'sécret &+=%"owner');
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name'),
    city text OPTIONS (property 'optevia_TownCity')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
\set oneil '''aaaaaaaa-0000-4000-8000-000000000001'''
-- The pages asked for a login, and what became of the password.
CREATE FUNCTION crm.logins() RETURNS text LANGUAGE sql RETURN cdms.control('logins', '--pages', '--clear');

-- The password is right: ADFS's form, a form with a token, the cookies.
SELECT name FROM crm.organisation WHERE id = :oneil;
SELECT crm.logins();
-- Everything that follows goes without: reads, writes, $metadata.
SELECT count(*) FROM crm.organisation;
UPDATE crm.organisation SET city = 'Ely' WHERE id = :oneil;
SELECT cdms.get('Account', :oneil, 'optevia_TownCity');
SELECT crm.logins();

-- CDMS has forgotten the session, and says so in each of its ways: the login is
-- made again once, the request repeated.  A write is carried out once.
SELECT cdms.control('expire');
SELECT name FROM crm.organisation WHERE id = :oneil;
SELECT line FROM cdms.log('GET') AS line;
SELECT crm.logins();
-- Several requests at once: one login for all of them.
\set keys 'ARRAY(SELECT (''aaaaaaaa-0000-4000-8000-'' || lpad(n::text, 12, ''0''))::uuid FROM generate_series(1, 100) n)'
SELECT format('SELECT count(*) FROM crm.organisation WHERE id = ANY (%L)', :keys::text) AS hundred \gset
SELECT cdms.control('expire');
:hundred;
SELECT count(*) FILTER (WHERE line LIKE '%200') AS answered, count(*) FILTER (WHERE line LIKE '%302') BETWEEN 1 AND 4 AS refused
    FROM cdms.log('GET') AS line;
SELECT crm.logins();
SELECT cdms.switch('login-lost', '401');
SELECT cdms.fault('do-before', '--verb', 'MERGE', '--command', 'expire');
UPDATE crm.organisation SET city = 'Hull' WHERE id = :oneil;
SELECT line FROM cdms.log('MERGE') AS line;
SELECT cdms.get('Account', :oneil, 'optevia_TownCity');
SELECT crm.logins();
SELECT cdms.switch('login-lost', 'page');
SELECT cdms.fault('do-before', '--verb', 'POST', '--command', 'expire');
INSERT INTO crm.organisation (id, name) VALUES ('11111111-0000-4000-8000-000000000001', 'Ada Ltd');
SELECT line FROM cdms.log('POST') AS line;
SELECT crm.logins();
-- A page of another kind in place of data is a lost session for a read ...
SELECT cdms.fault('status', '--verb', 'GET', '--status', '200', '--body', '<html><body>Working</body></html>');
SELECT name FROM crm.organisation WHERE id = :oneil;
SELECT crm.logins();
-- ... for a write it proves nothing.
\set VERBOSITY terse
SELECT cdms.fault('status', '--verb', 'MERGE', '--status', '200', '--body', '<html><body>Working</body></html>');
UPDATE crm.organisation SET city = 'Never' WHERE id = :oneil;
SELECT crm.logins();

-- A session that does not last: once again, then an error.
SELECT cdms.switch('login-lost', '401');
SELECT cdms.fault('do-before', '--verb', 'GET', '--path', 'AccountSet', '--command', 'expire', '--times', '2');
SELECT name FROM crm.organisation WHERE id = :oneil;
\echo :SQLSTATE
SELECT crm.logins();
\set VERBOSITY default
-- That is remembered: nothing is sent.
SELECT name FROM crm.organisation WHERE id = :oneil;
SELECT cdms.requests(), crm.logins();

-- ALTER USER MAPPING: its login is gone, and what was remembered.  A wrong
-- password is sent once.
ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (SET password 'wrong');
SELECT name FROM crm.organisation WHERE id = :oneil;
\echo :SQLSTATE
SELECT crm.logins();
SELECT name FROM crm.organisation WHERE id = :oneil;
\echo :SQLSTATE
UPDATE crm.organisation_store SET city = 'Never' WHERE id = :oneil;
\echo :SQLSTATE
SELECT cdms.requests(), crm.logins();
-- Right again; with ADFS 3's form.
SELECT cdms.switch('login-form', 'adfs3');
ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (SET password 'sécret &+=%"owner');
SELECT name FROM crm.organisation WHERE id = :oneil;
SELECT crm.logins();
-- Wrong, with ADFS 3's words; and a second STS in between.
SELECT cdms.switch('login-hops', '2');
ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (SET username 'clerk');
SELECT name FROM crm.organisation WHERE id = :oneil;
SELECT crm.logins();
ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (SET password 'clerk-secret');
SELECT name FROM crm.organisation WHERE id = :oneil;
SELECT crm.logins();
SELECT cdms.switch('login-hops', '1'), cdms.switch('login-form', 'adfs2');
-- Somebody else's mapping is none of ours: the session goes on.
CREATE ROLE regress_crm_other;
CREATE USER MAPPING FOR regress_crm_other SERVER cdms OPTIONS (username 'x', password 'y');
ALTER USER MAPPING FOR regress_crm_other SERVER cdms OPTIONS (SET password 'z');
SELECT name FROM crm.organisation WHERE id = :oneil;
SELECT crm.logins();
DROP USER MAPPING FOR regress_crm_other SERVER cdms;
DROP ROLE regress_crm_other;

-- DROP USER MAPPING: nobody is logged in any more.
DROP USER MAPPING FOR CURRENT_USER SERVER cdms;
SELECT name FROM crm.organisation WHERE id = :oneil;
CREATE USER MAPPING FOR CURRENT_USER SERVER cdms;
SELECT name FROM crm.organisation WHERE id = :oneil;
\echo :SQLSTATE

-- What the options must say.
\set VERBOSITY default
CREATE SERVER other FOREIGN DATA WRAPPER crm_sync OPTIONS (url 'https://crm.example.org/UKTI', auth 'adfs');
CREATE SERVER other FOREIGN DATA WRAPPER crm_sync
    OPTIONS (url 'https://crm.example.org/UKTI', auth 'adfs', adfs_url 'http://sts.example.org/adfs/ls/');
CREATE SERVER other FOREIGN DATA WRAPPER crm_sync
    OPTIONS (url 'http://127.0.0.1.example.org/UKTI', auth 'adfs', adfs_url 'https://sts.example.org/adfs/ls/');
CREATE SERVER other FOREIGN DATA WRAPPER crm_sync
    OPTIONS (url 'https://crm.example.org/UKTI', auth 'adfs', adfs_url 'https://sts.example.org/adfs/ls/ ftp://x.example.org');
CREATE SERVER other FOREIGN DATA WRAPPER crm_sync
    OPTIONS (url 'https://crm.example.org/UKTI', auth 'adfs', adfs_url 'https://sts.example.org/adfs/ls/ https://auth.example.org:444/');
DROP SERVER other;

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
SELECT cdms.reset();
