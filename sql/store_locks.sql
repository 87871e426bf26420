--
-- What comes from CDMS is written under the store's lock, also after an attempt that was
-- rolled back, and the lock with it: else a row would not be in an index that somebody
-- builds meanwhile.
--
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
SELECT cdms.reset();
SELECT cdms.create_server();
CREATE SCHEMA crm;
CREATE FOREIGN TABLE crm.organisation (
    id   uuid OPTIONS (property 'AccountId') NOT NULL,
    name text OPTIONS (property 'Name')
) SERVER cdms OPTIONS (entity 'Account');
SELECT crm_sync.create_store('crm.organisation');
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000001', 'Name', 'A');
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000002', 'Name', 'B');
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000003', 'Name', 'C');

-- One of a page can't be written: so they are written one by one.
CREATE FUNCTION crm.tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE NOTICE '% of % under %', TG_OP, NEW.name,
    (SELECT string_agg(mode, ', ' ORDER BY mode) FROM pg_locks
     WHERE relation = 'crm.organisation_store'::regclass AND pid = pg_backend_pid() AND mode = 'RowExclusiveLock');
  IF NEW.name LIKE 'B%' THEN
    RAISE EXCEPTION USING ERRCODE = 'lock_not_available';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER tell AFTER INSERT OR UPDATE ON crm.organisation_store FOR EACH ROW EXECUTE FUNCTION crm.tell();
SELECT name FROM crm.organisation WHERE id IN ('aaaaaaaa-0000-4000-8000-000000000001',
    'aaaaaaaa-0000-4000-8000-000000000002', 'aaaaaaaa-0000-4000-8000-000000000003') ORDER BY name;
SELECT name FROM crm.organisation_store ORDER BY name;

-- Rows that are there already.
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000001', 'Name', 'A2');
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000002', 'Name', 'B2');
SELECT cdms.edit('Account', 'aaaaaaaa-0000-4000-8000-000000000003', 'Name', 'C2');
SELECT name FROM crm.organisation WHERE id IN ('aaaaaaaa-0000-4000-8000-000000000001',
    'aaaaaaaa-0000-4000-8000-000000000002', 'aaaaaaaa-0000-4000-8000-000000000003') ORDER BY name;
SELECT name FROM crm.organisation_store ORDER BY name;

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP SERVER cdms CASCADE;
TRUNCATE crm_sync.history, crm_sync.outbox;
