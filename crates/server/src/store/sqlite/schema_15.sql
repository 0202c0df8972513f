-- Schema 15, made from schema 14.

-- Devices that have licenses under a grant of an account.
CREATE TABLE grant_device (
    grant_id  BLOB    NOT NULL,
    device_id BLOB    NOT NULL,
    user_id   BLOB    NOT NULL,
    since     INTEGER NOT NULL,
    PRIMARY KEY (grant_id, device_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX grant_device_by_device ON grant_device (device_id, user_id);
-- Uses that are out say which devices have some of a grant already.
INSERT INTO grant_device (grant_id, device_id, user_id, since)
SELECT DISTINCT use_ledger.grant_id, use_ledger.device_id, account_grant.user_id, account_grant.created_at
FROM use_ledger JOIN account_grant ON account_grant.id = use_ledger.grant_id WHERE use_ledger.given > use_ledger.used;
