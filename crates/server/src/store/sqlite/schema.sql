-- Schema 1. Keys are led by account or device where a row belongs to one, so that rows of one caller lie together.

CREATE TABLE policy (
    name       TEXT    NOT NULL PRIMARY KEY,
    definition TEXT    NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE content (
    kid        BLOB    NOT NULL PRIMARY KEY,
    sealed_key BLOB    NOT NULL,
    title      TEXT,
    policy     TEXT    REFERENCES policy (name),
    scope      TEXT,                            -- none: open to all
    added_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE account (
    user_id    BLOB    NOT NULL PRIMARY KEY,    -- random, never derived from the name
    name       TEXT    NOT NULL UNIQUE,
    token_hash BLOB    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE account_scope (
    user_id BLOB NOT NULL REFERENCES account (user_id),
    scope   TEXT NOT NULL,
    PRIMARY KEY (user_id, scope)
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
    thumbprint       BLOB    NOT NULL PRIMARY KEY,
    device_id        BLOB    NOT NULL,
    security_version TEXT    NOT NULL,
    assurance        INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    certified_at     INTEGER NOT NULL,
    revoked_at       INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX device_by_id ON device (device_id);

-- The license that a holder has for a key ID on the device it was issued to. A change of terms gives it another one.
CREATE TABLE license (
    device_id BLOB    NOT NULL,
    kid       BLOB    NOT NULL,
    user_id   BLOB    NOT NULL,                 -- empty where the content is open
    lid       BLOB    NOT NULL,
    terms     BLOB    NOT NULL,
    policy    BLOB    NOT NULL,
    issued_at INTEGER NOT NULL,
    PRIMARY KEY (device_id, kid, user_id)
) STRICT, WITHOUT ROWID;

-- Which devices hold a license: the one it was issued to, and those it was restored to.
CREATE TABLE seat (
    lid       BLOB    NOT NULL,
    device_id BLOB    NOT NULL,
    kid       BLOB    NOT NULL,
    restored  INTEGER NOT NULL,
    since     INTEGER NOT NULL,
    PRIMARY KEY (lid, device_id)
) STRICT, WITHOUT ROWID;

-- Strictest state known of a license that counts or runs from its first use.
CREATE TABLE license_state (
    lid   BLOB NOT NULL PRIMARY KEY,
    state BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Answered requests. The bytes go after a while, the row stays, so that an old request never acts again.
CREATE TABLE exchange (
    thumbprint     BLOB    NOT NULL,
    transaction_id BLOB    NOT NULL,
    page           INTEGER NOT NULL,
    request_hash   BLOB    NOT NULL,
    account        BLOB,
    answered_at    INTEGER NOT NULL,
    kept           INTEGER NOT NULL,            -- 0: never kept, 1: kept, 2: dropped
    answer         BLOB,
    PRIMARY KEY (thumbprint, transaction_id, page)
) STRICT;
CREATE INDEX exchange_by_age ON exchange (answered_at) WHERE kept = 1;
