--
-- NTLM logs a connection in: once for all its requests, writes included, which
-- leave once; a connection is one identity's; a wrong password is sent once.
--
\pset format unaligned
\pset tuples_only on
SELECT cdms.reset();
SELECT cdms.control('user', 'UKTI\owner', 'sEcret&!'), cdms.control('user', 'UKTI\clerk', 'clerk-secret');
SELECT cdms.switch('login', 'ntlm');
SELECT cdms.create_server($$ auth 'ntlm', max_connections '1' $$);
ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (ADD username 'UKTI\owner', ADD password 'sEcret&!');
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name'),
    city text OPTIONS (property 'optevia_TownCity')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
\set oneil '''aaaaaaaa-0000-4000-8000-000000000001'''

-- A read, several pages, a write with a body: one login.
SELECT name FROM crm.organisation WHERE id = :oneil;
SELECT count(*) FROM crm.organisation;
UPDATE crm.organisation SET city = 'Ely' WHERE id = :oneil;
SELECT cdms.get('Account', :oneil, 'optevia_TownCity');
SELECT cdms.control('logins', '--clear');

-- In a new session, whose first request is a write: its connection is logged in
-- before the body leaves.
\c -
\pset format unaligned
\pset tuples_only on
\set oneil '''aaaaaaaa-0000-4000-8000-000000000001'''
INSERT INTO crm.organisation (id, name) VALUES ('11111111-0000-4000-8000-000000000001', 'Ada Ltd');
SELECT line FROM cdms.log('POST') AS line;
SELECT cdms.control('logins', '--clear');

-- CDMS has forgotten who is logged in: the request's connection is logged in again.
-- What was answered 401 was not carried out, so a write is once.
SELECT cdms.log_clear();
SELECT cdms.control('expire');
SELECT name FROM crm.organisation WHERE id = :oneil;
SELECT regexp_replace(line, '\?.* ->', ' ->') FROM cdms.log() AS line;
SELECT cdms.control('logins', '--clear');
SELECT cdms.fault('do-before', '--verb', 'MERGE', '--command', 'expire');
UPDATE crm.organisation SET city = 'Hull' WHERE id = :oneil;
SELECT line FROM cdms.log('MERGE') AS line;
SELECT cdms.get('Account', :oneil, 'optevia_TownCity');
SELECT cdms.control('logins', '--clear');
SELECT cdms.control('expire');
INSERT INTO crm.organisation (id, name) VALUES ('11111111-0000-4000-8000-000000000002', 'Grace Ltd');
SELECT line FROM cdms.log('POST') AS line;
SELECT cdms.control('logins', '--clear');
-- And closes the connection with that.
SELECT cdms.fault('status', '--verb', 'MERGE', '--status', '401', '--header', 'WWW-Authenticate: NTLM', '--header', 'Connection: close');
UPDATE crm.organisation SET city = 'York' WHERE id = :oneil;
SELECT line FROM cdms.log('MERGE') AS line WHERE line LIKE '%York%';
SELECT cdms.get('Account', :oneil, 'optevia_TownCity');
SELECT cdms.control('logins', '--clear');
-- Over several connections, all of which are forgotten.
ALTER SERVER cdms OPTIONS (SET max_connections '4');
\set keys 'ARRAY(SELECT (''aaaaaaaa-0000-4000-8000-'' || lpad(n::text, 12, ''0''))::uuid FROM generate_series(1, 100) n)'
SELECT format('SELECT count(*) FROM crm.organisation WHERE id = ANY (%L)', :keys::text) AS hundred \gset
:hundred;
SELECT cdms.control('expire');
:hundred;
-- Nobody was refused, so nothing is remembered against him.
SELECT line, count(*) > 1 AS repeated FROM regexp_split_to_table(cdms.control('logins', '--clear'), '\n') AS line GROUP BY line;
ALTER SERVER cdms OPTIONS (SET max_connections '1');

-- Another identity has connections of its own: CDMS sees who asks.
CREATE ROLE regress_crm_clerk;
GRANT USAGE ON SCHEMA crm TO regress_crm_clerk;
GRANT SELECT, UPDATE ON crm.organisation TO regress_crm_clerk;
CREATE USER MAPPING FOR regress_crm_clerk SERVER cdms OPTIONS (username 'UKTI\clerk', password 'clerk-secret');
SET ROLE regress_crm_clerk;
UPDATE crm.organisation SET city = 'Bath' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
RESET ROLE;
SELECT regexp_replace(line, ' [{<].* ->', ' ->') FROM regexp_split_to_table(cdms.control('log', '--users'), '\n') AS line
    WHERE line !~ '401$';
SELECT cdms.control('logins', '--clear');

-- A wrong password, a name that nobody has: once.  Nobody is logged in by a
-- connection that another mapping has left.
ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (SET password 'wrong');
SELECT name FROM crm.organisation WHERE id = :oneil;
\echo :SQLSTATE
SELECT name FROM crm.organisation WHERE id = :oneil;
\echo :SQLSTATE
SELECT cdms.control('logins', '--clear');
-- Also where several requests would go at once.
ALTER SERVER cdms OPTIONS (SET max_connections '4');
:hundred;
SELECT cdms.control('logins', '--clear');
ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (SET username 'UKTI\nobody');
SELECT name FROM crm.organisation WHERE id = :oneil;
SELECT cdms.control('logins', '--clear');
ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (SET username 'UKTI\owner', SET password 'sEcret&!');
SELECT name FROM crm.organisation WHERE id = :oneil;
SELECT cdms.control('logins', '--clear');

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
DROP ROLE regress_crm_clerk;
TRUNCATE crm_sync.history, crm_sync.outbox;
SELECT cdms.reset();
