--
-- Comes last: ends the simulator, and drops the extension with all that the
-- tests made with it.
--
SELECT cdms.stop();
SET client_min_messages = warning;
DROP EXTENSION crm_sync CASCADE;
SELECT fdwname FROM pg_foreign_data_wrapper;
