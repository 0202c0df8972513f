-- Schema 13, made from schema 12.

-- Uses that belong to an account, by the device that has them.
CREATE TABLE use_ledger (
    grant_id  BLOB    NOT NULL,
    kid       BLOB    NOT NULL,
    action    TEXT    NOT NULL,
    device_id BLOB    NOT NULL,
    lid       BLOB    NOT NULL,                 -- in which it has them
    given     INTEGER NOT NULL,                 -- handed out and not come back; 0 where uses are not counted
    used      INTEGER NOT NULL,                 -- of these, as the device reported
    first_use INTEGER,
    PRIMARY KEY (grant_id, kid, action, device_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX use_ledger_by_device ON use_ledger (device_id, lid);
