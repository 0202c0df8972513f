-- Schema 6, made from schema 5.

-- Devices that this service heard of, with the certificate to whose keys licenses that nobody asked for are sealed.
CREATE TABLE recipient (
    thumbprint   BLOB    NOT NULL PRIMARY KEY,
    device_id    BLOB    NOT NULL,
    certified_at INTEGER NOT NULL,              -- of two keys of a device the later certified are the device's
    certificate  BLOB    NOT NULL
) STRICT;
CREATE INDEX recipient_by_device ON recipient (device_id, certified_at);

-- Answers that nobody asked for, until the device says that it took them or they are too old to be taken.
CREATE TABLE mailbox (
    device_id      BLOB    NOT NULL,
    transaction_id BLOB    NOT NULL,
    made_at        INTEGER NOT NULL,
    answer         BLOB    NOT NULL,
    PRIMARY KEY (device_id, transaction_id)
) STRICT;
CREATE INDEX mailbox_by_age ON mailbox (made_at);
