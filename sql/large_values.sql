--
-- Values of some megabytes go through the foreign table as any other: written,
-- returned, sent, read back.
--
\set SHOW_CONTEXT never
TRUNCATE crm_sync.history, crm_sync.outbox;
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id          uuid OPTIONS (property 'AccountId') NOT NULL,
    name        text OPTIONS (property 'Name'),
    description text OPTIONS (property 'Description')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
-- md5 of what should be there: the text would fill the screen.
CREATE FUNCTION crm.big(letter text) RETURNS text LANGUAGE sql IMMUTABLE RETURN repeat(letter, 3000000);

-- Three megabytes, with nobody else asked (CDMS itself would refuse them).
SET crm_sync.mode = local;
INSERT INTO crm.organisation (id, name, description) VALUES
    ('11111111-0000-4000-8000-000000000001', 'Big a', crm.big('a'))
    RETURNING name, length(description), description = crm.big('a') AS same;
-- RETURNING gives each row its own value.
INSERT INTO crm.organisation (id, name, description)
    SELECT ('11111111-0000-4000-8000-00000000000' || g)::uuid, 'Big ' || g, crm.big(g::text) FROM generate_series(2, 4) g
    RETURNING name, length(description), description = crm.big(right(name, 1)) AS same;
UPDATE crm.organisation SET description = crm.big(left(lower(name), 1)) || id WHERE name LIKE 'Big%'
    RETURNING name, length(description), description = crm.big('b') || id AS same;
-- The store has what was returned.
SELECT name, length(description), description = crm.big('b') || id AS same
    FROM crm.organisation_store ORDER BY name COLLATE "C";
DELETE FROM crm.organisation WHERE name LIKE 'Big%'
    RETURNING name, length(description), description = crm.big('b') || id AS same;
SELECT count(*) FROM crm.organisation_store;
RESET crm_sync.mode;
-- They came and went here: there is nothing to be sent.
SELECT cdms.log_clear();
SELECT FROM crm_sync.push('crm.organisation');
SELECT cdms.requests('POST');
SELECT count(*) FROM crm_sync.outbox;

-- The longest that CDMS takes: 10,000 characters, which are more on the wire.
INSERT INTO crm.organisation (id, name, description) VALUES
    ('11111111-0000-4000-8000-000000000005', 'Long', repeat('<&"é', 2500))
    RETURNING name, length(description);
SELECT length(description), description = repeat('<&"é', 2500) AS same, description = cdms.get('Account', id, 'Description') AS there
    FROM crm.organisation WHERE id = '11111111-0000-4000-8000-000000000005';

DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
