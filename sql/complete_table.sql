--
-- A table that was loaded whole is asked for what changed since.
--
SELECT cdms.reset();
SELECT cdms.clock('set', '2026-03-01T12:00:00Z') = '2026-03-01 12:00:00+00' AS clock_stands;
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id          uuid OPTIONS (property 'AccountId') NOT NULL,
    name        text OPTIONS (property 'Name'),
    modified_on timestamptz OPTIONS (property 'ModifiedOn')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
\set oneil aaaaaaaa-0000-4000-8000-000000000001
\set wool aaaaaaaa-0000-4000-8000-000000000002

-- What CDMS was asked, less what every question has.
CREATE VIEW crm.asked AS
    SELECT replace(log, '$select=AccountId,Name,ModifiedOn', '...') AS asked FROM cdms.log();
CREATE VIEW crm.state AS
    SELECT complete, pulled_through AT TIME ZONE 'UTC' AS pulled_through FROM crm_sync.status;

-- A filter does not load the table, an unfiltered SELECT does: ten pages.
SELECT count(*) FROM crm.organisation WHERE name LIKE 'O''Neil%';
TABLE crm.state;
SELECT cdms.log_clear();
SELECT count(*) FROM crm.organisation;
SELECT cdms.requests();
TABLE crm.state;

-- From here on one request, for what changed since CDMS's clock then, less two
-- minutes; an empty answer writes nothing and needs no transaction id.
SELECT cdms.clock('step', '600') = '2026-03-01 12:10:00+00' AS ten_minutes_later;
SELECT cdms.log_clear();
BEGIN;
SELECT count(*) FROM crm.organisation;
SELECT name FROM crm.organisation WHERE name LIKE 'O''Neil%';
SELECT count(*) FROM crm.organisation a JOIN crm.organisation b USING (id);
SELECT pg_current_xact_id_if_assigned() IS NULL AS nothing_written;
COMMIT;
TABLE crm.asked;
TABLE crm.state;
EXPLAIN (COSTS OFF) SELECT * FROM crm.organisation WHERE name = 'X';

-- A change in CDMS is in the next answer, whatever is asked, and in history; the
-- watermark follows.
SELECT cdms.edit('Account', :'oneil', 'Name', 'O''Neil & Daughters');
SELECT cdms.log_clear();
SELECT name FROM crm.organisation WHERE name LIKE 'O''Neil%';
SELECT count(*) FROM crm.organisation WHERE name = 'O''Neil & Sons';
TABLE crm.asked;
TABLE crm.state;
SELECT operation, origin, before ->> 'name' AS before, after ->> 'name' AS after
FROM crm_sync.history WHERE key = :'oneil' AND operation = 'update';

-- Until it has moved beyond the change the object is asked for again; it is
-- written once.
SELECT cdms.clock('step', '60') IS NOT NULL AS a_minute_later;
SELECT name FROM crm.organisation WHERE name LIKE 'O''Neil%';
TABLE crm.state;
SELECT cdms.clock('step', '100') IS NOT NULL AS more_than_two_minutes_later;
SELECT name FROM crm.organisation WHERE name LIKE 'O''Neil%';
SELECT cdms.log_clear();
SELECT name FROM crm.organisation WHERE name LIKE 'O''Neil%';
TABLE crm.asked;
SELECT count(*) FROM crm_sync.history WHERE key = :'oneil' AND operation = 'update';

-- An object that commits late, with an earlier ModifiedOn, is within the overlap.
SELECT cdms.edit('Account', :'wool', '{"Name": "Late Wool", "ModifiedOn": "2026-03-01T12:11:30Z"}');
SELECT name FROM crm.organisation WHERE name LIKE 'Late%';

-- A rolled back read did not bring the table any further.
TABLE crm.state;
SELECT cdms.clock('step', '600') IS NOT NULL AS later;
SELECT cdms.edit('Account', :'wool', 'Name', 'Rolled Wool');
BEGIN;
SELECT name FROM crm.organisation WHERE name LIKE 'Rolled%';
ROLLBACK;
TABLE crm.state;
SELECT name FROM crm.organisation_store WHERE id = :'wool';
SELECT name FROM crm.organisation WHERE name LIKE 'Rolled%';
TABLE crm.state;

