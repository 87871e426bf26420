--
-- Values of every type survive both directions: written here and read in CDMS,
-- edited in CDMS and read here.
--
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id          uuid OPTIONS (property 'AccountId') NOT NULL,
    name        text OPTIONS (property 'Name'),
    description text OPTIONS (property 'Description'),
    verified    timestamptz OPTIONS (property 'optevia_LastVerified')
) SERVER cdms OPTIONS (entity 'Account');
CREATE FOREIGN TABLE crm.probe (
    id      uuid OPTIONS (property 'optevia_attachmentprobeId') NOT NULL,
    name    text OPTIONS (property 'optevia_name'),
    content bytea OPTIONS (property 'optevia_Content'),
    small   smallint OPTIONS (property 'optevia_Small'),
    count   integer OPTIONS (property 'optevia_Count'),
    size    bigint OPTIONS (property 'optevia_Size'),
    ratio   numeric OPTIONS (property 'optevia_Ratio'),
    weight  double precision OPTIONS (property 'optevia_Weight'),
    checked boolean OPTIONS (property 'optevia_Checked'),
    marker  uuid OPTIONS (property 'optevia_Marker'),
    price   numeric OPTIONS (property 'optevia_Price', type 'Money'),
    kind    integer OPTIONS (property 'optevia_Kind', type 'OptionSetValue')
) SERVER cdms OPTIONS (entity 'optevia_attachmentprobe');
SELECT crm_sync.create_store('crm.organisation'), crm_sync.create_store('crm.probe');

-- All properties of an object as CDMS has them.
CREATE FUNCTION crm.there(entity text, key uuid) RETURNS jsonb LANGUAGE sql
    RETURN (SELECT jsonb_object_agg(split_part(line, '=', 1), substr(line, strpos(line, '=') + 1))
            FROM regexp_split_to_table(cdms.control('get', entity, key::text), E'\n') line);

