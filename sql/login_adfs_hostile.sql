--
-- Login through ADFS's forms, with pages and redirects that lead elsewhere, in a
-- circle or nowhere: none but CDMS and ADFS is spoken to, the password goes to
-- ADFS only, and each ends in an ERROR.
--
\pset format unaligned
\pset tuples_only on
SELECT cdms.reset();
SELECT cdms.control('user', 'clerk', 'clerk-secret');
SELECT cdms.switch('login', 'adfs');
-- CDMS is 127.0.0.1, ADFS is localhost.
CREATE FUNCTION pg_temp.adfs() RETURNS text LANGUAGE sql RETURN replace(cdms.url(), '127.0.0.1', 'localhost');
SELECT cdms.create_server(format($$ auth 'adfs', adfs_url %L, max_retries '1' $$, replace(pg_temp.adfs(), 'UKTI', 'adfs/ls/')));
ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (ADD username 'clerk', ADD password 'clerk-secret');
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name')
) SERVER cdms OPTIONS (entity 'Account');
CREATE FUNCTION crm.attempt(VARIADIC fault text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text; detail text; hint text;
BEGIN
    PERFORM cdms.fault(VARIADIC fault);
    PERFORM name FROM crm.organisation WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN regexp_replace(concat_ws(' | ', SQLSTATE, message, nullif(regexp_replace(detail, '\d+ bytes.*', '...'), ''), nullif(hint, '')),
                          ':\d{4,5}', ':PORT', 'g');
END $$;

CREATE FUNCTION crm.form(action text, field text) RETURNS text LANGUAGE sql RETURN
    format('<form method=post action="%s"><input name="Username"><input name="x" type="%s"></form>', action, field);
-- Redirects: to another host, port, scheme; to a file; to nowhere; for ever.
SELECT crm.attempt('status', '--path', '/UKTI', '--status', '302', '--header', 'Location: http://192.0.2.1/adfs/ls/?x=secret');
SELECT crm.attempt('status', '--path', '/UKTI', '--status', '302', '--header', 'Location: http://localhost:1/adfs/ls/');
SELECT crm.attempt('status', '--path', '/UKTI', '--status', '302', '--header', 'Location: ' || replace(pg_temp.adfs(), 'http:', 'https:'));
SELECT crm.attempt('status', '--path', '/UKTI', '--status', '302', '--header', 'Location: file:///etc/passwd');
SELECT crm.attempt('status', '--path', '/adfs/ls/', '--status', '302', '--header', 'Location: http://169.254.169.254/latest/');
SELECT crm.attempt('status', '--path', '/adfs/ls/', '--status', '302', '--header', 'Location: http://localhost@192.0.2.1/');
SELECT crm.attempt('status', '--path', '/UKTI', '--status', '302');
SELECT crm.attempt('status', '--path', '/UKTI', '--status', '302', '--header', 'Location: /UKTI/', '--forever');
SELECT cdms.fault('clear');
-- A form for ADFS that CDMS has made, with what it likes beside the password: ADFS
-- would take it for the user's own wish.  ADFS's page on which passwords are changed.
SELECT crm.attempt('status', '--path', '/UKTI', '--status', '200', '--body',
                   format('<form method=post action="%s"><input name=UserName><input type=password name=OldPassword>'
                          '<input type=hidden name=NewPassword value=x><input type=hidden name=NewPasswordConfirm value=x></form>',
                          replace(pg_temp.adfs(), 'UKTI', 'adfs/portal/updatepassword/')));
SELECT crm.attempt('status', '--path', '/UKTI', '--status', '200', '--body',
                   crm.form(replace(pg_temp.adfs(), 'UKTI', 'adfs/ls/'), 'password'));
SELECT crm.attempt('status', '--path', '/adfs/ls/', '--status', '200', '--body',
                   '<form><input name=UserName><input type=password name=OldPassword><input type=password name=NewPassword value=x></form>');
-- Nobody was told the password so far.
SELECT cdms.control('logins');
-- A form that is to be sent on (307), or whose target is another place; ADFS's
-- password asked for by CDMS itself.
SELECT crm.attempt('status', '--path', '/adfs/ls/', '--verb', 'POST', '--status', '307', '--header', 'Location: /adfs/ls/');
SELECT crm.attempt('status', '--path', '/adfs/ls/', '--status', '200', '--body', crm.form('http://192.0.2.1/', 'password'));
SELECT crm.attempt('status', '--path', '/adfs/ls/', '--status', '200', '--body', crm.form('javascript:alert(1)', 'password'));
SELECT crm.attempt('status', '--path', '/UKTI', '--status', '200', '--body', crm.form('', 'password'));
SELECT crm.attempt('status', '--path', '/adfs/ls/', '--status', '200', '--body',
                   '<form action="https://192.0.2.1/"><input name=wresult value=x></form>');
SELECT cdms.control('logins', '--clear');
-- Forms without end; a page without a form, once and again; errors; a page too
-- large; one nested too deep.
SELECT crm.attempt('status', '--path', '/adfs/ls/', '--status', '200', '--forever', '--body',
                   '<form action="/adfs/ls/"><input name=wresult value=x></form>');
SELECT count(*) FROM regexp_split_to_table(cdms.control('logins', '--pages', '--clear'), '\n');
SELECT cdms.fault('clear');
SELECT crm.attempt('status', '--path', '/adfs/ls/', '--status', '200', '--body', '<html><form><p>Sorry');
SELECT cdms.control('expire');
SELECT crm.attempt('status', '--path', '/adfs/ls/', '--status', '200', '--times', '2', '--body', '<html><form><p>Sorry');
SELECT crm.attempt('status', '--path', '/adfs/ls/', '--status', '500', '--body', '<html><p>MSIS7012: an error occurred');
-- A page that refuses a form may quote what was in it: its words are not told.
SELECT crm.attempt('status', '--path', '/adfs/ls/', '--verb', 'POST', '--status', '500', '--body',
                   '<html><p>A potentially dangerous Request.Form value was detected (Password="clerk-secret")');
SELECT crm.attempt('status', '--path', '/adfs/ls/', '--verb', 'POST', '--status', '401', '--body', 'not clerk-secret');
ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (SET username 'clerk');
SELECT crm.attempt('huge', '--path', '/adfs/ls/', '--mb', '2');
SELECT crm.attempt('status', '--path', '/adfs/ls/', '--status', '200', '--times', '2', '--body',
                   repeat('<div>', 20000) || crm.form('', 'password'));
SELECT crm.attempt('close-before', '--path', '/adfs/ls/', '--times', '6');
SELECT cdms.fault('clear');
SELECT crm.attempt('cut', '--path', '/adfs/ls/', '--bytes', '300');

-- Cookies: those of CDMS are for CDMS, those of ADFS for ADFS, whatever domain they
-- name.  Which CDMS was sent at last, by name:
CREATE FUNCTION crm.cookies() RETURNS text LANGUAGE sql RETURN
    (SELECT string_agg(cookie[1], ' ' ORDER BY cookie[1])
     FROM regexp_matches((SELECT line[1]
                          FROM regexp_matches(cdms.control('log', '--raw'), '^Cookie: (.*)$', 'gn')
                              WITH ORDINALITY AS l (line, n) ORDER BY n DESC LIMIT 1),
                         '([^=; ]+)=', 'g') AS cookie);
-- The login begins with a redirect to ADFS that sets these as well.
CREATE FUNCTION crm.set(path text, location text, VARIADIC cookies text[]) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM cdms.control('expire'), cdms.log_clear();
    RETURN crm.attempt(VARIADIC ARRAY['status', '--path', path, '--status', '302', '--header', 'Location: ' || location] ||
                       (SELECT array_agg(word ORDER BY n, word) FROM unnest(cookies) WITH ORDINALITY AS c (cookie, n),
                            unnest(ARRAY['--header', 'Set-Cookie: ' || cookie]) AS word));
END $$;
SELECT replace(pg_temp.adfs(), 'UKTI', 'adfs/ls/?wctx=ru%3D/UKTI/') AS adfs \gset
SELECT crm.set('/UKTI', :'adfs', 'own=1', 'other=1; Domain=example.org', 'adfs=1; Domain=localhost',
               'suffix=1; Domain=org', 'part=1; Domain=0.0.1', 'dot=1; Domain=.', 'named=1; Domain=127.0.0.1');
SELECT crm.cookies();
SELECT crm.set('/adfs/ls/', :'adfs' || '&again', 'of_adfs=1', 'for_cdms=1; Domain=127.0.0.1', 'local=1; Domain=localhost');
SELECT crm.cookies();
-- With control characters: dropped, or the value ends there.
SELECT cdms.control('expire'), cdms.log_clear();
SELECT crm.attempt('raw', '--path', '/UKTI', '--body',
                   'HTTP/1.1 302 Found\r\nSet-Cookie: cr=a\rX-Evil: b\r\nSet-Cookie: lf=a\nX-Evil: b\r\nSet-Cookie: esc=a\x1bb\r\n'
                   'Location: ' || :'adfs' || '\r\nContent-Length: 0\r\n\r\n');
SELECT crm.cookies();
SELECT cdms.control('log', '--raw') ~ 'X-Evil';
-- Too large: one of more than 4 kB is dropped, and where all would be more than 8 kB
-- some are not sent.  When these are CDMS's own, it asks for a login: cookies that came
-- meanwhile are forgotten with the old one, those of the new one stay.
SELECT crm.set('/UKTI', :'adfs', 'huge=' || repeat('x', 5000));
SELECT crm.cookies();
SELECT array_agg(format('large%s=%s; path=/UKTI/XRMServices', n, repeat('x', 3000))) AS large
    FROM generate_series(1, 3) AS n \gset
SELECT cdms.log_clear();
SELECT crm.attempt(VARIADIC ARRAY['status', '--path', 'AccountSet', '--status', '500', '--body', 'busy'] ||
                   (SELECT array_agg(word ORDER BY n, word) FROM unnest(:'large'::text[]) WITH ORDINALITY AS c (cookie, n),
                        unnest(ARRAY['--header', 'Set-Cookie: ' || cookie]) AS word));
SELECT name FROM crm.organisation WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
SELECT regexp_replace(line, '\?.* ->', ' ->') FROM cdms.log() AS line;
SELECT crm.set('/UKTI', :'adfs', VARIADIC :'large'::text[]);
ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (SET username 'clerk');
-- With the mapping altered it is tried again at once; and then all is well.
SELECT name FROM crm.organisation WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';

-- A cookie for all of a public suffix: those are names, and localhost is one.
SELECT cdms.reset();
SELECT replace(cdms.url(), '127.0.0.1', 'crm.localhost') AS named \gset
ALTER SERVER cdms OPTIONS (SET url :'named', SET auth 'none');
SELECT crm.attempt('status', '--path', 'AccountSet', '--status', '500', '--body', 'busy', '--header', 'Set-Cookie: own=1; Domain=crm.localhost',
                   '--header', 'Set-Cookie: suffix=1; Domain=localhost');
SELECT name FROM crm.organisation WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
SELECT crm.cookies();

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
SELECT cdms.reset();
