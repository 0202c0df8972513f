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
ALTER TABLE seat ADD COLUMN withdrawn INTEGER;                -- the same of a license that came from a backup
CREATE INDEX seat_by_restore ON seat (device_id, kid) WHERE restored = 1;
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

-- What the owner took back, one row an order. Rows stay, because devices apply them for good. Without any condition it is
-- every license.
CREATE TABLE revocation (
    number        INTEGER NOT NULL PRIMARY KEY, -- creation time, or one more than the newest
    lid           BLOB,                         -- one license; else a rule:
    kid           BLOB,
    user_id       BLOB,
    issued_before INTEGER,
    device_id     BLOB,                         -- only on this device
    reason        TEXT
) STRICT;
CREATE INDEX revocation_by_license ON revocation (lid) WHERE lid IS NOT NULL;

-- Who held a single license when it was taken back. The blob of a device is made of these and of rules, so that the same
-- number always says the same.
CREATE TABLE revocation_holder (
    device_id BLOB    NOT NULL,
    number    INTEGER NOT NULL REFERENCES revocation (number),
    PRIMARY KEY (device_id, number)
) STRICT, WITHOUT ROWID;

-- Newest signed blob of a device; that with an empty device ID is everybody's to whom rules alone apply.
CREATE TABLE revocation_blob (
    device_id BLOB    NOT NULL PRIMARY KEY,
    number    INTEGER NOT NULL,
    blob      BLOB    NOT NULL
) STRICT;

-- Devices that asked what was taken back, with the key that their acknowledgement is signed by.
CREATE TABLE revocation_asker (
    thumbprint  BLOB    NOT NULL PRIMARY KEY,
    device_id   BLOB    NOT NULL,
    signing_key BLOB    NOT NULL,
    asked_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE acknowledgement (
    device_id   BLOB    NOT NULL PRIMARY KEY,
    number      INTEGER NOT NULL,
    removed     INTEGER NOT NULL,
    taken_at    INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    document    BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE acknowledged_license (
    lid         BLOB    NOT NULL,
    device_id   BLOB    NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (lid, device_id)
) STRICT, WITHOUT ROWID;

-- Keys beside those of devices that the next status list names.
CREATE TABLE revoked_key (
    kind        INTEGER NOT NULL,               -- 1: service, 2: application
    key         BLOB    NOT NULL,
    name        TEXT    NOT NULL,
    counts_from INTEGER NOT NULL,
    revoked_at  INTEGER NOT NULL,
    reason      TEXT,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE status_list (
    number INTEGER NOT NULL PRIMARY KEY,
    list   BLOB    NOT NULL
) STRICT;

ALTER TABLE device ADD COLUMN counts_from INTEGER NOT NULL DEFAULT 0; -- where revoked: licenses from then on count for nothing
ALTER TABLE device ADD COLUMN reason TEXT;

-- Requests for which a user must act on the page.
CREATE TABLE interaction (
    id             TEXT    NOT NULL PRIMARY KEY, -- random; the page's URL carries it
    thumbprint     BLOB    NOT NULL,
    transaction_id BLOB    NOT NULL,
    page           INTEGER NOT NULL,
    request_hash   BLOB    NOT NULL,
    account        BLOB,                         -- that the application sent the request with
    device_id      BLOB    NOT NULL,
    application    TEXT,
    kids           BLOB    NOT NULL,             -- key IDs of 16 bytes each
    expires_at     INTEGER NOT NULL,
    failures       INTEGER NOT NULL DEFAULT 0,   -- sign-ins that failed
    decision       INTEGER,                      -- none: open, 1: accepted, 2: declined
    decided_for    BLOB,                         -- account that accepted
    UNIQUE (thumbprint, transaction_id, page)
) STRICT, WITHOUT ROWID;
CREATE INDEX interaction_by_age ON interaction (expires_at);

-- Newest epoch of each device at each role, by which a copied or copied-back store shows.
CREATE TABLE epoch (
    device_id    BLOB    NOT NULL,
    role         INTEGER NOT NULL,
    thumbprint   BLOB    NOT NULL,              -- keys of the device that asked last
    certified_at INTEGER NOT NULL,              -- of the certificate that they asked with first
    current      BLOB    NOT NULL,
    predecessor  BLOB,                          -- none: the device had none before
    replaced_at  INTEGER NOT NULL,              -- when the current one was made
    older        BLOB,                          -- the predecessor's own predecessor
    older_until  INTEGER NOT NULL,              -- until when that may still be presented
    presented_at INTEGER,                       -- when it was first presented
    PRIMARY KEY (device_id, role)
) STRICT, WITHOUT ROWID;

-- Each time that a request presented another epoch than it could.
CREATE TABLE fork (
    device_id  BLOB    NOT NULL,
    thumbprint BLOB    NOT NULL,
    role       INTEGER NOT NULL,
    presented  BLOB,                            -- none: no epoch
    noticed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX fork_by_device ON fork (device_id, noticed_at);

-- Requests that were checked but not decided yet, so that they are not checked again when they come again.
CREATE TABLE known_exchange (
    thumbprint     BLOB    NOT NULL,
    transaction_id BLOB    NOT NULL,
    page           INTEGER NOT NULL,
    request_hash   BLOB    NOT NULL,
    seen_at        INTEGER NOT NULL,
    PRIMARY KEY (thumbprint, transaction_id, page, request_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX known_exchange_by_age ON known_exchange (seen_at);

-- Keys that took the place of these, which were the device's before; none while they are its keys.
ALTER TABLE device ADD COLUMN successor BLOB;
