--
-- IMPORT FOREIGN SCHEMA: what CDMS's $metadata becomes.
--
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA crm;

-- Everything: a table for each entity.  One request is all it takes.
IMPORT FOREIGN SCHEMA cdms FROM SERVER cdms INTO crm;
SELECT cdms.log();
SELECT foreign_table_name, ftoptions
    FROM information_schema.foreign_tables JOIN pg_foreign_table
      ON ftrelid = format('%I.%I', foreign_table_schema, foreign_table_name)::regclass
    WHERE foreign_table_schema = 'crm' ORDER BY foreign_table_name COLLATE "C";

-- Columns: the name, the type, what it is bound to.
CREATE VIEW columns AS
    SELECT attrelid::regclass AS "table", attnum, attname AS "column", format_type(atttypid, atttypmod) AS type,
           CASE WHEN attnotnull THEN 'not null' END AS null, array_to_string(attfdwoptions, ', ') AS options
    FROM pg_attribute JOIN pg_foreign_table ON ftrelid = attrelid
    WHERE attnum > 0 AND NOT attisdropped;

-- Each Edm and each CRM type once.  A reference has a second column with the
-- name of what it refers to.
SELECT "column", type, "null", options FROM columns
    WHERE "table" = 'crm.optevia_attachmentprobe'::regclass ORDER BY attnum;

-- An entity without ModifiedOn, one that is read-only in CDMS, and the set of
-- an N:N relationship, whose key has another name than <entity>Id.
SELECT "table", "column", type, "null", options FROM columns
    WHERE "table" IN ('crm.activityparty'::regclass, 'crm.audit'::regclass, 'crm.accountleads'::regclass)
    ORDER BY "table"::text COLLATE "C", attnum;

-- Two letter cases of the same property, as CDMS has them.
SELECT "table", "column", options FROM columns WHERE "column" IN ('statecode', 'statuscode')
    ORDER BY "table"::text COLLATE "C", "column";

-- Every one of them can be read, whole.
CREATE FUNCTION read_all() RETURNS TABLE ("table" text, cdms bigint, here bigint) LANGUAGE plpgsql AS $$
DECLARE
    entity text;
BEGIN
    FOR "table", entity IN
        SELECT ftrelid::regclass, substring(ftoptions[1] FROM 'entity=(.*)') FROM pg_foreign_table
        ORDER BY ftrelid::regclass::text COLLATE "C"
    LOOP
        cdms := cdms.count(entity);
        EXECUTE format('SELECT count(t) FROM %s t', "table") INTO here;
        RETURN NEXT;
    END LOOP;
END $$;
SELECT * FROM read_all();
SELECT * FROM crm.accountleads ORDER BY accountleadid LIMIT 2;

-- LIMIT TO takes the tables' names, not CDMS's; EXCEPT likewise.
CREATE SCHEMA few;
IMPORT FOREIGN SCHEMA cdms LIMIT TO (account, contact, systemuser) FROM SERVER cdms INTO few;
SELECT ftrelid::regclass FROM pg_foreign_table WHERE ftrelid::regclass::text LIKE 'few.%'
    ORDER BY ftrelid::regclass::text COLLATE "C";
IMPORT FOREIGN SCHEMA anything EXCEPT (account, contact, systemuser, audit) FROM SERVER cdms INTO few;
SELECT ftrelid::regclass FROM pg_foreign_table WHERE ftrelid::regclass::text LIKE 'few.%'
    ORDER BY ftrelid::regclass::text COLLATE "C";

-- There are no options, and a table that is there already is an error, with
-- nothing imported.
CREATE SCHEMA none;
IMPORT FOREIGN SCHEMA cdms FROM SERVER cdms INTO none OPTIONS (import_default 'true');
CREATE TABLE none.contact ();
IMPORT FOREIGN SCHEMA cdms LIMIT TO (account, contact) FROM SERVER cdms INTO none;
SELECT ftrelid::regclass FROM pg_foreign_table WHERE ftrelid::regclass::text LIKE 'none.%';

