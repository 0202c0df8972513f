-- Schema 8, made from schema 7.

CREATE TABLE grant_device (
    grant_id  bytea NOT NULL,
    device_id bytea NOT NULL,
    user_id   bytea NOT NULL,
    since     bigint NOT NULL,
    PRIMARY KEY (grant_id, device_id)
);
CREATE INDEX grant_device_by_device ON grant_device (device_id, user_id);
INSERT INTO grant_device (grant_id, device_id, user_id, since)
SELECT DISTINCT use_ledger.grant_id, use_ledger.device_id, account_grant.user_id, account_grant.created_at
FROM use_ledger JOIN account_grant ON account_grant.id = use_ledger.grant_id WHERE use_ledger.given > use_ledger.used;
