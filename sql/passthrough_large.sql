--
-- A pass-through table that does not fit into work_mem: its rows are kept on disk,
-- and come from there whole, however often they are read and whatever is done with
-- one before the next.
--
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA through;
CREATE FOREIGN TABLE through.org (
    id          uuid OPTIONS (property 'AccountId') NOT NULL,
    name        text OPTIONS (property 'Name'),
    alias       text OPTIONS (property 'optevia_Alias'),
    street      text OPTIONS (property 'optevia_Address1'),
    city        text OPTIONS (property 'optevia_TownCity'),
    post_code   text OPTIONS (property 'optevia_PostCode'),
    telephone   text OPTIONS (property 'optevia_TelephoneNumber'),
    email       text OPTIONS (property 'EMailAddress1'),
    website     text OPTIONS (property 'WebSiteURL'),
    description text OPTIONS (property 'Description'),
    sector      uuid OPTIONS (property 'optevia_Sector', type 'EntityReference'),
    owner       text OPTIONS (property 'OwnerId/Name'),
    created_by  text OPTIONS (property 'CreatedBy/Name'),
    modified_by text OPTIONS (property 'ModifiedBy/Name')
) SERVER cdms OPTIONS (entity 'Account');
CREATE FOREIGN TABLE through.sector (
    id   uuid OPTIONS (property 'optevia_sectorId') NOT NULL,
    name text OPTIONS (property 'optevia_name')
) SERVER cdms OPTIONS (entity 'optevia_sector');
CREATE TABLE through.sector_copy AS SELECT * FROM through.sector;
SET work_mem = '64MB';
CREATE TABLE through.copy AS SELECT * FROM through.org;
SET work_mem = '64kB';
SELECT count(*), sum(length(c::text)) > 64 * 1024 AS large FROM through.copy AS c;
-- How many rows are read, and what they and the copy's lack of each other.
CREATE FUNCTION through.differences(query text) RETURNS TABLE (read bigint, more bigint, less bigint) LANGUAGE plpgsql AS $$
DECLARE
    copied text := replace(replace(query, 'through.org', 'through.copy'), 'through.sector', 'through.sector_copy');
BEGIN
    RETURN QUERY EXECUTE format('WITH r AS MATERIALIZED (%s), c AS MATERIALIZED (%s)
        SELECT (SELECT count(*) FROM r), (SELECT count(*) FROM (TABLE r EXCEPT ALL TABLE c) AS more),
               (SELECT count(*) FROM (TABLE c EXCEPT ALL TABLE r) AS less)', query, copied);
END $$;

-- Read as they come; with values made of each row before the next is read.
SELECT * FROM through.differences('SELECT * FROM through.org');
SELECT * FROM through.differences($$SELECT id, upper(o::text) || lower(o::text) FROM through.org AS o WHERE upper(o::text) <> lower(o::text)$$);
SELECT md5(string_agg(o::text, ',' ORDER BY id)) = (SELECT md5(string_agg(c::text, ',' ORDER BY id)) FROM through.copy AS c) AS same
    FROM through.org AS o WHERE upper(o::text) <> lower(o::text);
-- Again and again, whole and in part: each time the same rows.
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SELECT * FROM through.differences($$SELECT o.id, upper(o::text) || lower(s.name) FROM through.sector AS s, through.org AS o
    WHERE o.sector = s.id AND upper(o::text) <> lower(s.name)$$);
SELECT * FROM through.differences($$SELECT n, (SELECT string_agg(upper(part::text), ',' ORDER BY id)
    FROM (SELECT * FROM through.org AS o WHERE upper(o::text) <> lower(o::text) LIMIT n * 150) AS part) FROM generate_series(1, 4) AS n$$);
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;
-- Through a cursor, with other rows read in between.
BEGIN;
DECLARE orgs CURSOR FOR SELECT name, md5(o::text) FROM through.org AS o WHERE upper(o::text) <> lower(o::text);
MOVE 480 IN orgs;
SELECT count(*) FROM through.org AS o WHERE upper(o::text) <> lower(o::text);
FETCH 2 FROM orgs;
MOVE ALL IN orgs;
COMMIT;
SELECT name, md5(c::text) FROM through.copy AS c OFFSET 480 LIMIT 2;

RESET work_mem;
SET client_min_messages = warning;
DROP SCHEMA through CASCADE;
DROP SERVER cdms CASCADE;