-- Names are made unique within 63 bytes: of entities that differ in letter case
-- only, of a property that is called as a reference's second column, of long
-- names alike in the first 63 bytes, of letters of more than one byte at the
-- cut.  Reserved words are quoted.  A primitive type that nobody knows is text, a
-- complex one is left out.
CREATE SCHEMA odd;
SELECT cdms.fault('status', '--path', '$metadata', '--status', '200', '--content-type', 'application/xml', '--body',
$$<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx"><edmx:DataServices>
<Schema Namespace="Microsoft.Crm.Sdk.Data.Services" xmlns="http://schemas.microsoft.com/ado/2006/04/edm">
<EntityType Name="Order"><Key><PropertyRef Name="OrderId" /></Key>
 <Property Name="OrderId" Type="Edm.Guid" Nullable="false" />
 <Property Name="select" Type="Edm.String" /><Property Name="User" Type="Edm.Int32" />
 <Property Name="Owner_Name" Type="Edm.String" />
 <Property Name="Owner" Type="Microsoft.Crm.Sdk.Data.Services.EntityReference" />
 <Property Name="a_name_of_more_than_sixty_three_bytes_which_is_cut_there_at_the_end_1" Type="Edm.String" />
 <Property Name="a_name_of_more_than_sixty_three_bytes_which_is_cut_there_at_the_end_2" Type="Edm.String" />
 <Property Name="A_name_of_more_than_sixty_three_bytes_which_is_cut_there_at_the_end_3" Type="Microsoft.Crm.Sdk.Data.Services.EntityReference" />
 <Property Name="Time" Type="Edm.Time" /><Property Name="Rules" Type="Microsoft.Crm.Sdk.Data.Services.CalendarRules" />
 <Property Name="sixty_two_bytes_and_then_a_letter_that_takes_two_of_them_xxxxxé_end" Type="Edm.Boolean" />
</EntityType>
<EntityType Name="order"><Key><PropertyRef Name="orderid" /></Key>
 <Property Name="orderid" Type="Edm.Guid" Nullable="false" /></EntityType>
<EntityContainer Name="OrganizationData"><EntitySet Name="OrderSet" EntityType="Microsoft.Crm.Sdk.Data.Services.Order" />
<EntitySet Name="lower_orders" EntityType="Microsoft.Crm.Sdk.Data.Services.order" /></EntityContainer>
</Schema></edmx:DataServices></edmx:Edmx>$$);
IMPORT FOREIGN SCHEMA cdms FROM SERVER cdms INTO odd;
SELECT ftrelid::regclass, ftoptions FROM pg_foreign_table WHERE ftrelid::regclass::text LIKE 'odd.%'
    ORDER BY ftrelid::regclass::text COLLATE "C";
SELECT "table", "column", octet_length("column"), type, options FROM columns
    WHERE "table"::text LIKE 'odd.%' ORDER BY "table", attnum;

-- Somebody else: where CDMS asks for a login he needs a mapping of his own, with
-- a password.
CREATE ROLE importer;
GRANT USAGE ON FOREIGN SERVER cdms TO importer;
CREATE SCHEMA his AUTHORIZATION importer;
ALTER SERVER cdms OPTIONS (ADD auth 'basic');
SET ROLE importer;
IMPORT FOREIGN SCHEMA cdms LIMIT TO (account) FROM SERVER cdms INTO his;
CREATE USER MAPPING FOR importer SERVER cdms OPTIONS (username 'importer');
IMPORT FOREIGN SCHEMA cdms LIMIT TO (account) FROM SERVER cdms INTO his;
ALTER USER MAPPING FOR importer SERVER cdms OPTIONS (ADD password 'let-me-in');
IMPORT FOREIGN SCHEMA cdms LIMIT TO (account) FROM SERVER cdms INTO his;
SELECT ftrelid::regclass, relowner::regrole FROM pg_foreign_table JOIN pg_class c ON c.oid = ftrelid
    WHERE ftrelid::regclass::text LIKE 'his.%';
RESET ROLE;

SET client_min_messages = warning;
DROP SCHEMA crm, few, none, odd, his CASCADE;
DROP VIEW columns;
DROP FUNCTION read_all;
DROP SERVER cdms CASCADE;
DROP ROLE importer;
