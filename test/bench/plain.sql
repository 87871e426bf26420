--
-- Plain copies of the stores, with the same indexes: what SQL is compared with.
--
SET client_min_messages = warning;
CREATE INDEX ON bench.organisation_store (name);
CREATE INDEX ON bench.contact_store (organisation);

DROP SCHEMA IF EXISTS plain CASCADE;
CREATE SCHEMA plain;
CREATE TABLE plain.organisation AS TABLE bench.organisation_store;
ALTER TABLE plain.organisation ADD PRIMARY KEY (id);
CREATE INDEX ON plain.organisation (name);
CREATE TABLE plain.contact AS TABLE bench.contact_store;
ALTER TABLE plain.contact ADD PRIMARY KEY (id);
CREATE INDEX ON plain.contact (organisation);

VACUUM ANALYZE bench.organisation_store, bench.contact_store, plain.organisation, plain.contact;
ANALYZE bench.organisation, bench.contact;
