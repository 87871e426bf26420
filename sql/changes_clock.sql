--
-- Changes come whatever second they were made in, and whatever CDMS's clock does:
-- it is the only clock that counts, and it need not agree with ours.
--
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id          uuid OPTIONS (property 'AccountId') NOT NULL,
    name        text OPTIONS (property 'Name'),
    modified_on timestamptz OPTIONS (property 'ModifiedOn')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
\set one aaaaaaaa-0000-4000-8000-000000000001
\set two aaaaaaaa-0000-4000-8000-000000000002
CREATE VIEW crm.state AS
    SELECT complete, pulled_through AT TIME ZONE 'UTC' AS pulled_through FROM crm_sync.status;
-- What a read finds of the names that begin so, and how many requests it takes.
CREATE FUNCTION crm.look(prefix text) RETURNS TABLE (names text[], requests integer) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM cdms.log_clear();
    names := (SELECT array_agg(name ORDER BY name COLLATE "C") FROM crm.organisation WHERE name LIKE prefix || '%');
    requests := cdms.requests();
    RETURN NEXT;
END $$;

-- Its clock is years behind ours.
SELECT cdms.clock('set', '2019-05-05T10:00:00Z') = '2019-05-05 10:00:00+00' AS years_ago;
SELECT count(*) FROM crm.organisation;
TABLE crm.state;

-- Two changes of an object in one second, with a read between them; and a third in
-- the second of the watermark.
SELECT cdms.clock('set', '2019-05-05T10:10:00Z') IS NOT NULL AS later;
SELECT cdms.edit('Account', :'one', 'Name', 'Second A');
SELECT * FROM crm.look('Second');
SELECT cdms.edit('Account', :'one', 'Name', 'Second B');
SELECT * FROM crm.look('Second');
SELECT cdms.edit('Account', :'two', 'Name', 'Second C');
SELECT * FROM crm.look('Second');
TABLE crm.state;
-- As long as the overlap is, a change may come late: to the second.
SELECT cdms.edit('Account', :'one', '{"Name": "Late by two minutes", "ModifiedOn": "2019-05-05T10:08:00Z"}');
SELECT * FROM crm.look('Late');
SELECT cdms.edit('Account', :'two', '{"Name": "Too late", "ModifiedOn": "2019-05-05T10:07:59Z"}');
SELECT * FROM crm.look('Too late');
-- By key it is found, as anything is.
SELECT name FROM crm.organisation WHERE id = :'two';

-- The clock goes back by less than half of the overlap: what changes then is still
-- asked for.
SELECT cdms.clock('step', '-50') IS NOT NULL AS back_a_little;
SELECT cdms.edit('Account', :'one', 'Name', 'Back a little');
SELECT * FROM crm.look('Back');
-- By more: all is asked for, and what is asked for from then on follows the clock.
SELECT cdms.clock('step', '-600') IS NOT NULL AS back_more;
SELECT cdms.edit('Account', :'one', 'Name', 'Back more');
SELECT * FROM crm.look('Back');
TABLE crm.state;
SELECT cdms.edit('Account', :'one', 'Name', 'Back again');
SELECT * FROM crm.look('Back');

-- The clock goes ahead by years: changes from before, and from then.
SELECT cdms.edit('Account', :'two', 'Name', 'Ahead: before');
SELECT cdms.clock('set', '2031-01-01T00:00:00Z') IS NOT NULL AS years_ahead;
SELECT cdms.edit('Account', :'one', 'Name', 'Ahead: after');
SELECT * FROM crm.look('Ahead');
TABLE crm.state;
-- And back again.
SELECT cdms.clock('set', '2019-05-05T10:20:00Z') IS NOT NULL AS put_right;
SELECT cdms.edit('Account', :'one', 'Name', 'Right');
SELECT * FROM crm.look('Right');
TABLE crm.state;

-- The clock is at the end of its years for one answer, and then right: nothing is missed.
SELECT cdms.clock('set', '9999-12-31T23:59:00Z') IS NOT NULL AS at_the_end;
SELECT count(*) FROM crm.organisation;
TABLE crm.state;
SELECT cdms.clock('set', '2019-05-05T10:25:00Z') IS NOT NULL AS put_right;
SELECT cdms.edit('Account', :'one', 'Name', 'Behind it');
SELECT * FROM crm.look('Behind');
TABLE crm.state;
-- A year that no clock shows is no date: the window stays as it was, and changes come.
SELECT cdms.switch('date-header', '300000');
SELECT cdms.edit('Account', :'two', 'Name', 'Out of time');
SELECT * FROM crm.look('Out');
TABLE crm.state;
-- Nor is it one where all is read: the table does not become complete by that.
DELETE FROM crm_sync.progress;
SELECT cdms.edit('Account', :'one', 'Name', 'Out again');
SELECT * FROM crm.look('Out');
SELECT count(*) FROM crm.organisation;
TABLE crm.state;
TABLE crm_sync.progress;
SELECT cdms.switch('date-header', 'on');
SELECT count(*) FROM crm.organisation;
TABLE crm.state;

-- The clock was an hour ahead, is put right, and nobody reads until it shows the
-- time of the last read again: what changed meanwhile bears earlier dates.  An hour
-- has gone by here, too: the note of when CDMS was asked is made so old.
SELECT cdms.clock('step', '-300') IS NOT NULL AS put_right, cdms.edit('Account', :'two', 'Name', 'While back');
SELECT cdms.clock('step', '600') IS NOT NULL AS later;
UPDATE crm_sync.progress SET asked_at = asked_at - interval '1 hour';
SELECT * FROM crm.look('While');
SELECT * FROM crm.look('While');
-- A clock of ours that goes back changes nothing.
UPDATE crm_sync.progress SET asked_at = asked_at + interval '2 hours';
SELECT * FROM crm.look('While');
-- Unless CDMS's goes back as well.
SELECT cdms.clock('step', '-300') IS NOT NULL AS back_too, cdms.edit('Account', :'two', 'Name', 'Both back');
SELECT * FROM crm.look('Both');
SELECT * FROM crm.look('Both');

-- An entity without ModifiedOn is read whole each time.
CREATE FOREIGN TABLE crm.party (
    id      uuid OPTIONS (property 'ActivityPartyId') NOT NULL,
    address text OPTIONS (property 'AddressUsed'),
    version bigint OPTIONS (property 'VersionNumber')
) SERVER cdms OPTIONS (entity 'ActivityParty');
SELECT crm_sync.create_store('crm.party');
SELECT count(*) = cdms.count('ActivityParty') AS all FROM crm.party;
SELECT cdms.edit('ActivityParty', 'ac710000-0000-4000-8000-000000000001', 'AddressUsed', 'edited@example.org'::text);
SELECT cdms.log_clear();
SELECT address FROM crm.party WHERE version IS NOT NULL AND address LIKE 'edited%' OR lower(address) = 'nobody';
SELECT count(*) = ceil(cdms.count('ActivityParty') / 50.0) AS every_page, count(*) FILTER (WHERE log LIKE '%$filter%') AS filtered FROM cdms.log() AS log;
SELECT complete FROM crm_sync.status WHERE entity = 'ActivityParty';

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
