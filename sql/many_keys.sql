--
-- Very many keys: a list of 40,000 is looked through quickly, and a table that was
-- loaded whole is asked once for what changed in place of once for each 25 keys.
--
\set SHOW_CONTEXT never
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
CREATE FUNCTION crm.keys(many integer) RETURNS uuid[] LANGUAGE sql IMMUTABLE
    RETURN (SELECT array_agg(format('11111111-0000-4000-8000-%s', lpad(g::text, 12, '0'))::uuid) FROM generate_series(1, many) g);

-- Nobody is asked, so this is the list alone: duplicates are found by hash, not by
-- comparing each with each, which took seconds.
SET crm_sync.mode = local;
SELECT cdms.limit_time('1s');
SELECT count(*) FROM crm.organisation WHERE id = ANY (crm.keys(40000) || crm.keys(40000));
RESET statement_timeout;
RESET crm_sync.mode;

-- A table that is not loaded is asked by key, each key once: 60 keys, three
-- requests; whatever is in the list twice.
SELECT cdms.log_clear();
SELECT count(*) FROM crm.organisation WHERE id = ANY (crm.keys(60) || crm.keys(60));
SELECT cdms.requests();

-- A loaded one is asked by key while that is one request ...
SELECT count(*) FROM crm.organisation;
SELECT cdms.log_clear();
SELECT count(*) FROM crm.organisation WHERE id = ANY (crm.keys(24) || :'one'::uuid);
SELECT count(*) FROM cdms.log() WHERE log LIKE '%AccountId eq guid%';
SELECT cdms.requests();
-- ... and for what changed when it would be more.  What changed is in the answer.
SELECT cdms.edit('Account', :'one', 'Name', 'Edited');
SELECT cdms.log_clear();
SELECT name FROM crm.organisation WHERE id = ANY (crm.keys(25) || :'one'::uuid);
SELECT count(*) FROM cdms.log() WHERE log LIKE '%AccountId eq guid%';
SELECT count(*) FROM cdms.log() WHERE log LIKE '%ModifiedOn ge datetime%';
SELECT cdms.requests();
-- As quick for 40,000.
SELECT cdms.limit_time('5s');
SELECT cdms.log_clear();
SELECT name FROM crm.organisation WHERE id = ANY (crm.keys(40000) || :'one'::uuid);
SELECT cdms.requests();

RESET statement_timeout;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
