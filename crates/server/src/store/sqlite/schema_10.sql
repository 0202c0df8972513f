-- Schema 10, made from schema 9.

-- Those who act for the owner from elsewhere, by the hashes of their tokens. One name has one that was not ended; one that was keeps
-- its row, so that who still sends it is told what became of it.
CREATE TABLE admin (
    token_hash BLOB NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    role       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    ends_at    INTEGER,
    ended_at   INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX admin_by_name ON admin (name) WHERE ended_at IS NULL;
