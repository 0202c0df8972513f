-- What was taken back, and what waits: for devices in their mailboxes, for users on the page.

-- name: RULES
SELECT number, lid, kid, user_id, issued_before, device_id FROM revocation WHERE lid IS NULL ORDER BY number;

-- name: ORDERS_ABOUT
SELECT number, lid, kid, user_id, issued_before, device_id FROM revocation WHERE lid = $1 ORDER BY number;

-- name: ORDERS_HELD
SELECT number, lid, kid, user_id, issued_before, device_id FROM revocation
WHERE number IN (SELECT number FROM revocation_holder WHERE device_id = $1) ORDER BY number;

-- name: NEWEST_ORDER
SELECT max(number) FROM revocation;

-- name: INSERT_ORDER
INSERT INTO revocation (number, lid, kid, user_id, issued_before, device_id, reason) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: INSERT_HOLDER
INSERT INTO revocation_holder (device_id, number) VALUES ($1, $2);

-- name: BLOB
SELECT number, blob FROM revocation_blob WHERE device_id = $1;

-- name: PUT_BLOB
INSERT INTO revocation_blob (device_id, number, blob) VALUES ($1, $2, $3)
ON CONFLICT (device_id) DO UPDATE SET number = $2, blob = $3;

-- name: ASKER
SELECT device_id, signing_key FROM revocation_asker WHERE thumbprint = $1;

-- name: PUT_ASKER
INSERT INTO revocation_asker (thumbprint, device_id, signing_key, asked_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (thumbprint) DO UPDATE SET asked_at = $4;

-- name: ACKNOWLEDGED
SELECT number FROM acknowledgement WHERE device_id = $1;

-- name: PUT_ACKNOWLEDGEMENT
INSERT INTO acknowledgement (device_id, number, removed, taken_at, received_at, document) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (device_id) DO UPDATE SET number = $2, removed = $3, taken_at = $4, received_at = $5, document = $6;

-- name: NOTE_ACKNOWLEDGED
INSERT INTO acknowledged_license (lid, device_id, received_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- name: REVOKED_KEY
SELECT name, counts_from, revoked_at, reason FROM revoked_key WHERE kind = $1 AND key = $2;

-- name: PUT_REVOKED_KEY
INSERT INTO revoked_key (kind, key, name, counts_from, revoked_at, reason) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (kind, key) DO UPDATE SET name = $3, counts_from = $4, revoked_at = $5, reason = $6;

-- name: REVOKED
SELECT 0, thumbprint, hex(device_id), counts_from, revoked_at, reason FROM device WHERE revoked_at IS NOT NULL
UNION ALL SELECT kind, key, name, counts_from, revoked_at, reason FROM revoked_key ORDER BY 5 DESC, 2;

-- name: STATUS_LIST
SELECT number, list FROM status_list ORDER BY number DESC LIMIT 1;

-- name: INSERT_STATUS_LIST
INSERT INTO status_list (number, list) VALUES ($1, $2);

-- name: DEVICES_OF
SELECT device_id FROM license WHERE user_id = $1 UNION SELECT device_id FROM delivery WHERE user_id = $1
UNION SELECT recipient.device_id FROM recipient
JOIN exchange ON exchange.thumbprint = recipient.thumbprint WHERE exchange.account = $1;

-- name: RECIPIENTS_OF
SELECT thumbprint, device_id, certified_at, certificate FROM recipient WHERE device_id = $1;

-- name: RECIPIENT
SELECT thumbprint, device_id, certified_at, certificate FROM recipient WHERE thumbprint = $1;

-- name: PUT_RECIPIENT
INSERT INTO recipient (thumbprint, device_id, certified_at, certificate) VALUES ($1, $2, $3, $4)
ON CONFLICT (thumbprint) DO UPDATE SET certified_at = $3, certificate = $4;

-- name: LETTERS
SELECT answer FROM mailbox WHERE device_id = $1 AND made_at > $2 ORDER BY made_at, transaction_id LIMIT $3;

-- name: INSERT_LETTER
INSERT INTO mailbox (device_id, transaction_id, made_at, answer) VALUES ($1, $2, $3, $4);

-- name: DROP_LETTER
DELETE FROM mailbox WHERE device_id = $1 AND transaction_id = $2;

-- name: DROP_OLD_LETTERS
DELETE FROM mailbox WHERE made_at < $1;

-- name: INTERACTION
SELECT id, thumbprint, request_hash, account, device_id, application, kids, expires_at, decision, decided_for
FROM interaction WHERE id = $1;

-- name: INTERACTION_OF
SELECT id, thumbprint, request_hash, account, device_id, application, kids, expires_at, decision, decided_for
FROM interaction WHERE thumbprint = $1 AND transaction_id = $2 AND page = $3;

-- name: INSERT_INTERACTION
INSERT INTO interaction
    (id, thumbprint, transaction_id, page, request_hash, account, device_id, application, kids, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (thumbprint, transaction_id, page) DO NOTHING;

-- name: PUT_DECISION
UPDATE interaction SET decision = $1, decided_for = $2 WHERE id = $3;

-- name: FAILED_SIGN_INS
SELECT coalesce(sum(failures), 0) FROM interaction WHERE thumbprint = $1 AND expires_at > $2;

-- name: COUNT_FAILED_SIGN_IN
UPDATE interaction SET failures = failures + 1 WHERE id = $1;

-- name: DROP_INTERACTIONS
DELETE FROM interaction WHERE expires_at < $1;