-- CDMS's clock goes wrong by an hour and is put right: what was changed
-- afterwards has an earlier date than the watermark, so all is read again.
SELECT cdms.clock('step', '3600') IS NOT NULL AS an_hour_ahead;
SELECT cdms.edit('Account', :'wool', 'Name', 'Future Wool');
SELECT name FROM crm.organisation WHERE name LIKE 'Future%';
TABLE crm.state;
SELECT cdms.clock('step', '-3600') IS NOT NULL AS put_right;
SELECT cdms.edit('Account', :'oneil', 'Name', 'O''Neil & Sons');
SELECT cdms.log_clear();
SELECT name FROM crm.organisation WHERE name LIKE 'O''Neil%';
SELECT cdms.requests();
TABLE crm.state;

-- A server that does not tell its time: the window stays as it was.
SELECT cdms.switch('date-header', 'off');
SELECT cdms.log_clear();
SELECT count(*) FROM crm.organisation;
SELECT cdms.requests();
TABLE crm.state;
SELECT cdms.switch('date-header', 'on');

-- pull() does the same by hand, and returns what it wrote.
SELECT cdms.edit('Account', :'wool', 'Name', 'Pulled Wool');
SELECT crm_sync.pull('crm.organisation');
SELECT crm_sync.pull('crm.organisation');

-- A property more: the table is incomplete until it is loaded again.
ALTER FOREIGN TABLE crm.organisation ADD COLUMN city text OPTIONS (property 'optevia_TownCity');
SELECT crm_sync.create_store('crm.organisation');
TABLE crm.state;
SELECT count(city) > 400 AS loaded FROM crm.organisation;
TABLE crm.state;

-- A column of the store that was made anew has nothing in it yet, whoever made it;
-- so has, for all that is known, one that bears another's name.
ALTER TABLE crm.organisation_store DROP COLUMN city;
SELECT crm_sync.create_store('crm.organisation');
TABLE crm.state;
SELECT count(city) > 400 AS loaded FROM crm.organisation;
TABLE crm.state;
ALTER TABLE crm.organisation_store DROP COLUMN city, ADD COLUMN city text;
SELECT count(city) > 400 AS loaded FROM crm.organisation;
ALTER FOREIGN TABLE crm.organisation RENAME COLUMN city TO other;
ALTER FOREIGN TABLE crm.organisation RENAME COLUMN name TO city;
ALTER FOREIGN TABLE crm.organisation RENAME COLUMN other TO name;
SELECT city FROM crm.organisation WHERE city LIKE 'O''Neil%';
ALTER FOREIGN TABLE crm.organisation RENAME COLUMN name TO other;
ALTER FOREIGN TABLE crm.organisation RENAME COLUMN city TO name;
ALTER FOREIGN TABLE crm.organisation RENAME COLUMN other TO city;
TABLE crm.state;
SELECT name FROM crm.organisation WHERE name LIKE 'O''Neil%';
SELECT count(city) > 400 AS loaded FROM crm.organisation;
TABLE crm.state;

-- Without a column for ModifiedOn there is nothing to ask by: the table is read
-- whole each time.
ALTER FOREIGN TABLE crm.organisation DROP COLUMN modified_on;
SELECT count(*) FROM crm.organisation;
TABLE crm.state;

-- The overlap is the server's to choose.
ALTER FOREIGN TABLE crm.organisation ADD COLUMN modified_on timestamptz OPTIONS (property 'ModifiedOn');
ALTER SERVER cdms OPTIONS (ADD overlap '1h');
SELECT count(*) FROM crm.organisation;
SELECT pulled_through FROM crm.state;
EXPLAIN (COSTS OFF) SELECT name FROM crm.organisation;

DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
