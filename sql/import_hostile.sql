--
-- A hostile $metadata: names that would be SQL, names that collide once they are
-- in lower case, cut, or a system column's.  What can be imported is, under names
-- of its own; what can't is an ERROR, and nothing is made.
--
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE TABLE crm.bystander ();

-- Imports what is said to be an entity of these properties.
CREATE FUNCTION crm.import(properties text, entity text DEFAULT 'Thing') RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
    message text; detail text;
BEGIN
    PERFORM cdms.fault('status', '--status', '200', '--content-type', 'application/xml', '--path', '$metadata', '--body',
        format('<Edmx><DataServices><Schema><EntityType Name="%s"><Key><PropertyRef Name="ThingId"/></Key>'
               '<Property Name="ThingId" Type="Edm.Guid"/>%s</EntityType><EntityContainer>'
               '<EntitySet Name="ThingSet" EntityType="N.%1$s"/></EntityContainer></Schema></DataServices></Edmx>',
               entity, properties));
    EXECUTE 'IMPORT FOREIGN SCHEMA cdms FROM SERVER cdms INTO crm';
    RETURN 'imported';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(' | ', SQLSTATE, message, nullif(detail, ''));
END
$$;
CREATE FUNCTION crm.property(VARIADIC names text[]) RETURNS text LANGUAGE sql AS
$$ SELECT string_agg(format('<Property Name="%s" Type="Edm.String"/>', name), '' ORDER BY n) FROM unnest(names) WITH ORDINALITY u (name, n) $$;
CREATE VIEW crm.columns AS
    SELECT attrelid::regclass AS "table", attname AS "column", array_to_string(attfdwoptions, ', ') AS options, length(attname)
    FROM pg_attribute JOIN pg_foreign_table ON ftrelid = attrelid WHERE attnum > 0;

-- Names that are none.
SELECT name, crm.import(crm.property(name))
    FROM (VALUES ('x&quot; text); DROP TABLE crm.bystander; --'), ('x&apos;); DROP TABLE crm.bystander; --'), ('line&#10;break'),
                 ('a&quot;:1,&quot;b')) AS hostile (name);
SELECT crm.import('', 'Thing&quot; (); DROP TABLE crm.bystander; --');
SELECT crm.import('<Property Name="A" Type="Edm.String"/><Property Name="A" Type="Edm.Int32"/>');
SELECT count(*) FROM pg_foreign_table;
SELECT to_regclass('crm.bystander');

-- Reserved words, names of PostgreSQL's own, of system columns, beyond 63 bytes,
-- of other letters; the same but for case, and after the cut.
SELECT crm.import(crm.property('select', 'pg_class', 'xmin', 'XMIN', 'ctid', 'Name', 'name', 'NAME', 'name_2', 'Größe', 'ΛΟΓΟΣ',
                               repeat('Long', 50), repeat('long', 50), repeat('é', 40), repeat('é', 41)), 'pg_thing');
SELECT "column", length, options FROM crm.columns WHERE "table" = 'crm.pg_thing'::regclass;
DROP FOREIGN TABLE crm.pg_thing;

-- More columns than a table can have; as many names as collide.
SELECT crm.import((SELECT crm.property(VARIADIC array_agg('p' || i)) FROM generate_series(1, 1700) i));
SELECT crm.import((SELECT crm.property(VARIADIC array_agg(repeat('x', 70) || i ORDER BY i)) FROM generate_series(1, 700) i));
SELECT count(*), max(length), max("column" COLLATE "C") FROM crm.columns WHERE "table" = 'crm.thing'::regclass;
DROP FOREIGN TABLE crm.thing;

-- The same names by hand: what is no name is no option's value either.
SELECT crm.import('');
CREATE FUNCTION crm.attempt(statement text) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
    EXECUTE statement;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
SELECT value, crm.attempt(format('ALTER FOREIGN TABLE crm.thing ALTER thingid OPTIONS (SET property %L)', value)),
       crm.attempt(format('ALTER FOREIGN TABLE crm.thing OPTIONS (SET entity %L)', value)),
       crm.attempt(format('ALTER FOREIGN TABLE crm.thing OPTIONS (ADD entity_set %L)', value)),
       crm.attempt(format('ALTER FOREIGN TABLE crm.thing ALTER thingid OPTIONS (ADD target %L)', value))
    FROM (VALUES ('Name eq ''x'' or 1 eq 1 or Name'), ('../../../OTHER/AccountSet'), ('AccountSet?$top=1&x='), ('a/b/c'), ('a/'),
                 ('Name":"x","OwnerId'), ('Name/>'), ('a b')) AS hostile (value);

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
