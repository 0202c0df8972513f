-- Schema 8, made from schema 7.

-- An account that was removed keeps its row, so that lists tell whose its licenses were. Its name is free again.
CREATE TABLE account_8 (
    user_id    BLOB    NOT NULL PRIMARY KEY,    -- random, never derived from the name
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    removed_at INTEGER
) STRICT, WITHOUT ROWID;
INSERT INTO account_8 (user_id, name, created_at) SELECT user_id, name, created_at FROM account;
CREATE TABLE account_scope_8 (
    user_id BLOB    NOT NULL REFERENCES account_8 (user_id),
    scope   TEXT    NOT NULL,
    changed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, scope)
) STRICT, WITHOUT ROWID;
INSERT INTO account_scope_8 (user_id, scope, changed) SELECT user_id, scope, changed FROM account_scope;

-- Tokens by their hashes. One that was ended keeps its row, so that who still sends it is told what became of it.
CREATE TABLE account_token (
    token_hash BLOB    NOT NULL PRIMARY KEY,
    user_id    BLOB    NOT NULL REFERENCES account_8 (user_id),
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    ends_at    INTEGER,                         -- none: until it is ended
    ended_at   INTEGER
) STRICT, WITHOUT ROWID;
INSERT INTO account_token (token_hash, user_id, name, created_at) SELECT token_hash, user_id, 'default', created_at FROM account;

DROP TABLE account_scope;
DROP TABLE account;
ALTER TABLE account_8 RENAME TO account;
ALTER TABLE account_scope_8 RENAME TO account_scope;
CREATE UNIQUE INDEX account_by_name ON account (name) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX account_token_by_name ON account_token (user_id, name) WHERE ended_at IS NULL;

-- What was done in the owner's name. Rows are never changed.
CREATE TABLE audit (
    done_at INTEGER NOT NULL,
    id      BLOB    NOT NULL,                   -- begins with the nanoseconds within the second
    who     TEXT    NOT NULL,
    act     TEXT    NOT NULL,
    about   TEXT,
    was     TEXT,
    became  TEXT,
    PRIMARY KEY (done_at, id)
) STRICT, WITHOUT ROWID;
