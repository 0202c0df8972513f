-- Schema 11, made from schema 10.

-- What can be had on which terms. What stands in content.policy, content.scope and account_scope goes on meaning the same beside it.
CREATE TABLE offer (
    name     TEXT    NOT NULL PRIMARY KEY,
    policy   TEXT    REFERENCES policy (name),
    open     INTEGER NOT NULL,                  -- it needs no grant
    added_at INTEGER NOT NULL,
    changed  INTEGER NOT NULL                   -- number of the last change
) STRICT, WITHOUT ROWID;

-- What an offer covers: all content of a scope, or key IDs one by one.
CREATE TABLE offer_scope (
    offer TEXT NOT NULL REFERENCES offer (name),
    scope TEXT NOT NULL,
    PRIMARY KEY (offer, scope)
) STRICT, WITHOUT ROWID;
CREATE TABLE offer_kid (
    offer TEXT NOT NULL REFERENCES offer (name),
    kid   BLOB NOT NULL,
    PRIMARY KEY (offer, kid)
) STRICT, WITHOUT ROWID;

-- What accounts have of offers. Rows stay when they are over, so that lists tell what an account had.
CREATE TABLE account_grant (
    id         BLOB    NOT NULL PRIMARY KEY,
    user_id    BLOB    NOT NULL,
    offer      TEXT    NOT NULL,
    from_at    INTEGER,                         -- first second in which it counts
    until_at   INTEGER,                         -- first second in which it counts no more
    uses       INTEGER,                         -- on all devices; none: as many as the policy says
    devices    INTEGER,                         -- none: no limit of its own
    reference  TEXT,                            -- what the shop calls it
    created_at INTEGER NOT NULL,
    changed    INTEGER NOT NULL,
    ended_at   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX account_grant_by_user ON account_grant (user_id, id);
CREATE INDEX account_grant_by_offer ON account_grant (offer);
CREATE INDEX account_grant_by_age ON account_grant (created_at DESC, id);
