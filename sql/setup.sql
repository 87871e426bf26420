--
-- Comes first: the extension, and the CDMS simulator with its functions for
-- tests (test/cdms.sql says which).  teardown comes last.
--
\getenv srcdir PG_ABS_SRCDIR
SET cdms.srcdir = :'srcdir';
\set helpers :srcdir '/test/cdms.sql'
\set ECHO none
\i :helpers
\set ECHO all
SELECT cdms.start();
SELECT cdms.control('ping');
CREATE EXTENSION crm_sync;
