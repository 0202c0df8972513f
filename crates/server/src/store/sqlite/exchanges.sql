-- Requests that were answered or checked, epochs, devices.

-- name: FIND
SELECT request_hash, account, answered_at, kept, answer FROM exchange
WHERE thumbprint = $1 AND transaction_id = $2 AND page = $3;

-- name: CLAIM
INSERT INTO exchange (thumbprint, transaction_id, page, request_hash, account, answered_at, kept, answer)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING;

-- name: RELEASE
DELETE FROM exchange WHERE thumbprint = $1 AND transaction_id = $2 AND page = $3;

-- name: CHECKED
SELECT 1 FROM known_exchange WHERE thumbprint = $1 AND transaction_id = $2 AND page = $3 AND request_hash = $4;

-- name: NOTE
INSERT INTO known_exchange (thumbprint, transaction_id, page, request_hash, seen_at)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING;

-- name: DROP_ANSWERS
UPDATE exchange SET kept = 2, answer = NULL WHERE kept = 1 AND answered_at < $1;

-- name: DROP_CHECKED
DELETE FROM known_exchange WHERE seen_at < $1;

-- name: EPOCHS
SELECT role, thumbprint, certified_at, current, predecessor, replaced_at, presented_at, older, older_until
FROM epoch WHERE device_id = $1;

-- name: PUT_EPOCHS
INSERT INTO epoch
    (device_id, role, thumbprint, certified_at, current, predecessor, replaced_at, presented_at, older, older_until)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (device_id, role) DO UPDATE SET thumbprint = $3, certified_at = $4, current = $5, predecessor = $6,
    replaced_at = $7, presented_at = $8, older = $9, older_until = $10;

-- name: FORKS
SELECT role, count(*) FROM fork WHERE device_id = $1 AND thumbprint = $2 AND noticed_at > $3 GROUP BY role;

-- name: HAS_FORK
SELECT 1 FROM fork WHERE device_id = $1 AND thumbprint = $2 AND role = $3
AND presented IS NOT DISTINCT FROM $4 AND noticed_at > $5;

-- name: LAST_FORK
SELECT max(noticed_at) FROM fork WHERE device_id = $1;

-- name: INSERT_FORK
INSERT INTO fork (device_id, thumbprint, role, presented, noticed_at) VALUES ($1, $2, $3, $4, $5);

-- name: LATE
SELECT count(*), max(noticed_at) FROM late_epoch
WHERE device_id = $1 AND thumbprint = $2 AND role = $3 AND noticed_at > $4;

-- name: INSERT_LATE
INSERT INTO late_epoch (device_id, thumbprint, role, noticed_at) VALUES ($1, $2, $3, $4);

-- name: DROP_LATE
DELETE FROM late_epoch WHERE noticed_at < $1;

-- name: KEYS
SELECT thumbprint, device_id, security_version, assurance, created_at, certified_at, revoked_at, successor, counts_from,
    reason FROM device WHERE thumbprint = $1;

-- name: KEYS_OF
SELECT thumbprint, device_id, security_version, assurance, created_at, certified_at, revoked_at, successor, counts_from,
    reason FROM device WHERE device_id = $1 ORDER BY thumbprint;

-- name: PUT_KEYS
INSERT INTO device
    (thumbprint, device_id, security_version, assurance, created_at, certified_at, revoked_at, successor, counts_from, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (thumbprint) DO UPDATE SET device_id = $2, security_version = $3, assurance = $4, created_at = $5,
    certified_at = $6, revoked_at = $7, successor = $8, counts_from = $9, reason = $10;

-- name: DEVICES_BEHIND
SELECT DISTINCT device_id FROM device WHERE device_id > $1 ORDER BY device_id LIMIT $2;

-- name: HAS_TRACES
SELECT 1 WHERE EXISTS (SELECT 1 FROM license WHERE device_id = $1)
OR EXISTS (SELECT 1 FROM delivery WHERE device_id = $1)
OR EXISTS (SELECT 1 FROM seat WHERE device_id = $1 AND restored = 1)
OR EXISTS (SELECT 1 FROM mailbox WHERE device_id = $1)
OR EXISTS (SELECT 1 FROM fork WHERE device_id = $1)
OR EXISTS (SELECT 1 FROM revocation_holder WHERE device_id = $1)
OR EXISTS (SELECT 1 FROM acknowledgement WHERE device_id = $1);

-- name: FORGET_ANSWERS
DELETE FROM exchange WHERE thumbprint IN (SELECT thumbprint FROM device WHERE device_id = $1);

-- name: FORGET_CHECKED
DELETE FROM known_exchange WHERE thumbprint IN (SELECT thumbprint FROM device WHERE device_id = $1);

-- name: FORGET_ASKER
DELETE FROM revocation_asker WHERE thumbprint IN (SELECT thumbprint FROM device WHERE device_id = $1);

-- name: FORGET_RECIPIENT
DELETE FROM recipient WHERE device_id = $1;

-- name: FORGET_EPOCHS
DELETE FROM epoch WHERE device_id = $1;

-- name: FORGET_LATE
DELETE FROM late_epoch WHERE device_id = $1;

-- name: FORGET_KEYS
DELETE FROM device WHERE device_id = $1;

-- name: REVOKED
SELECT 1 FROM device WHERE device_id = $1 AND revoked_at IS NOT NULL;

-- name: CALL
UPDATE device SET name = $1 WHERE device_id = $2 AND name IS DISTINCT FROM $1;
