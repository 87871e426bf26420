--
-- Whose login CDMS sees: a pass-through table is read as the current role, a
-- synchronised one as its owner, and written as the role that writes.  Nothing of
-- one login serves another, whichever way they log in.
--
\pset format unaligned
\pset tuples_only on
SELECT cdms.reset();
SELECT cdms.control('user', name, name || '-secret') FROM unnest(ARRAY['owner', 'ada', 'bob']) AS name;
SELECT cdms.create_server($$ auth 'basic' $$);
DROP USER MAPPING FOR CURRENT_USER SERVER cdms;
CREATE ROLE regress_crm_owner;
CREATE ROLE regress_crm_ada;
CREATE ROLE regress_crm_bob;
CREATE ROLE regress_crm_nobody;
CREATE USER MAPPING FOR regress_crm_owner SERVER cdms OPTIONS (username 'owner', password 'owner-secret');
CREATE USER MAPPING FOR regress_crm_ada SERVER cdms OPTIONS (username 'ada', password 'ada-secret');
CREATE USER MAPPING FOR regress_crm_bob SERVER cdms OPTIONS (username 'bob', password 'bob-secret');
GRANT USAGE ON FOREIGN SERVER cdms TO regress_crm_owner;
CREATE SCHEMA crm;
GRANT USAGE, CREATE ON SCHEMA crm TO regress_crm_owner;
GRANT USAGE ON SCHEMA crm TO PUBLIC;
SET ROLE regress_crm_owner;
CREATE FOREIGN TABLE crm.synchronised (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name'),
    city text OPTIONS (property 'optevia_TownCity')
) SERVER cdms OPTIONS (entity 'Account');
CREATE FOREIGN TABLE crm.passed_through (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.synchronised');
GRANT ALL ON crm.synchronised, crm.passed_through TO PUBLIC;
RESET ROLE;

-- Who made which kind of request, or asked for which login, since the last call.
CREATE FUNCTION crm.who() RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    RETURN QUERY SELECT DISTINCT regexp_replace(line, '^(\S+ \S+) .*( -> \d+)$', '\1\2') AS who
        FROM regexp_split_to_table(cdms.control('log', '--users'), '\n') AS line
        WHERE line NOT LIKE 'None: % 401' AND line NOT LIKE 'None: % 302' AND line <> '' ORDER BY who;
    RETURN QUERY SELECT line FROM regexp_split_to_table(cdms.control('logins', '--clear'), '\n') AS line WHERE line <> '';
END $$;
-- The same acts by different roles in one session, each twice.
CREATE FUNCTION crm.act() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. 2 LOOP
        PERFORM name FROM crm.passed_through WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
        PERFORM name FROM crm.synchronised WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
    END LOOP;
END $$;
CREATE PROCEDURE crm.all_act() LANGUAGE plpgsql AS $$
DECLARE
    who name;
BEGIN
    FOREACH who IN ARRAY ARRAY['ada', 'bob', 'ada'] LOOP
        EXECUTE format('SET ROLE regress_crm_%I', who);
        PERFORM crm.act();
    END LOOP;
    RESET ROLE;
END $$;

CALL crm.all_act();
SELECT crm.who();
SET ROLE regress_crm_bob;
UPDATE crm.synchronised SET city = 'Ely' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
RESET ROLE;
SELECT crm.who();
SELECT cdms.get('Account', 'aaaaaaaa-0000-4000-8000-000000000001', 'ModifiedBy') = 'systemuser ' || u.key AS by_bob
    FROM unnest(string_to_array(cdms.control('keys', 'SystemUserSet'), E'\n')) AS u (key)
    WHERE cdms.get('SystemUser', u.key::uuid, 'DomainName') = 'UKTI\bob';

-- Somebody without a mapping: reads what the owner's login shows, nothing else.
SET ROLE regress_crm_nobody;
SELECT name FROM crm.synchronised WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
SELECT name FROM crm.passed_through WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
\echo :SQLSTATE
UPDATE crm.synchronised SET city = 'Never' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
\echo :SQLSTATE
RESET ROLE;
SELECT crm.who();

-- A function of ada's with SECURITY DEFINER asks as she, whoever calls it, and so does
-- a view of hers, unless it is one with its reader's rights; for what is synchronised
-- its owner asks.
CREATE FUNCTION crm.read_synchronised() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$
    SELECT name FROM crm.synchronised WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
$$;
CREATE FUNCTION crm.read_passed_through() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$
    SELECT name FROM crm.passed_through WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
$$;
CREATE VIEW crm.hers AS SELECT id, name FROM crm.passed_through;
CREATE VIEW crm.readers WITH (security_invoker) AS SELECT id, name FROM crm.passed_through;
CREATE VIEW crm.readers_too WITH (security_invoker) AS SELECT id, name FROM crm.synchronised;
ALTER FUNCTION crm.read_synchronised() OWNER TO regress_crm_ada;
ALTER FUNCTION crm.read_passed_through() OWNER TO regress_crm_ada;
ALTER VIEW crm.hers OWNER TO regress_crm_ada;
ALTER VIEW crm.readers OWNER TO regress_crm_ada;
ALTER VIEW crm.readers_too OWNER TO regress_crm_ada;
GRANT SELECT ON crm.hers, crm.readers, crm.readers_too TO PUBLIC;
SET ROLE regress_crm_bob;
SELECT crm.read_synchronised();
SELECT crm.who();
SELECT crm.read_passed_through();
SELECT crm.who();
SELECT name FROM crm.hers WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
SELECT crm.who();
SELECT name FROM crm.readers WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
SELECT crm.who();
SELECT name FROM crm.readers_too WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
SELECT crm.who();
-- Both in one statement, which was planned for bob and is run by somebody without a
-- mapping.
PREPARE both_views AS SELECT count(*) FROM crm.hers JOIN crm.readers USING (id)
    WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
EXECUTE both_views;
SELECT crm.who();
SET ROLE regress_crm_nobody;
SELECT crm.read_passed_through();
SELECT crm.who();
SELECT name FROM crm.readers WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
\echo :SQLSTATE
EXECUTE both_views;
\echo :SQLSTATE
RESET ROLE;
SELECT crm.who();
DEALLOCATE both_views;

-- One login each, where a connection is logged in, and where a session is.
SELECT cdms.switch('login', 'ntlm');
ALTER SERVER cdms OPTIONS (SET auth 'ntlm');
CALL crm.all_act();
SELECT crm.who();
SELECT cdms.switch('login', 'adfs');
DO $$ BEGIN
    EXECUTE format('ALTER SERVER cdms OPTIONS (SET auth ''adfs'', ADD adfs_url %L)',
                   replace(replace(cdms.url(), '127.0.0.1', 'localhost'), 'UKTI', 'adfs/ls/'));
END $$;
CALL crm.all_act();
SELECT crm.who();

-- A mapping that gets another name: that one's login, not the cookies there were.
ALTER USER MAPPING FOR regress_crm_ada SERVER cdms OPTIONS (SET username 'bob', SET password 'bob-secret');
CALL crm.all_act();
SELECT crm.who();
-- One that is refused, and those who are not.
ALTER USER MAPPING FOR regress_crm_ada SERVER cdms OPTIONS (SET username 'ada');
SET ROLE regress_crm_ada;
SELECT crm.act();
\echo :SQLSTATE
SET ROLE regress_crm_bob;
SELECT crm.act();
RESET ROLE;
SELECT crm.who();

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
DROP ROLE regress_crm_owner, regress_crm_ada, regress_crm_bob, regress_crm_nobody;
TRUNCATE crm_sync.history, crm_sync.outbox;
SELECT cdms.reset();
