--
-- A server or a login that is altered again and again in one transaction: each time
-- there is a new connection, and those before are not kept open.  Who still uses one
-- goes on.
--
\pset format unaligned
\pset tuples_only on
SELECT cdms.reset();
SELECT cdms.create_server($$ max_connections '4' $$);
CREATE SCHEMA many;
CREATE FOREIGN TABLE many.account (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name')
) SERVER cdms OPTIONS (entity 'Account');
SELECT cdms.control('user', 'ada', 'secret');
ALTER SERVER cdms OPTIONS (ADD auth 'basic');
ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (ADD username 'ada', ADD password 'secret');

-- By so much the descriptors of this process grow while this is done so often, a
-- read after each time.
CREATE FUNCTION many.grow(times integer, VARIADIC what text[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    before bigint;
    act text;
BEGIN
    FOR i IN 0 .. times LOOP
        FOREACH act IN ARRAY what LOOP
            EXECUTE act;
        END LOOP;
        PERFORM name FROM many.account WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
        IF i = 0 THEN
            SELECT count(*) INTO before FROM pg_ls_dir('/proc/self/fd');
        END IF;
    END LOOP;
    RETURN (SELECT count(*) - before FROM pg_ls_dir('/proc/self/fd'));
END $$;

BEGIN;
DECLARE reading CURSOR FOR SELECT row_number() OVER () AS nth FROM many.account;
MOVE 10 FROM reading;
-- A connection that was kept has three.
SELECT many.grow(20, $$ ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (SET password 'secret') $$) < 20 AS few;
SELECT many.grow(20, $$ DROP USER MAPPING FOR CURRENT_USER SERVER cdms $$,
                     $$ CREATE USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (username 'ada', password 'secret') $$) < 20 AS few;
SELECT many.grow(20, $$ ALTER SERVER cdms OPTIONS (SET max_connections '3') $$) < 20 AS few;
MOVE 489 FROM reading;
FETCH 2 FROM reading;
COMMIT;

SET client_min_messages = warning;
DROP SERVER cdms CASCADE;
DROP SCHEMA many CASCADE;
