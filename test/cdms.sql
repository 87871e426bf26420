--
-- The CDMS simulator for tests written in SQL: schema cdms.
--
-- The database server starts the simulator and runs its control program, so
-- the source must be readable to the user it runs as; the setting cdms.srcdir
-- says where it is when this file is read.  There are no psql commands here,
-- for isolation tests read it with EXECUTE.
--
-- Once the simulator runs no function here writes to a table: a test can look
-- at the log inside any transaction, a READ ONLY one included.  All of them
-- work under any role.
--

CREATE SCHEMA cdms;
GRANT USAGE ON SCHEMA cdms TO PUBLIC;

-- One row: where the source is, the simulator's port, and the directory of the
-- files that it keeps while it runs.
CREATE TABLE cdms.simulator (srcdir text NOT NULL, port integer, directory text);
INSERT INTO cdms.simulator VALUES (current_setting('cdms.srcdir'));

-- ------------------------------------------------------------------- commands

-- One argument for the shell, whatever is in it.
CREATE FUNCTION cdms.quote(argument text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT
    RETURN '''' || replace(argument, '''', '''\''''') || '''';

-- Runs a command on the server and returns what it printed, less the last end
-- of line; an ERROR with the same where it failed.  The output comes through a
-- file in the data directory: reading it straight would need a table.
CREATE FUNCTION cdms.shell(command text) RETURNS text
    LANGUAGE plpgsql STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$
DECLARE
    file text := 'cdms.' || pg_backend_pid();
    output text;
    status text;
BEGIN
    EXECUTE format('COPY (SELECT WHERE false) TO PROGRAM %L',
                   format('(%s) >%s 2>&1; printf ''\n%%s'' $? >>%2$s', command, file));
    output := pg_read_file(file);
    EXECUTE format('COPY (SELECT WHERE false) TO PROGRAM %L', 'rm ' || file);
    status := substring(output FROM '\n(\d+)$');
    output := left(output, - length(status) - 1);
    IF right(output, 1) = E'\n' THEN
        output := left(output, -1);
    END IF;
    IF status <> '0' THEN
        RAISE EXCEPTION USING ERRCODE = 'external_routine_exception', MESSAGE = output;
    END IF;
    RETURN output;
END
$$;
REVOKE EXECUTE ON FUNCTION cdms.shell FROM PUBLIC;

-- A command of test/cdms/control.py: cdms.control('log', '--count').
CREATE FUNCTION cdms.control(VARIADIC words text[]) RETURNS text
    LANGUAGE sql STRICT SECURITY DEFINER
    RETURN (SELECT cdms.shell(format('/usr/bin/python3 -IS %s --port %s %s',
                                     cdms.quote(s.srcdir || '/test/cdms/control.py'), s.port,
                                     string_agg(cdms.quote(w.word), ' ' ORDER BY w.n)))
            FROM cdms.simulator s, unnest(words) WITH ORDINALITY AS w (word, n)
            GROUP BY s.srcdir, s.port);

-- ----------------------------------------------------- the simulator's own life

-- Starts it on a free port, with further options as in test/cdms/README.md:
-- cdms.start('--accounts', '20000').  It ends by itself when nobody has asked
-- it anything for ten minutes.  The descriptors that the server leaves open to
-- its programs, its listening socket among them, are closed.
CREATE FUNCTION cdms.start(VARIADIC options text[] DEFAULT ARRAY[]::text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER AS
$$
DECLARE
    program text := 'import os, sys; os.closerange(3, 65536); os.execv(sys.argv[1], sys.argv[1:])';
    home text := cdms.shell('mktemp -d');
    simulator text := (SELECT srcdir || '/test/cdms/simulator.py' FROM cdms.simulator);
    command text[] := ARRAY['/usr/bin/python3', '-c', program, '/usr/bin/python3', simulator, '--daemon',
                            '--port', '0', '--port-file', home || '/port', '--pid-file', home || '/pid',
                            '--idle-exit', '600'] || options;
BEGIN
    PERFORM cdms.shell((SELECT string_agg(cdms.quote(w.word), ' ' ORDER BY w.n)
                        FROM unnest(command) WITH ORDINALITY AS w (word, n)));
    UPDATE cdms.simulator SET directory = home, port = cdms.shell(format('cat %s/port', home))::integer;
END
$$;

-- Uses one that somebody else has started.
CREATE FUNCTION cdms.attach(port integer) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    BEGIN ATOMIC
        UPDATE cdms.simulator SET port = attach.port, directory = NULL;
    END;

-- Ends the one that was started; returns when it is gone.
CREATE FUNCTION cdms.stop() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER AS
$$
BEGIN
    PERFORM cdms.shell(format('cd %s && if [ -f pid ]; then kill $(cat pid); fi && '
                              'while [ -f pid ]; do sleep 0.05; done && cd / && rmdir %1$s', directory))
        FROM cdms.simulator WHERE directory IS NOT NULL;
    UPDATE cdms.simulator SET port = NULL, directory = NULL;
END
$$;

-- All data, switches, the clock and the log as they were at the start; no
-- faults.
CREATE FUNCTION cdms.reset() RETURNS void
    LANGUAGE sql
    BEGIN ATOMIC
        SELECT cdms.control('reset');
    END;

-- --------------------------------------------------------------- the connection

CREATE FUNCTION cdms.url() RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER
    RETURN (SELECT format('http://127.0.0.1:%s/UKTI', port) FROM cdms.simulator);

-- The format that this run of the tests is about: json or atom.
CREATE FUNCTION cdms.format() RETURNS text
    LANGUAGE sql STABLE
    RETURN coalesce(nullif(current_setting('cdms.format', true), ''), 'json');

-- What a statement may take from here on; longer where the server is watched by a
-- tool (cdms.slower: so many times).  RESET statement_timeout ends it.
CREATE FUNCTION cdms.limit_time(most interval) RETURNS void
    LANGUAGE sql
    BEGIN ATOMIC
        SELECT set_config('statement_timeout',
            (extract(epoch FROM most) * 1000 * coalesce(nullif(current_setting('cdms.slower', true), ''), '1')::int)::int::text, false);
    END;

-- The server "cdms" in that format, and a user mapping; further options as
-- CREATE SERVER takes them: cdms.create_server($$ max_age '5s' $$).  One request at a
-- time unless they say otherwise, or the log's order would be a matter of luck.
CREATE FUNCTION cdms.create_server(options text DEFAULT NULL, name name DEFAULT 'cdms') RETURNS void
    LANGUAGE plpgsql AS
$$
BEGIN
    EXECUTE format('CREATE SERVER %I FOREIGN DATA WRAPPER crm_sync OPTIONS (%s)', name,
                   concat_ws(', ', format('url %L, format %L', cdms.url(), cdms.format()), options,
                             CASE WHEN options LIKE '%max_connections%' THEN NULL
                                  ELSE 'max_connections ''1''' END));
    EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER %I', name);
END
$$;

-- ------------------------------------------------------- what CDMS was asked

-- A body as JSON on one line, that tests of both formats can compare: an Atom
-- entry's properties as they stand in JSON.
CREATE FUNCTION cdms.properties(entry xml) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT
    BEGIN ATOMIC
        WITH leaf AS (
            SELECT n, name, nullif(parent, 'properties') AS parent,
                   CASE WHEN nothing = 'true' THEN 'null'
                        WHEN type IN ('Edm.Boolean', 'Edm.Int16', 'Edm.Int32', 'Edm.Double') THEN value
                        WHEN type = 'Edm.DateTime' THEN
                            format('"/Date(%s)/"', round(extract(epoch FROM (rtrim(value, 'Z') || 'Z')::timestamptz) * 1000))
                        ELSE to_json(value)::text END AS value
            FROM xmltable(xmlnamespaces('http://schemas.microsoft.com/ado/2007/08/dataservices/metadata' AS m),
                          '//m:properties//*[not(*)]' PASSING entry COLUMNS
                          n FOR ORDINALITY,
                          name text PATH 'local-name()', parent text PATH 'local-name(..)',
                          type text PATH '@m:type', nothing text PATH '@m:null', value text PATH 'string()')
        ), property AS (
            SELECT min(n) AS n, coalesce(parent, name) AS name,
                   CASE WHEN parent IS NULL THEN min(value)
                        ELSE '{' || string_agg(to_json(name) || ':' || value, ',' ORDER BY n) || '}' END AS value
            FROM leaf GROUP BY parent, coalesce(parent, name)
        )
        SELECT '{' || coalesce(string_agg(to_json(name) || ':' || value, ',' ORDER BY n), '') || '}'
        FROM property;
    END;

-- A line for each request since the log was cleared, in order, all or those of
-- one verb: MERGE AccountSet(guid'...') {"Name":"x"} -> 204
CREATE FUNCTION cdms.log(verb text DEFAULT NULL) RETURNS SETOF text
    LANGUAGE plpgsql AS
$$
DECLARE
    words text[] := ARRAY['log', '--json'];
    request json;
BEGIN
    IF verb IS NOT NULL THEN
        words := words || ARRAY['--verb', verb];
    END IF;
    FOR request IN
        SELECT line::json
        FROM regexp_split_to_table(cdms.control(VARIADIC words), E'\n') AS line
        WHERE line <> ''
    LOOP
        RETURN NEXT concat_ws(' ', request ->> 'verb', request ->> 'path',
                              CASE WHEN request ->> 'body' LIKE '<%'
                                   THEN cdms.properties((request ->> 'body')::xml)
                                   ELSE nullif(replace(request ->> 'body', E'\r\n', '\r\n'), '') END,
                              '->', request ->> 'status');
    END LOOP;
END
$$;

CREATE FUNCTION cdms.log_clear() RETURNS void
    LANGUAGE sql
    BEGIN ATOMIC
        SELECT cdms.control('log', 'clear');
    END;

-- How many requests that was, all or those of one verb.
CREATE FUNCTION cdms.requests(verb text DEFAULT NULL) RETURNS integer
    LANGUAGE sql
    RETURN CASE WHEN verb IS NULL THEN cdms.control('log', '--count')
                ELSE cdms.control('log', '--count', '--verb', verb) END::integer;

-- ------------------------------------------------- people at CDMS's own screens
--
-- entity: 'Account' or 'AccountSet'.  Values are JSON, or given one by one:
-- cdms.edit('Account', key, 'Name', 'New Name').

CREATE FUNCTION cdms.edit(entity text, key uuid, properties text) RETURNS void
    LANGUAGE sql
    BEGIN ATOMIC
        SELECT cdms.control('edit', entity, key::text, properties);
    END;

CREATE FUNCTION cdms.edit(entity text, key uuid, property text, value anyelement) RETURNS void
    LANGUAGE sql AS
$$
    SELECT cdms.control('edit', entity, key::text, json_build_object(property, value)::text);
$$;

CREATE FUNCTION cdms.edit(entity text, key uuid, property text, value text) RETURNS void
    LANGUAGE sql
    BEGIN ATOMIC
        SELECT cdms.control('edit', entity, key::text, json_build_object(property, value)::text);
    END;

-- The new object's key: the one given, or one that CDMS chose.
CREATE FUNCTION cdms.create(entity text, key uuid, properties text) RETURNS uuid
    LANGUAGE sql
    RETURN cdms.control('create', entity, coalesce(key::text, '-'), properties)::uuid;

CREATE FUNCTION cdms.delete(entity text, key uuid) RETURNS void
    LANGUAGE sql
    BEGIN ATOMIC
        SELECT cdms.control('delete', entity, key::text);
    END;

-- One property as text; a null is the word null.
CREATE FUNCTION cdms.get(entity text, key uuid, property text) RETURNS text
    LANGUAGE sql
    RETURN cdms.control('get', entity, key::text, property);

CREATE FUNCTION cdms.count(entity text) RETURNS bigint
    LANGUAGE sql
    RETURN cdms.control('count', entity)::bigint;

-- ------------------------------------------------------ what a test may turn

-- cdms.fault('status', '--verb', 'MERGE', '--status', '503'); cdms.fault('clear')
CREATE FUNCTION cdms.fault(VARIADIC words text[]) RETURNS void
    LANGUAGE sql
    BEGIN ATOMIC
        SELECT cdms.control(VARIADIC ARRAY['fault'] || words);
    END;

CREATE FUNCTION cdms.switch(name text, value text) RETURNS void
    LANGUAGE sql
    BEGIN ATOMIC
        SELECT cdms.control('switch', name, value);
    END;

-- cdms.clock('set', '2015-06-01T12:00:00Z'), ('step', '60'), ('offset', '-300'),
-- ('real'); CDMS's time afterwards.
CREATE FUNCTION cdms.clock(VARIADIC words text[]) RETURNS timestamptz
    LANGUAGE sql
    RETURN cdms.control(VARIADIC ARRAY['clock'] || words)::timestamptz;
