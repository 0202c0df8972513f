-- Schema 18, made from schema 17.

-- What is counted of what accounts do by themselves.
CREATE INDEX audit_by_who ON audit (who, act, done_at);
