--
-- What the extension lets PUBLIC have, and whose schema it goes into: nobody who
-- owns crm_sync beforehand, or may create in it, gets it filled by a superuser.
--
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
CREATE ROLE regress_crm_mallory;

-- All that PUBLIC may call and look at.  No function runs with its owner's rights.
SELECT p.oid::regprocedure AS public_may_call
FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
WHERE p.pronamespace = 'crm_sync'::regnamespace AND a.grantee = 0
ORDER BY p.proname COLLATE "C";
SELECT count(*) FROM pg_proc WHERE pronamespace = 'crm_sync'::regnamespace AND prosecdef;
-- SQL text that is parsed when it runs would follow the caller's search_path.
SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
WHERE p.pronamespace = 'crm_sync'::regnamespace AND l.lanname NOT IN ('c', 'internal')
  AND p.prosqlbody IS NULL AND p.proconfig IS NULL;
SELECT c.relname AS public_may, string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type COLLATE "C") AS what
FROM pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
WHERE c.relnamespace = 'crm_sync'::regnamespace AND a.grantee = 0
GROUP BY c.relname ORDER BY c.relname COLLATE "C";
SELECT has_schema_privilege('regress_crm_mallory', 'crm_sync', 'CREATE') AS may_create,
       has_foreign_data_wrapper_privilege('regress_crm_mallory', 'crm_sync', 'USAGE') AS may_use_wrapper;

-- A schema that lies in wait.
BEGIN;
DROP EXTENSION crm_sync;
DROP SCHEMA crm_sync;
SAVEPOINT s;
CREATE SCHEMA crm_sync AUTHORIZATION regress_crm_mallory;
CREATE EXTENSION crm_sync;
\echo :SQLSTATE
ROLLBACK TO s;
CREATE SCHEMA crm_sync;
GRANT CREATE ON SCHEMA crm_sync TO regress_crm_mallory;
CREATE EXTENSION crm_sync;
\echo :SQLSTATE
ROLLBACK TO s;
-- One of a superuser's own is no danger, whatever functions are in it: none of
-- them is taken for PostgreSQL's.
CREATE SCHEMA crm_sync;
CREATE FUNCTION crm_sync.jsonb_each(jsonb, OUT key text, OUT value jsonb) RETURNS SETOF record
    LANGUAGE sql AS $$ SELECT 'trapped', '1'::jsonb $$;
CREATE FUNCTION crm_sync.sum(bigint) RETURNS bigint LANGUAGE sql AS $$ SELECT 1/0 $$;
CREATE FUNCTION crm_sync.jsonb_object_agg(text, jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT '"trapped"'::jsonb $$;
CREATE EXTENSION crm_sync;
SELECT crm_sync.present_names('pg_class', '{"a": 1}', '{"a": 1}');
SELECT count(*) FROM crm_sync.stat_requests WHERE server = 'none';
ROLLBACK;
DROP ROLE regress_crm_mallory;
