--
-- When CDMS can't be read: one ERROR that says what happened, on which server,
-- and what to do; never fewer rows.  Nothing is left half-written, and the next
-- query works.
--
\pset format unaligned
\pset tuples_only on
SELECT cdms.reset();
SELECT cdms.create_server($$ max_retries '0', max_response_size '1MB' $$);
CREATE SCHEMA errors;

-- The same entity twice: passed through, and synchronised.
CREATE FOREIGN TABLE errors.direct (
    id        uuid OPTIONS (property 'AccountId') NOT NULL,
    name      text OPTIONS (property 'Name'),
    employees integer OPTIONS (property 'NumberOfEmployees')
) SERVER cdms OPTIONS (entity 'Account');
CREATE FOREIGN TABLE errors.synced (
    id        uuid OPTIONS (property 'AccountId') NOT NULL,
    name      text OPTIONS (property 'Name'),
    employees integer OPTIONS (property 'NumberOfEmployees')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('errors.synced');
SELECT count(*) FROM errors.synced;

-- What a statement's ERROR says, less what is another in each run or format.
CREATE FUNCTION errors.attempt(statement text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
    state text; message text; detail text; hint text; said text;
BEGIN
    EXECUTE statement;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
        detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    said := concat_ws(E'\n', state || ' ' || message, 'DETAIL: ' || nullif(detail, ''),
                      'HINT: ' || nullif(hint, ''));
    said := regexp_replace(said, '127.0.0.1(:\d+| port \d+ after \d+ ms)', 'CDMS', 'g');
    said := regexp_replace(said, 'with \d+ bytes remaining', 'with some bytes remaining');
    RETURN replace(said, 'application/atom+xml', 'application/json');
END
$$;

-- A read by key over a connection that has been used meets a fault, in either
-- table; then the same read once more.
CREATE FUNCTION errors.read(VARIADIC fault text[]) RETURNS SETOF text LANGUAGE plpgsql AS
$$
DECLARE
    query text := 'SELECT name FROM errors.%I WHERE id = %L';
    key uuid := 'aaaaaaaa-0000-4000-8000-000000000001';
    said text[];
    name text;
BEGIN
    FOR i IN 1..2 LOOP
        EXECUTE format(query, 'direct', key) INTO STRICT name;
        PERFORM cdms.fault(VARIADIC fault);
        said[i] := errors.attempt(format(query, (ARRAY['direct', 'synced'])[i], key));
        EXECUTE format(query, 'synced', key) INTO STRICT name;
    END LOOP;
    RETURN NEXT said[1];
    IF said[1] <> said[2] THEN
        RETURN NEXT 'SYNCHRONISED: ' || said[2];
    END IF;
    RETURN NEXT 'then ' || name;
END
$$;

-- An answer of status 200, in a media type that passes for both formats.
CREATE FUNCTION errors.answer("json" text, atom text DEFAULT NULL) RETURNS text[] LANGUAGE sql AS
$$
    SELECT ARRAY['status', '--status', '200', '--content-type', 'application/json; application/atom+xml', '--body',
                 CASE cdms.format() WHEN 'atom' THEN coalesce(atom, "json") ELSE "json" END];
$$;

-- All that a read may write to.
CREATE VIEW errors.written AS
    SELECT (SELECT md5(string_agg(s::text, ',' ORDER BY id)) FROM errors.synced_store s) AS store,
           (SELECT count(*) FROM crm_sync.history WHERE store = 'errors.synced_store'::regclass) AS history,
           (SELECT count(*) FROM crm_sync.outbox) AS outbox;
CREATE TEMP TABLE before AS TABLE errors.written;

--
-- Refusals
--

-- nobody is logged in
SELECT errors.read('status', '--status', '401');

-- not allowed, with IIS's page
SELECT errors.read('status', '--status', '403', '--body',
                   '<html><head><title>403 - Forbidden</title></head><body>Access is denied.</body></html>');

-- no such page at all
SELECT errors.read('status', '--status', '404', '--body',
                   '<html><body><h2>404 - File or directory not found.</h2></body></html>');

-- a proxy's HTML
SELECT errors.read('status', '--status', '500', '--body',
                   '<html><head><style>b { color: red }</style></head><body><b>Server Error</b> in &quot;/&quot;</body></html>');

-- CRM's own document, in either format: its code and words
SELECT errors.read('status', '--status', '500', '--content-type', 'application/json', '--body',
                   '{"error":{"code":"-2147220970","message":{"lang":"en-US","value":"Generic SQL error."}}}');
SELECT errors.read('status', '--status', '500', '--content-type', 'application/xml', '--body',
                   '<error xmlns="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">'
                   '<code>-2147220970</code><message xml:lang="en-US">Generic SQL error.</message></error>');

-- a document cut short
SELECT errors.read('status', '--status', '500', '--content-type', 'application/json', '--body', '{"error":{"code":"-21');

-- an empty 500
SELECT errors.read('status', '--status', '500');

-- overloaded, and no retries are wanted
SELECT errors.read('status', '--status', '503', '--retry-after', '7');

--
-- Answers that are none
--

-- a login page with status 200
SELECT errors.read('login');

-- a page of somebody else, with status 200
SELECT errors.read('status', '--status', '200', '--body', '<!DOCTYPE html><html><body><h1>Welcome to nginx!</h1></body></html>');

-- HTML that calls itself JSON and Atom
SELECT errors.read(VARIADIC errors.answer('<html><body>Under maintenance</body></html>'));

-- plain text
SELECT errors.read('status', '--status', '200', '--content-type', 'text/plain', '--body', 'OK');

-- 204, as if a read were a write
SELECT errors.read('status', '--status', '204');

-- redirects are not followed: to a login, whose query may hold a secret; to
-- another host; to a file; to what only this machine can reach; to another port
-- of the same host; to nowhere
SELECT errors.read('status', '--status', '302', '--header', 'Location: https://sts.example.org/adfs/ls/?wctx=secret');
SELECT errors.read('status', '--status', '301', '--header', 'Location: http://other.example.org/UKTI');
SELECT errors.read('status', '--status', '302', '--header', 'Location: file:///etc/passwd');
SELECT errors.read('status', '--status', '307', '--header', 'Location: http://169.254.169.254/latest/meta-data/');
SELECT errors.read('status', '--status', '308', '--header', 'Location: http://127.0.0.1:1/UKTI');
SELECT errors.read('status', '--status', '302');

--
-- Data that ends early, or is no data
--

-- the connection is closed in the middle
SELECT errors.read('cut', '--bytes', '40');

-- a reset, and a close without a word: a GET is sent once more, over a new
-- connection
SELECT errors.read('reset-after');
SELECT errors.read('close-after');
SELECT errors.read('reset-after', '--times', '2');
SELECT errors.read('close-after', '--times', '2');

-- Content-Length promises more than comes
SELECT errors.read('length', '--delta', '100');

-- garbage in a compressed answer
SELECT errors.read(VARIADIC errors.answer('\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xff\xff\xff\xff')
                            || ARRAY['--header', 'Content-Encoding: gzip']);

-- not HTTP
SELECT errors.read('raw', '--body', 'SSH-2.0-OpenSSH_9.2\r\n');

-- too large an answer
SELECT errors.read('huge', '--mb', '2');

-- A document without its end, in an answer that is whole.  Content-Length
-- promises less than there is: the same.  Nothing, of the right type.  A
-- document of another kind.  (The words for it are another in each format.)
CREATE FUNCTION errors.read_briefly(VARIADIC fault text[]) RETURNS SETOF text LANGUAGE sql AS
$$
    SELECT regexp_replace(regexp_replace(r, '\nDETAIL.*', ''), '^22.* (JSON|XML)', 'no valid document')
    FROM errors.read(VARIADIC fault) r;
$$;
SELECT errors.read_briefly(VARIADIC errors.answer('{"d":{"results":[', '<feed xmlns="http://www.w3.org/2005/Atom">'));
SELECT errors.read_briefly('length', '--delta', '-3');
SELECT errors.read_briefly(VARIADIC errors.answer(''));
SELECT errors.read_briefly(VARIADIC errors.answer('{"d":{"results":{}}}', '<service/>'));

--
-- Nobody answers
--

-- a port at which nobody listens
ALTER SERVER cdms OPTIONS (SET url 'http://127.0.0.1:1/UKTI');
SELECT errors.attempt('SELECT name FROM errors.direct');
SELECT errors.attempt('SELECT name FROM errors.synced');

-- a host that does not exist
ALTER SERVER cdms OPTIONS (SET url 'http://cdms.invalid/UKTI');
SELECT errors.attempt('SELECT name FROM errors.direct');
SELECT errors.attempt('SELECT name FROM errors.synced');

-- a URL that is not that of an organisation
SELECT format('ALTER SERVER cdms OPTIONS (SET url %L)', cdms.url() || '/main.aspx') AS wrong_url,
       format('ALTER SERVER cdms OPTIONS (SET url %L)', cdms.url()) AS right_url \gset
:wrong_url;
SELECT errors.attempt('SELECT name FROM errors.direct');
SELECT errors.attempt('SELECT name FROM errors.synced');
SELECT errors.attempt('IMPORT FOREIGN SCHEMA cdms FROM SERVER cdms INTO errors');
:right_url;

-- an answer that does not come in time, or too slowly
ALTER SERVER cdms OPTIONS (ADD request_timeout '1s');
SELECT errors.read('hang');
SELECT errors.read('drip', '--ms', '100');
ALTER SERVER cdms OPTIONS (DROP request_timeout);

-- Nothing of all this was written.
SELECT b.store = w.store, w.history - b.history AS history, w.outbox FROM before b, errors.written w;

--
-- Pages
--

-- Somebody changes an object of the first page.  A later page fails: neither
-- table shows less, and the store has nothing of the first.
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000001', 'Name', 'First');
SELECT cdms.fault('status', '--status', '500', '--skip', '3');
SELECT count(*) FROM errors.direct;
\echo :SQLSTATE
SELECT cdms.fault('status', '--status', '500', '--skip', '9');
SELECT count(*) FROM errors.synced;
\echo :SQLSTATE
SELECT b.store = w.store, w.history - b.history AS history, w.outbox FROM before b, errors.written w;

-- A cursor on the table that is passed through meets the fault with the page
-- that brings it.
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM errors.direct;
FETCH 1 FROM c;
SELECT cdms.fault('login');
MOVE 49 FROM c;
MOVE 1 FROM c;
\echo :SQLSTATE
ROLLBACK;

-- What a savepoint takes back has not been asked, whatever the isolation level.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SAVEPOINT s;
SELECT cdms.fault('status', '--status', '500');
SELECT name FROM errors.synced WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
ROLLBACK TO s;
SELECT name FROM errors.synced WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
ROLLBACK TO s;
SELECT name FROM errors.synced WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
ROLLBACK;

-- The link to the next page leads to the page itself, in a circle of two, to
-- another host, to another organisation, to a file.
CREATE FUNCTION errors.linked(table_name text, link text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
    said text;
BEGIN
    PERFORM cdms.fault(VARIADIC errors.answer(
        format('{"d":{"results":[],"__next":%s}}', to_json(link)),
        format('<feed xmlns="http://www.w3.org/2005/Atom"><link rel="next" href="%s"/></feed>', link)) || ARRAY['--forever']);
    said := errors.attempt(format('SELECT id FROM errors.%I', table_name));
    PERFORM cdms.fault('clear');
    RETURN said;
END
$$;
SELECT cdms.log_clear();
SELECT errors.linked('direct', cdms.url() || '/XRMServices/2011/OrganizationData.svc/AccountSet?$select=AccountId');
SELECT errors.linked('synced', 'AccountSet?$skiptoken=1');
SELECT errors.linked('direct', 'http://cdms.example.org/UKTI/XRMServices/2011/OrganizationData.svc/AccountSet?$skiptoken=1');
SELECT errors.linked('synced', '/OTHER/XRMServices/2011/OrganizationData.svc/AccountSet?$skiptoken=1');
SELECT errors.linked('direct', 'file:///etc/passwd');
SELECT cdms.log();

-- After all that both tables are whole, and agree.
SELECT (SELECT count(*) FROM errors.direct), (SELECT count(*) FROM errors.synced);
SELECT count(*) FROM errors.direct JOIN errors.synced USING (id, name);

SET client_min_messages = warning;
DROP SERVER cdms CASCADE;
DROP SCHEMA errors CASCADE;
