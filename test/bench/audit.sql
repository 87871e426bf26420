--
-- What capture and history are compared with: a table, and a trigger in
-- PL/pgSQL that keeps each version of each row, who made it and when.  This
-- is what one writes where there is no extension.
--
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS audit CASCADE;
CREATE SCHEMA audit;
CREATE TABLE audit.organisation (LIKE bench.organisation_store INCLUDING INDEXES);
INSERT INTO audit.organisation TABLE bench.organisation_store;

CREATE TABLE audit.history (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    changed_at timestamptz NOT NULL,
    store      regclass NOT NULL,
    key        uuid NOT NULL,
    operation  text NOT NULL,
    actor      text NOT NULL,
    before     jsonb,
    after      jsonb
);
CREATE INDEX ON audit.history (store, key, id);

CREATE FUNCTION audit.capture() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO audit.history (changed_at, store, key, operation, actor, after)
            VALUES (clock_timestamp(), TG_RELID, NEW.id, 'insert', session_user, to_jsonb(NEW));
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO audit.history (changed_at, store, key, operation, actor, before, after)
            VALUES (clock_timestamp(), TG_RELID, NEW.id, 'update', session_user, to_jsonb(OLD), to_jsonb(NEW));
    ELSE
        INSERT INTO audit.history (changed_at, store, key, operation, actor, before)
            VALUES (clock_timestamp(), TG_RELID, OLD.id, 'delete', session_user, to_jsonb(OLD));
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER capture AFTER INSERT OR UPDATE OR DELETE ON audit.organisation
    FOR EACH ROW EXECUTE FUNCTION audit.capture();
VACUUM ANALYZE audit.organisation, bench.organisation_store;
