-- Schema 5, made from schema 4.

-- What the question whether the database can be written writes: one row, other bytes each time.
CREATE TABLE probe (
    one   INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    bytes BLOB    NOT NULL
) STRICT;
INSERT INTO probe (one, bytes) VALUES (1, x'');
