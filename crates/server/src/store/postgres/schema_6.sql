-- Schema 6, made from schema 5.

CREATE TABLE use_ledger (
    grant_id  bytea NOT NULL,
    kid       bytea NOT NULL,
    action    text COLLATE "C" NOT NULL,
    device_id bytea NOT NULL,
    lid       bytea NOT NULL,
    given     bigint NOT NULL,
    used      bigint NOT NULL,
    first_use bigint,
    PRIMARY KEY (grant_id, kid, action, device_id)
);
CREATE INDEX use_ledger_by_device ON use_ledger (device_id, lid);