-- A key for each sample, by its number.
CREATE FUNCTION crm.key(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
    RETURN format('11111111-0000-4000-8000-%s', lpad(n::text, 12, '0'))::uuid;

-- --------------------------------------------------------------------- texts

CREATE TABLE crm.text_sample (n integer GENERATED ALWAYS AS IDENTITY, label text, value text);
INSERT INTO crm.text_sample (label, value) VALUES
    ('apostrophe', 'O''Neil & Sons'), ('wildcards', '100%_ [a-z]*'), ('entity', '&lt;b&gt; &amp;amp; &#65;'),
    ('markup', '<b>]]></b> <!-- x --> <?pi?>'), ('emoji', '🚀 👩‍🔬'), ('newline', E'first\nsecond\n\nfourth'),
    ('carriage return', E'first\r\nsecond\rthird'), ('tab', E'\tone\ttwo'), ('backslash', 'C:\new\u0041 \\'),
    ('quotes', '"double" ''single'' `back` “curly”'), ('empty', ''), ('null', NULL), ('word null', 'NULL'),
    ('blanks', '  two before, three after   '), ('only blanks', '   '), ('only newline', E'\n'),
    ('eight thousand', repeat('Lüge', 2000)), ('long, of two units', repeat('🚀', 5000)),
    ('CJK', '東京貿易株式会社'), ('right to left', 'שלום مرحبا ' || chr(8238) || 'x' || chr(8236)),
    ('combining', 'Cafe' || chr(769)), ('composed', 'Café'), ('date in JSON', '/Date(0)/'), ('JSON', '{"d":[null,1]}'),
    ('braces', '{}[];,'), ('non-breaking, zero-width', 'a' || chr(160) || 'b' || chr(8203) || 'c' || chr(65279)),
    ('line separators', 'a' || chr(8232) || 'b' || chr(133) || 'c');

-- Written here: here and there it is what was written, character by character.
INSERT INTO crm.organisation (id, name, description) SELECT crm.key(n), label, value FROM crm.text_sample;
SELECT label FROM crm.text_sample s JOIN crm.organisation_store o ON o.id = crm.key(n)
    WHERE o.description IS DISTINCT FROM s.value;
SELECT label FROM crm.text_sample
    WHERE cdms.get('Account', crm.key(n), 'Description') IS DISTINCT FROM coalesce(value, 'null');
SELECT count(*) FROM crm.text_sample s JOIN crm.organisation o ON o.id = crm.key(n) AND o.description = s.value;

-- Edited in CDMS: the same comes back.
SELECT cdms.create('Account', crm.key(100 + n), json_build_object('Name', label, 'Description', value)::text) = crm.key(100 + n) AS created,
       count(*)
    FROM crm.text_sample GROUP BY 1;
SELECT count(*) FROM crm.organisation WHERE id IN (SELECT crm.key(100 + n) FROM crm.text_sample);
SELECT label FROM crm.text_sample s JOIN crm.organisation_store o ON o.id = crm.key(100 + n)
    WHERE o.description IS DISTINCT FROM s.value;

-- And once more, as updates of what had another value.
UPDATE crm.organisation_store o SET description = s.value
    FROM crm.text_sample s WHERE o.id = crm.key(1 + s.n % 27);
SELECT label FROM crm.text_sample s JOIN crm.organisation o ON o.id = crm.key(1 + s.n % 27)
    WHERE o.description IS DISTINCT FROM s.value;

-- What CDMS takes for equal is another value nevertheless: case, blanks at the
-- end, composition, NULL and ''.
SELECT cdms.log_clear();
UPDATE crm.organisation_store SET name = 'EMOJI', description = '' WHERE id = crm.key(12);
UPDATE crm.organisation_store SET name = 'EMOJI ' WHERE id = crm.key(12);
UPDATE crm.organisation_store SET name = 'Café' WHERE id = crm.key(12);
UPDATE crm.organisation_store SET name = 'Cafe' || chr(769), description = NULL WHERE id = crm.key(12);
SELECT cdms.log('MERGE');
SELECT cdms.edit('Account', crm.key(12), 'Name', 'Cafe' || chr(769) || ' ');
SELECT '"' || name || '"' AS name, length(name) FROM crm.organisation WHERE id = crm.key(12);

-- ------------------------------------------------------------------- moments

-- The moment is what counts, not how the session writes it: three zones, one of
-- half an hour, one with summer time, and two styles.
CREATE TABLE crm.moment_sample (n integer GENERATED ALWAYS AS IDENTITY, moment timestamptz);
INSERT INTO crm.moment_sample (moment) VALUES
    ('2014-07-01 12:00:00+00'), ('2014-01-01 00:00:00+00'), ('1970-01-01 00:00:00+00'), ('1969-12-31 23:59:59+00'),
    ('1899-12-31 12:30:15+00'), ('1753-01-01 00:00:00+00'), ('9999-12-31 23:59:59+00'),
    ('2014-03-30 00:59:59+00'), ('2014-03-30 01:00:00+00'), ('2014-10-26 00:30:00+00'), ('2014-10-26 01:30:00+00'),
    ('2012-02-29 23:59:59+00'), ('2038-01-19 03:14:08+00');

SET TimeZone = 'Europe/London';
SET DateStyle = 'SQL, DMY';
INSERT INTO crm.organisation (id, verified) SELECT crm.key(200 + n), moment FROM crm.moment_sample;
SET TimeZone = 'Asia/Kolkata';
SET DateStyle = 'German';
INSERT INTO crm.organisation (id, verified) SELECT crm.key(300 + n), moment FROM crm.moment_sample;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
INSERT INTO crm.organisation (id, verified) SELECT crm.key(400 + n), moment FROM crm.moment_sample;
SELECT moment, cdms.get('Account', crm.key(200 + n), 'optevia_LastVerified') AS london,
       cdms.get('Account', crm.key(300 + n), 'optevia_LastVerified') AS kolkata
    FROM crm.moment_sample ORDER BY n;

-- Seen from each, the store holds the same moments, and a read finds no change.
SET TimeZone = 'Asia/Kolkata';
SET DateStyle = 'SQL, DMY';
SELECT count(*) FROM crm.organisation o JOIN crm.moment_sample s
    ON o.id IN (crm.key(200 + n), crm.key(300 + n), crm.key(400 + n)) AND o.verified = s.moment;
SELECT verified FROM crm.organisation WHERE id IN (crm.key(201), crm.key(207), crm.key(211)) ORDER BY id;
SELECT count(*) FROM crm_sync.history WHERE operation = 'update' AND key >= crm.key(200);

-- Edited in CDMS and found by a condition, in each zone.
SELECT cdms.edit('Account', crm.key(201), '{"optevia_LastVerified": "2014-07-01T11:00:00Z"}');
SELECT verified FROM crm.organisation WHERE verified = '01/07/2014 16:30' AND id = crm.key(201);
SET TimeZone = 'Europe/London';
SELECT verified FROM crm.organisation WHERE verified = '01/07/2014 12:00' AND id = crm.key(201);
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
SELECT verified FROM crm.organisation WHERE verified = '2014-07-01 11:00' AND id = crm.key(201);

-- CDMS keeps whole seconds: fractions are gone after COMMIT, the same in both
-- formats, before 1970 too.
INSERT INTO crm.organisation (id, verified) VALUES
    (crm.key(501), '2014-02-03 04:05:06.999999'), (crm.key(502), '1969-12-31 23:59:58.5'), (crm.key(503), '1900-01-01 00:00:00.001');
SELECT verified FROM crm.organisation_store WHERE id >= crm.key(501) AND id <= crm.key(503) ORDER BY id;

-- Columns of type date and timestamp: UTC's day, UTC's time.
CREATE FOREIGN TABLE crm.day (
    id       uuid OPTIONS (property 'AccountId') NOT NULL,
    day      date OPTIONS (property 'optevia_LastVerified'),
    campaign timestamp OPTIONS (property 'LastUsedInCampaign')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.day');
SET TimeZone = 'Asia/Kolkata';
INSERT INTO crm.day VALUES (crm.key(601), '2014-07-01', '2014-07-01 23:30'), (crm.key(602), '1899-12-31', '1753-01-01');
SELECT cdms.get('Account', id, 'optevia_LastVerified') AS verified, cdms.get('Account', id, 'LastUsedInCampaign') AS campaign
    FROM crm.day_store ORDER BY id;
SELECT day, campaign FROM crm.day WHERE id IN (crm.key(601), crm.key(602)) ORDER BY id;
SELECT cdms.edit('Account', crm.key(601), '{"optevia_LastVerified": "2014-07-01T23:59:59Z", "LastUsedInCampaign": "1969-12-31T23:59:59Z"}');
SELECT day, campaign FROM crm.day WHERE id = crm.key(601);
SET TimeZone = 'UTC';

-- ------------------------------------------------------------------- numbers

INSERT INTO crm.probe (id, name, small, count, size, ratio, weight, price, kind) VALUES
    (crm.key(1), 'largest', 32767, 2147483647, 9223372036854775807, 12345678901234.56789, 1.7976931348623157e308, 922337203685476.5807, 3),
    (crm.key(2), 'smallest', -32768, -2147483648, -9223372036854775808, -0.00001, -5e-324, -0.0001, 1),
    (crm.key(3), 'zero', 0, 0, 0, 0, 0, 0, 2),
    (crm.key(4), 'null', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (crm.key(5), 'tenth', 1, 1, 9007199254740993, 0.1, 0.1, 0.1, NULL),
    (crm.key(6), 'exact', -1, -1, -1, 100000000000.00001, 123456789.12345679, 1234567.8901, NULL),
    (crm.key(7), 'to round', NULL, NULL, NULL, 0.000005, 1e-7, 1234.56785, NULL),
    (crm.key(8), 'to round, negative', NULL, NULL, NULL, -0.000004, 1e21, -1234.56785, NULL),
    (crm.key(9), 'exponent', NULL, NULL, NULL, 1e3, 3e0, 1e-4, NULL);
SELECT name, small, count, size, ratio, weight, price, kind FROM crm.probe_store ORDER BY id;
SELECT name, there ->> 'optevia_Small' AS small, there ->> 'optevia_Count' AS count,
       there ->> 'optevia_Size' AS size, there ->> 'optevia_Ratio' AS ratio,
       there ->> 'optevia_Weight' AS weight, there ->> 'optevia_Price' AS price,
       there ->> 'optevia_Kind' AS kind
    FROM crm.probe_store, LATERAL crm.there('optevia_attachmentprobe', id) there
    WHERE there IS NOT NULL ORDER BY id;

-- A read finds what was written, with any output setting, and no change in it.
SELECT max(id) AS last FROM crm_sync.history \gset
SET extra_float_digits = -15;
SELECT count(*) FROM crm.probe WHERE id <= crm.key(9);
RESET extra_float_digits;
SELECT count(*) FROM crm_sync.history WHERE id > :last AND operation = 'update';

-- Edited in CDMS.
SELECT cdms.edit('optevia_attachmentprobe', crm.key(4), '{"optevia_Small": -32768, "optevia_Count": 2147483647,
    "optevia_Size": "9223372036854775807", "optevia_Ratio": "-12345678901234.56789", "optevia_Weight": "-1.7976931348623157E+308",
    "optevia_Price": "922337203685476.5807", "optevia_Kind": 3}');
SELECT small, count, size, ratio, weight, price, kind FROM crm.probe WHERE id = crm.key(4);
SELECT cdms.edit('optevia_attachmentprobe', crm.key(4), '{"optevia_Small": null, "optevia_Count": null,
    "optevia_Size": null, "optevia_Ratio": null, "optevia_Weight": null, "optevia_Price": null, "optevia_Kind": null}');
SELECT small, count, size, ratio, weight, price, kind FROM crm.probe WHERE id = crm.key(4);

-- --------------------------------------------- bytes, truth and identifiers

INSERT INTO crm.probe (id, name, content, checked, marker) VALUES
    (crm.key(21), 'all bytes', (SELECT string_agg(set_byte('\x00', 0, b), '' ORDER BY b) FROM generate_series(0, 255) b), true,
     'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF'),
    (crm.key(22), 'no bytes', '', false, '00000000-0000-0000-0000-000000000000'),
    (crm.key(23), 'null', NULL, NULL, NULL),
    (crm.key(24), 'many bytes', decode(repeat('00ff80', 10000), 'hex'), NULL, NULL);
SET bytea_output = 'escape';
SELECT name, length(content), md5(content), checked, marker FROM crm.probe_store
    WHERE id BETWEEN crm.key(21) AND crm.key(24) ORDER BY id;
SELECT name, length(there ->> 'optevia_Content') AS base64,
       content IS NULL OR decode(there ->> 'optevia_Content', 'base64') = content AS same,
       there ->> 'optevia_Checked' AS checked, there ->> 'optevia_Marker' AS marker
    FROM crm.probe_store, LATERAL crm.there('optevia_attachmentprobe', id) there
    WHERE id BETWEEN crm.key(21) AND crm.key(24) AND there IS NOT NULL ORDER BY id;
SELECT cdms.edit('optevia_attachmentprobe', crm.key(23), '{"optevia_Content": "AP+A", "optevia_Checked": false,
    "optevia_Marker": "AAAAAAAA-0000-4000-8000-00000000000F"}');
RESET bytea_output;
SELECT content, checked, marker FROM crm.probe WHERE id = crm.key(23);
UPDATE crm.probe SET content = NULL, checked = NULL, marker = NULL WHERE id = crm.key(23);
SELECT there ->> 'optevia_Content' AS content, there ->> 'optevia_Checked' AS checked,
       there ->> 'optevia_Marker' AS marker
    FROM crm.there('optevia_attachmentprobe', crm.key(23)) there;

-- -------------------------------------------- what can't be sent, or not held

-- Values that CDMS has no words for: an ERROR before anything is sent, whose
-- CONTEXT names the property.
\set SHOW_CONTEXT errors
SELECT cdms.log_clear();
UPDATE crm.organisation_store SET verified = 'infinity' WHERE id = crm.key(1);
\echo :SQLSTATE
UPDATE crm.organisation_store SET verified = '1752-12-31 23:59:59' WHERE id = crm.key(1);
\echo :SQLSTATE
UPDATE crm.organisation_store SET verified = '10000-01-01' WHERE id = crm.key(1);
\echo :SQLSTATE
UPDATE crm.day_store SET day = '-infinity' WHERE id = crm.key(601);
\echo :SQLSTATE
UPDATE crm.day_store SET day = '5000000-01-01' WHERE id = crm.key(601);
\echo :SQLSTATE
UPDATE crm.probe_store SET ratio = 'NaN' WHERE id = crm.key(3);
\echo :SQLSTATE
UPDATE crm.probe_store SET price = 'infinity' WHERE id = crm.key(3);
\echo :SQLSTATE
UPDATE crm.probe_store SET weight = 'NaN' WHERE id = crm.key(3);
\echo :SQLSTATE
UPDATE crm.probe_store SET weight = '-Infinity' WHERE id = crm.key(3);
\echo :SQLSTATE
-- (Nor are the other objects of the transaction sent before it.)
BEGIN;
UPDATE crm.probe_store SET weight = 1 WHERE id = crm.key(2);
UPDATE crm.probe_store SET weight = 'NaN' WHERE id = crm.key(3);
COMMIT;
\echo :SQLSTATE
SELECT * FROM cdms.log() WHERE log NOT LIKE 'GET%';

-- One that XML can't carry, in Atom; JSON can.
SELECT cdms.create_server(name => 'in_atom'), cdms.create_server(name => 'in_json');
ALTER SERVER in_atom OPTIONS (SET format 'atom');
ALTER SERVER in_json OPTIONS (SET format 'json');
CREATE FOREIGN TABLE crm.in_atom (id uuid OPTIONS (property 'AccountId') NOT NULL, name text OPTIONS (property 'Name'))
    SERVER in_atom OPTIONS (entity 'Account');
CREATE FOREIGN TABLE crm.in_json (id uuid OPTIONS (property 'AccountId') NOT NULL, name text OPTIONS (property 'Name'))
    SERVER in_json OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.in_atom'), crm_sync.create_store('crm.in_json');
INSERT INTO crm.in_atom VALUES (crm.key(701), 'Good Ltd'), (crm.key(702), 'Bell' || chr(7) || ' Ltd');
\echo :SQLSTATE
SELECT count(*) FROM crm.in_atom_store;
SELECT * FROM cdms.log() WHERE log NOT LIKE 'GET%';
INSERT INTO crm.in_atom VALUES (crm.key(703), 'Noncharacter' || chr(65535) || ' Ltd');
\echo :SQLSTATE
INSERT INTO crm.in_json VALUES (crm.key(704), 'Bell' || chr(7) || ' Ltd');
SELECT cdms.get('Account', crm.key(704), 'Name') = 'Bell' || chr(7) || ' Ltd' AS same;
SELECT name = 'Bell' || chr(7) || ' Ltd' AS same FROM crm.in_json WHERE id = crm.key(704);

-- Values that CDMS has no room for: it refuses them, nothing is stored.
UPDATE crm.organisation_store SET name = repeat('x', 161) WHERE id = crm.key(1);
\echo :SQLSTATE
UPDATE crm.probe_store SET price = 1e15 WHERE id = crm.key(3);
\echo :SQLSTATE
SELECT name FROM crm.organisation_store WHERE id = crm.key(1);
SELECT price, weight, ratio FROM crm.probe_store WHERE id = crm.key(3);

-- Domains check what comes from CDMS as well, NULL included.
CREATE DOMAIN crm.postcode AS text CHECK (VALUE ~ '^[A-Z]{1,2}[0-9]');
CREATE DOMAIN crm.needed AS text NOT NULL;
CREATE FOREIGN TABLE crm.address (
    id       uuid OPTIONS (property 'AccountId') NOT NULL,
    postcode crm.postcode OPTIONS (property 'optevia_PostCode'),
    city     crm.needed OPTIONS (property 'optevia_TownCity')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.address');
INSERT INTO crm.address VALUES (crm.key(801), 'SW1Y 4SB', 'London');
SELECT cdms.edit('Account', crm.key(801), 'optevia_PostCode', 'unknown');
SELECT postcode FROM crm.address WHERE id = crm.key(801);
\echo :SQLSTATE
SELECT cdms.edit('Account', crm.key(801), '{"optevia_PostCode": null, "optevia_TownCity": null}');
SELECT postcode, city FROM crm.address WHERE id = crm.key(801);
\echo :SQLSTATE
TABLE crm.address_store;
SELECT cdms.edit('Account', crm.key(801), '{"optevia_TownCity": "Ely"}');
SELECT postcode, city FROM crm.address WHERE id = crm.key(801);
UPDATE crm.address SET postcode = 'nowhere' WHERE id = crm.key(801);
\echo :SQLSTATE

SELECT count(*) AS pending FROM crm_sync.outbox;
SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
DROP SERVER in_atom CASCADE;
DROP SERVER in_json CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
