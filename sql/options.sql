--
-- Options: each is accepted where it belongs and refused elsewhere, with a HINT;
-- so are misspelt names, bad values, secrets outside user mappings, and what a
-- later version brings.
--
\pset format unaligned
\pset tuples_only on
SELECT cdms.reset();
SELECT cdms.create_server();
ALTER SERVER cdms OPTIONS (DROP max_connections);
CREATE SCHEMA options;
CREATE FOREIGN TABLE options.account (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name')
) SERVER cdms OPTIONS (entity 'Account');

-- How a statement ends.
CREATE FUNCTION options.attempt(statement text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
    state text; message text; detail text; hint text;
BEGIN
    EXECUTE statement;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
        detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', state || ' ' || message, nullif(detail, ''), 'HINT: ' || nullif(hint, ''));
END
$$;

-- The objects that have options, and how to give one to each.
CREATE TABLE options.place (name text, add text, drop text);
INSERT INTO options.place VALUES
    ('server', 'ALTER SERVER cdms OPTIONS (ADD %I %L)', 'ALTER SERVER cdms OPTIONS (DROP %I)'),
    ('user mapping', 'ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (ADD %I %L)',
     'ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (DROP %I)'),
    ('foreign table', 'ALTER FOREIGN TABLE options.account OPTIONS (ADD %I %L)',
     'ALTER FOREIGN TABLE options.account OPTIONS (DROP %I)'),
    ('column', 'ALTER FOREIGN TABLE options.account ALTER name OPTIONS (ADD %I %L)',
     'ALTER FOREIGN TABLE options.account ALTER name OPTIONS (DROP %I)');

CREATE FUNCTION options.give(place text, option text, value text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
    here options.place := (SELECT p FROM options.place p WHERE p.name = place);
    outcome text := options.attempt(format(here.add, option, value));
BEGIN
    IF outcome = 'accepted' THEN
        EXECUTE format(here.drop, option);
    END IF;
    RETURN outcome;
END
$$;

-- Every option in every place: where it is accepted, and what is said elsewhere.
-- Those that the objects above have already are dropped by the way.
ALTER SERVER cdms OPTIONS (DROP format);
ALTER FOREIGN TABLE options.account ALTER name OPTIONS (DROP property);
CREATE TABLE options.option (place text, name text, value text, n serial);
INSERT INTO options.option VALUES
    ('server', 'format', 'atom'), ('server', 'auth', 'basic'), ('server', 'ca_file', '/etc/ssl/certs/ca.pem'),
    ('server', 'crl_file', '/etc/ssl/certs/ca.crl'),
    ('server', 'client_cert', '/etc/ssl/me.pem'), ('server', 'client_key', '/etc/ssl/me.key'),
    ('server', 'proxy', 'http://proxy.example.org:3128'), ('server', 'connect_timeout', '5s'),
    ('server', 'request_timeout', '90s'), ('server', 'commit_timeout', '1min'), ('server', 'max_retries', '0'),
    ('server', 'max_connections', '8'), ('server', 'batch', 'off'), ('server', 'max_response_size', '1MB'),
    ('server', 'overlap', '2min'),
    ('server or foreign table', 'max_age', '0'), ('server or foreign table', 'updatable', 'false'),
    ('user mapping', 'username', 'ada'), ('user mapping', 'password', 'secret'),
    ('user mapping', 'password_required', 'false'),
    ('foreign table', 'entity_set', 'AccountSet'), ('foreign table', 'store', 'options.account_store'),
    ('foreign table', 'on_missing', 'delete'), ('foreign table', 'writes', 'sync'),
    ('foreign table', 'on_unavailable', 'error'),
    ('column', 'property', 'optevia_Sector/Name'), ('column', 'type', 'EntityReference'),
    ('column', 'target', 'account'), ('column', 'constant', ''), ('column', 'key', 'false');
SELECT o.name || ': ' || string_agg(p.name, ', ' ORDER BY p.name) FILTER (WHERE outcome = 'accepted')
       || E'\n  ' || string_agg(DISTINCT outcome, E'\n  ') FILTER (WHERE outcome <> 'accepted')
    FROM options.option o CROSS JOIN options.place p
    CROSS JOIN LATERAL options.give(p.name, o.name, o.value) AS outcome
    GROUP BY o.name, o.n ORDER BY o.n;
SELECT 'not where it belongs: ' || o.name
    FROM options.option o CROSS JOIN options.place p
    WHERE (options.give(p.name, o.name, o.value) = 'accepted') <> (p.name = ANY (string_to_array(o.place, ' or ')));

-- The two that must be there, and can't be taken away.
SELECT options.attempt('CREATE SERVER nowhere FOREIGN DATA WRAPPER crm_sync');
SELECT options.attempt('ALTER SERVER cdms OPTIONS (DROP url)');
SELECT options.attempt('CREATE FOREIGN TABLE options.nothing () SERVER cdms');
SELECT options.attempt('ALTER FOREIGN TABLE options.account OPTIONS (DROP entity)');

-- The wrapper itself has none.
SELECT options.attempt($$ ALTER FOREIGN DATA WRAPPER crm_sync OPTIONS (ADD url 'http://crm.example.org') $$);

-- A name misspelt.
SELECT place || ': ' || options.give(place, option, 'x')
    FROM (VALUES ('server', 'fromat'), ('server', 'URL'), ('server', 'request_time_out'), ('server', 'commit_timeuot'),
                 ('user mapping', 'user'), ('user mapping', 'pasword'), ('foreign table', 'entityset'),
                 ('foreign table', 'on_mising'), ('column', 'propperty'), ('column', 'tpye'),
                 ('server', 'nothing like it')) AS m (place, option);

-- Values of each kind: what is accepted ...
SELECT option || ' ' || quote_literal(value) || ': ' || options.give(place, option, value)
    FROM (VALUES ('server', 'connect_timeout', '10'), ('server', 'connect_timeout', '1500ms'),
                 ('server', 'connect_timeout', '2 min'), ('server', 'max_response_size', '1048576'),
                 ('server', 'max_response_size', '1GB'), ('server', 'updatable', 'OFF'),
                 ('server', 'proxy', 'HTTPS://proxy.example.org'), ('column', 'type', 'Money'),
                 ('column', 'type', 'Edm.Int16'), ('column', 'constant', '')) AS v (place, option, value);
-- ... and what is not.
SELECT option || ' ' || quote_literal(value) || ': ' || options.give(place, option, value)
    FROM (VALUES ('server', 'format', 'xml'), ('server', 'format', ''), ('server', 'format', 'json atom'),
                 ('server', 'auth', 'none basic'), ('server', 'auth', 'kerberos'),
                 ('server', 'proxy', 'socks5://proxy.example.org'), ('server', 'proxy', 'http://'),
                 ('server', 'proxy', 'http://proxy example.org'),
                 ('server', 'connect_timeout', '-1s'), ('server', 'connect_timeout', 'soon'),
                 ('server', 'connect_timeout', '10 parsecs'), ('server', 'connect_timeout', 'NaN'),
                 ('server', 'connect_timeout', '1e300'), ('server', 'max_retries', '-1'), ('server', 'max_retries', 'many'),
                 ('server', 'max_retries', '1001'), ('server', 'max_response_size', '0'),
                 ('server', 'max_response_size', '1073741825'), ('server', 'max_response_size', '2GB'),
                 ('server', 'max_response_size', '1 XB'), ('server', 'updatable', 'perhaps'),
                 ('user mapping', 'username', ''), ('user mapping', 'password_required', '2'),
                 ('foreign table', 'on_missing', 'recreate'), ('foreign table', 'writes', 'async'),
                 ('foreign table', 'on_unavailable', 'wait'), ('foreign table', 'store', ''),
                 ('column', 'type', 'Lookup'), ('column', 'property', ''), ('column', 'key', 'primary')) AS v (place, option, value);
SELECT quote_literal(value) || ': ' || options.attempt(format('ALTER SERVER cdms OPTIONS (SET url %L)', value))
    FROM (VALUES ('ftp://crm.example.org'), ('crm.example.org/UKTI'), ('http:///UKTI'), ('http://crm.example.org/?org=UKTI'),
                 ('http://crm.example.org/#UKTI'), (E'http://crm.example.org/UK\nTI')) AS v (value);

-- Secrets live in user mappings alone, and are not repeated where refused.
SELECT options.attempt($$ ALTER SERVER cdms OPTIONS (SET url 'http://ada:secret@crm.example.org/UKTI') $$);
SELECT options.attempt($$ ALTER SERVER cdms OPTIONS (ADD proxy 'http://ada:secret@proxy.example.org') $$);
SELECT options.attempt($$ ALTER SERVER cdms OPTIONS (ADD password 'secret') $$);
SELECT options.attempt($$ ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (ADD passwrod 'secret') $$);

-- Who is no superuser: no files, no mapping without a password.
CREATE ROLE options_user;
GRANT USAGE ON FOREIGN DATA WRAPPER crm_sync TO options_user;
GRANT ALL ON SCHEMA options TO options_user;
GRANT SELECT ON options.place TO options_user;
SET ROLE options_user;
SELECT options.attempt($$ CREATE SERVER his FOREIGN DATA WRAPPER crm_sync OPTIONS (url 'https://crm.example.org/UKTI') $$);
SELECT option || ': ' || options.attempt(format('ALTER SERVER his OPTIONS (ADD %I %L)', option, '/etc/passwd'))
    FROM (VALUES ('ca_file'), ('crl_file'), ('client_cert'), ('client_key')) AS o (option);
SELECT options.attempt($$ CREATE USER MAPPING FOR options_user SERVER his OPTIONS (username 'ada', password_required 'false') $$);
SELECT options.attempt($$ CREATE USER MAPPING FOR options_user SERVER his OPTIONS (username 'ada', password 'secret') $$);
RESET ROLE;

-- Commits are not possible in a function's block.
SELECT options.attempt($$ CALL crm_sync.load('options.account') $$);

-- The settings.
SELECT name, setting, enumvals FROM pg_settings WHERE name LIKE 'crm\_sync.%' ORDER BY name;
SELECT options.attempt($$ SET crm_sync.mode = 'locally' $$);
SELECT options.attempt($$ SET crm_sync.mod = 'local' $$);
SELECT options.attempt($$ SET crm_sync.log_requests = 'loud' $$);
-- crm_sync.mode set before the library is loaded, which the first use does.
\c -
SET crm_sync.mode = 'locally';
SELECT name FROM options.account;
SELECT name FROM options.account;
\c -
SET crm_sync.mode = 'local';
SELECT count(*) FROM crm_sync.stat_requests;
SHOW crm_sync.mode;

SET client_min_messages = warning;
DROP SCHEMA options CASCADE;
DROP SERVER cdms CASCADE;
DROP OWNED BY options_user CASCADE;
DROP ROLE options_user;
