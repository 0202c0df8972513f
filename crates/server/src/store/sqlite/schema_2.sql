-- Schema 2, made from schema 1.

-- Licenses that were given back. A device whose seat was freed is not counted any more.
ALTER TABLE license ADD COLUMN returned_at INTEGER;
ALTER TABLE seat ADD COLUMN returned_at INTEGER;
ALTER TABLE seat ADD COLUMN freed INTEGER NOT NULL DEFAULT 0;

-- Each time that a seat was freed: how often that may happen is limited.
CREATE TABLE freed_seat (
    lid       BLOB    NOT NULL,
    device_id BLOB    NOT NULL,
    freed_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX freed_seat_by_license ON freed_seat (lid, freed_at);

-- Number of the last change to what is offered. It only grows, and every change has a number of its own, about the seconds UTC
-- at which it was made, so that a device can ask for what changed since.
CREATE TABLE mark (
    one    INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO mark (one, number) VALUES (1, 0);
ALTER TABLE content ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE policy ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE policy ADD COLUMN subscription TEXT;              -- licenses on this policy are leaves of it
ALTER TABLE account_scope ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
-- Mark at which the device was told to drop the license; none while it may have it.
ALTER TABLE license ADD COLUMN withdrawn INTEGER;
CREATE INDEX content_by_scope ON content (coalesce(scope, ''), kid);

-- What a root license is for: its key opens every leaf.
CREATE TABLE subscription (
    kid        BLOB    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE,
    sealed_key BLOB    NOT NULL,
    policy     TEXT    REFERENCES policy (name),
    scope      TEXT,                            -- none: open to all
    added_at   INTEGER NOT NULL,
    changed    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX subscription_by_scope ON subscription (coalesce(scope, ''), kid);
