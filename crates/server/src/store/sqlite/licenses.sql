-- Licenses and the devices that hold them.

-- name: LICENSE
SELECT user_id, lid, terms, policy, withdrawn, returned_at FROM license
WHERE device_id = $1 AND kid = $2 AND user_id = $3;

-- name: FIRST
SELECT license.user_id, license.lid, license.terms, license.policy, license.withdrawn, license.returned_at
FROM seat JOIN license ON license.device_id = seat.device_id AND license.kid = $1 AND license.lid = seat.lid
WHERE seat.lid = $2;

-- name: INSERT_LICENSE
INSERT INTO license (device_id, kid, user_id, lid, terms, policy, issued_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (device_id, kid, user_id) DO NOTHING;

-- name: REPLACE_LICENSE
UPDATE license SET lid = $1, terms = $2, policy = $3, issued_at = $4, withdrawn = NULL, returned_at = NULL
WHERE device_id = $5 AND kid = $6 AND user_id = $7 AND lid = $8;

-- name: RETURN_LICENSE
UPDATE license SET returned_at = $1 WHERE device_id = $2 AND kid = $3 AND lid = $4;

-- name: WITHDRAW_LICENSE
UPDATE license SET withdrawn = coalesce(withdrawn, $1) WHERE device_id = $2 AND kid = $3 AND lid = $4;

-- What a device has from another one's backup is issued to whom the row of the first device says, where the license still stands
-- in it.

-- name: HELD_BEHIND
SELECT license.kid AS kid, license.user_id AS user_id, license.lid AS lid, license.withdrawn, TRUE,
    content.kid IS NOT NULL OR subscription.kid IS NOT NULL, coalesce(content.scope, subscription.scope)
FROM license LEFT JOIN content ON content.kid = license.kid LEFT JOIN subscription ON subscription.kid = license.kid
WHERE license.device_id = $1 AND (license.kid, license.user_id, license.lid) > ($2, $3, $4) AND license.returned_at IS NULL
UNION ALL
SELECT seat.kid, coalesce(license.user_id, $5), seat.lid, seat.withdrawn, license.user_id IS NOT NULL,
    content.kid IS NOT NULL OR subscription.kid IS NOT NULL, coalesce(content.scope, subscription.scope)
FROM seat LEFT JOIN license ON license.device_id IN (SELECT device_id FROM seat AS every WHERE every.lid = seat.lid)
    AND license.kid = seat.kid AND license.lid = seat.lid
LEFT JOIN content ON content.kid = seat.kid LEFT JOIN subscription ON subscription.kid = seat.kid
WHERE seat.device_id = $1 AND seat.restored = 1 AND seat.returned_at IS NULL
AND (seat.kid, coalesce(license.user_id, $5), seat.lid) > ($2, $3, $4)
ORDER BY kid, user_id, lid LIMIT $6;

-- name: HELD_FOR
SELECT license.kid AS kid, license.user_id AS user_id, license.lid AS lid, license.withdrawn, TRUE,
    content.kid IS NOT NULL OR subscription.kid IS NOT NULL, coalesce(content.scope, subscription.scope)
FROM license LEFT JOIN content ON content.kid = license.kid LEFT JOIN subscription ON subscription.kid = license.kid
WHERE license.device_id = $1 AND license.kid = $2 AND license.returned_at IS NULL
UNION ALL
SELECT seat.kid, coalesce(license.user_id, $3), seat.lid, seat.withdrawn, license.user_id IS NOT NULL,
    content.kid IS NOT NULL OR subscription.kid IS NOT NULL, coalesce(content.scope, subscription.scope)
FROM seat LEFT JOIN license ON license.device_id IN (SELECT device_id FROM seat AS every WHERE every.lid = seat.lid)
    AND license.kid = seat.kid AND license.lid = seat.lid
LEFT JOIN content ON content.kid = seat.kid LEFT JOIN subscription ON subscription.kid = seat.kid
WHERE seat.device_id = $1 AND seat.kid = $2 AND seat.restored = 1 AND seat.returned_at IS NULL
ORDER BY kid, user_id, lid;

-- name: SEATS
SELECT lid, device_id, kid, restored, elsewhere, since, line, returned_at, freed, withdrawn FROM seat
WHERE lid = $1 ORDER BY device_id;

-- name: SEAT_OF
SELECT lid, device_id, kid, restored, elsewhere, since, line, returned_at, freed, withdrawn FROM seat
WHERE lid = $1 AND device_id = $2;

-- name: INSERT_SEAT
INSERT INTO seat (lid, device_id, kid, restored, elsewhere, since, line, returned_at, freed, withdrawn)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: UPDATE_SEAT
UPDATE seat SET kid = $1, restored = $2, elsewhere = $3, since = $4, line = $5, returned_at = $6, freed = $7, withdrawn = $8
WHERE lid = $9 AND device_id = $10;

-- name: WITHDRAW_SEAT
UPDATE seat SET withdrawn = coalesce(withdrawn, $1) WHERE lid = $2 AND device_id = $3;

-- name: FREED
SELECT count(*) FROM freed_seat WHERE lid = $1 AND freed_at > $2;

-- name: INSERT_FREED
INSERT INTO freed_seat (lid, device_id, freed_at) VALUES ($1, $2, $3);

-- name: STATE
SELECT state FROM license_state WHERE lid = $1;

-- name: PUT_STATE
INSERT INTO license_state (lid, state) VALUES ($1, $2) ON CONFLICT (lid) DO UPDATE SET state = $2;

-- name: AGAIN
SELECT lid, granted_at FROM granted_again WHERE device_id = $1 AND line = $2 AND granted_at > $3;

-- name: INSERT_AGAIN
INSERT INTO granted_again (device_id, line, lid, granted_at, state) VALUES ($1, $2, $3, $4, $5);
