-- Schema 11, made from schema 10.

CREATE INDEX audit_by_who ON audit (who, act, done_at);
