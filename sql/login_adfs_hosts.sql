--
-- A login through ADFS that passes through a second host: only where adfs_url names
-- it, and the password is for the first host of adfs_url alone.
--
\pset format unaligned
\pset tuples_only on
SELECT cdms.reset();
SELECT cdms.control('user', 'clerk', 'clerk-secret');
SELECT cdms.switch('login', 'adfs'), cdms.switch('login-hops', '2'), cdms.switch('login-sts', 'door');
-- CDMS is 127.0.0.1, ADFS is localhost, the STS behind it localhost at another port.
SELECT replace(replace(cdms.url(), '127.0.0.1', 'localhost'), 'UKTI', 'adfs/ls/') AS adfs,
       format('http://localhost:%s/rsts/ls/', cdms.control('door', 'open')) AS sts \gset
SELECT cdms.create_server(format($$ auth 'adfs', adfs_url %L, max_retries '1' $$, :'adfs'));
ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (ADD username 'clerk', ADD password 'clerk-secret');
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name')
) SERVER cdms OPTIONS (entity 'Account');
CREATE FUNCTION crm.read() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text; detail text; hint text;
BEGIN
    RETURN (SELECT name FROM crm.organisation WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN replace(replace(concat_ws(' | ', SQLSTATE, message, detail, hint), current_setting('crm.adfs'), 'http://ADFS/'),
                   current_setting('crm.sts'), 'http://STS/');
END $$;
SET crm.adfs = :'adfs';
SET crm.sts = :'sts';
CREATE FUNCTION crm.set_urls(VARIADIC urls text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER SERVER cdms OPTIONS (SET adfs_url %L)', array_to_string(urls, ' '));
END $$;
-- What the second host was asked, and all that became of passwords; bodies are shown
-- as the names of their fields.
CREATE FUNCTION crm.seen_by_sts() RETURNS text LANGUAGE sql RETURN cdms.control('logins', '--pages', '--door', '--clear');

-- Not named: the login ends before it, and the error says what is missing.
SELECT crm.read();
SELECT crm.seen_by_sts();
-- Named: the login passes through.
SELECT crm.set_urls(:'adfs', :'sts');
SELECT crm.read();
SELECT crm.seen_by_sts();
-- Also again, when CDMS has forgotten it.
SELECT cdms.control('expire');
SELECT crm.read();
SELECT crm.seen_by_sts();
-- The second host asks for the password itself: before ADFS was told it, and after.
SELECT cdms.control('expire');
SELECT cdms.fault('status', '--path', '/UKTI', '--status', '302', '--header', 'Location: ' || :'sts');
SELECT cdms.fault('status', '--path', '/rsts/ls/', '--status', '200', '--times', '2', '--body',
                  '<form method=post action=""><input name="Username"><input name="Password" type="password"></form>');
SELECT crm.read();
SELECT crm.seen_by_sts();
SELECT crm.read();
SELECT crm.seen_by_sts();
-- Named first: then ADFS, which is the second, is not told the password.
SELECT crm.set_urls(:'sts', :'adfs');
SELECT crm.read();
SELECT crm.seen_by_sts();

SET client_min_messages = warning;
SELECT cdms.control('door', 'close');
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
RESET crm.adfs;
RESET crm.sts;
SELECT cdms.reset();
