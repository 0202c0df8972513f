-- Schema 3, made from schema 2.

-- The first license of those that took the place of each other on this device; none where it is this one. What a year limits is
-- limited for all of them together, so that neither other terms nor a return open it again.
ALTER TABLE seat ADD COLUMN line BLOB;

-- Each time that a license with a state went to a device that had it and did not tell that it still has it. The first time is
-- the seat.
CREATE TABLE granted_again (
    device_id  BLOB    NOT NULL,
    line       BLOB    NOT NULL,
    lid        BLOB    NOT NULL,
    granted_at INTEGER NOT NULL,
    state      BLOB    NOT NULL                 -- what was handed out
) STRICT;
CREATE INDEX granted_again_by_line ON granted_again (device_id, line, granted_at);

-- Each time that a device presented the epoch before its newest one so late that it seems not to know the newest.
CREATE TABLE late_epoch (
    device_id  BLOB    NOT NULL,
    thumbprint BLOB    NOT NULL,
    role       INTEGER NOT NULL,
    noticed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX late_epoch_by_device ON late_epoch (device_id, noticed_at);
CREATE INDEX late_epoch_by_age ON late_epoch (noticed_at);
