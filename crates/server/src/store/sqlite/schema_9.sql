-- Schema 9, made from schema 8.

-- What is delivered many licenses at once, by its hash: key IDs, terms and titles, the same for all devices.
CREATE TABLE delivery_page (
    hash  BLOB NOT NULL PRIMARY KEY,
    kids  BLOB NOT NULL,                        -- in their order, 16 bytes each
    about BLOB NOT NULL
) STRICT;

-- Licenses that a device got at once. Their IDs are that of the delivery and four bytes of their place. Those that have rows in
-- license and seat have a bit in gone, and what the rows say counts.
CREATE TABLE delivery (
    device_id BLOB    NOT NULL,
    id        BLOB    NOT NULL,
    user_id   BLOB    NOT NULL,                 -- empty where the content is open
    scope     TEXT    NOT NULL,                 -- of the content at that time; empty: open to all
    issued_at INTEGER NOT NULL,
    mark      INTEGER NOT NULL,                 -- number of the last change before it
    page      BLOB    NOT NULL REFERENCES delivery_page (hash),
    first_kid BLOB    NOT NULL,                 -- of the page
    last_kid  BLOB    NOT NULL,
    count     INTEGER NOT NULL,
    live      INTEGER NOT NULL,                 -- bits that are not set
    gone      BLOB    NOT NULL,
    withdrawn INTEGER,                          -- mark at which the device was told to drop all that are left
    PRIMARY KEY (device_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX delivery_by_id ON delivery (id);
CREATE INDEX delivery_by_age ON delivery (issued_at DESC, id);

-- Content that left its scope, so that not every delivered license has to be looked at to find those that are over.
CREATE TABLE content_removed (
    scope TEXT    NOT NULL,
    mark  INTEGER NOT NULL,                     -- when it did last
    kid   BLOB    NOT NULL,
    PRIMARY KEY (scope, kid)
) STRICT, WITHOUT ROWID;
CREATE INDEX content_removed_by_mark ON content_removed (scope, mark);
