-- Licenses and the devices that hold them. What is asked for in lists comes as arrays, sorted by key where rows are written.

-- name: LICENSES
SELECT license.user_id, license.lid, license.terms, license.policy, license.withdrawn, license.returned_at, asked.at
FROM unnest($2, $3) WITH ORDINALITY AS asked (kid, user_id, at)
JOIN license ON license.device_id = $1 AND license.kid = asked.kid AND license.user_id = asked.user_id;

-- name: FIRST
SELECT license.user_id, license.lid, license.terms, license.policy, license.withdrawn, license.returned_at, asked.at
FROM unnest($1, $2) WITH ORDINALITY AS asked (kid, lid, at) JOIN seat ON seat.lid = asked.lid
JOIN license ON license.device_id = seat.device_id AND license.kid = asked.kid AND license.lid = seat.lid;

-- name: INSERT_LICENSES
INSERT INTO license (device_id, kid, user_id, lid, terms, policy, issued_at)
SELECT $1, kid, user_id, lid, terms, policy, $7 FROM unnest($2, $3, $4, $5, $6) AS new (kid, user_id, lid, terms, policy)
ON CONFLICT (device_id, kid, user_id) DO NOTHING;

-- name: REPLACE_LICENSES
UPDATE license SET lid = new.lid, terms = new.terms, policy = new.policy, issued_at = $8, withdrawn = NULL, returned_at = NULL
FROM unnest($2, $3, $4, $5, $6, $7) AS new (kid, user_id, lid, terms, policy, old)
WHERE license.device_id = $1 AND license.kid = new.kid AND license.user_id = new.user_id AND license.lid = new.old;

-- name: RETURN_LICENSES
UPDATE license SET returned_at = $4 FROM unnest($2, $3) AS own (kid, lid)
WHERE license.device_id = $1 AND license.kid = own.kid AND license.lid = own.lid;

-- name: WITHDRAW_LICENSES
UPDATE license SET withdrawn = coalesce(license.withdrawn, $4) FROM unnest($1, $2, $3) AS told (device_id, kid, lid)
WHERE license.device_id = told.device_id AND license.kid = told.kid AND license.lid = told.lid
RETURNING license.device_id, license.kid, license.lid;

-- What a device has from another one's backup is issued to whom the row of the first device says, where the license still stands
-- in it.

-- name: HELD_BEHIND
(SELECT license.kid AS kid, license.user_id AS user_id, license.lid AS lid, license.withdrawn, TRUE,
    content.kid IS NOT NULL OR subscription.kid IS NOT NULL, coalesce(content.scope, subscription.scope)
FROM license LEFT JOIN content ON content.kid = license.kid LEFT JOIN subscription ON subscription.kid = license.kid
WHERE license.device_id = $1 AND (license.kid, license.user_id, license.lid) > ($2, $3, $4) AND license.returned_at IS NULL
ORDER BY license.kid, license.user_id, license.lid LIMIT $5)
UNION ALL
(SELECT seat.kid AS kid, coalesce(first.user_id, '') AS user_id, seat.lid AS lid, seat.withdrawn, first.user_id IS NOT NULL,
    content.kid IS NOT NULL OR subscription.kid IS NOT NULL, coalesce(content.scope, subscription.scope)
FROM seat LEFT JOIN LATERAL (SELECT license.user_id FROM seat AS every JOIN license ON license.device_id = every.device_id
    WHERE every.lid = seat.lid AND license.kid = seat.kid AND license.lid = seat.lid LIMIT 1) AS first ON TRUE
LEFT JOIN content ON content.kid = seat.kid LEFT JOIN subscription ON subscription.kid = seat.kid
WHERE seat.device_id = $1 AND seat.kid >= $2 AND seat.restored AND seat.returned_at IS NULL
AND (seat.kid, coalesce(first.user_id, ''), seat.lid) > ($2, $3, $4)
ORDER BY seat.kid, coalesce(first.user_id, ''), seat.lid LIMIT $5)
ORDER BY kid, user_id, lid LIMIT $5;

-- name: HELD_FOR
SELECT license.kid AS kid, license.user_id AS user_id, license.lid AS lid, license.withdrawn, TRUE,
    content.kid IS NOT NULL OR subscription.kid IS NOT NULL, coalesce(content.scope, subscription.scope), asked.at AS at
FROM unnest($2) WITH ORDINALITY AS asked (kid, at) JOIN license ON license.device_id = $1 AND license.kid = asked.kid
LEFT JOIN content ON content.kid = license.kid LEFT JOIN subscription ON subscription.kid = license.kid
WHERE license.returned_at IS NULL
UNION ALL
SELECT seat.kid AS kid, coalesce(first.user_id, '') AS user_id, seat.lid AS lid, seat.withdrawn, first.user_id IS NOT NULL,
    content.kid IS NOT NULL OR subscription.kid IS NOT NULL, coalesce(content.scope, subscription.scope), asked.at AS at
FROM unnest($2) WITH ORDINALITY AS asked (kid, at)
JOIN seat ON seat.device_id = $1 AND seat.kid = asked.kid AND seat.restored
LEFT JOIN LATERAL (SELECT license.user_id FROM seat AS every JOIN license ON license.device_id = every.device_id
    WHERE every.lid = seat.lid AND license.kid = seat.kid AND license.lid = seat.lid LIMIT 1) AS first ON TRUE
LEFT JOIN content ON content.kid = seat.kid LEFT JOIN subscription ON subscription.kid = seat.kid
WHERE seat.returned_at IS NULL
ORDER BY at, user_id, lid;

-- name: SEATS
SELECT lid, device_id, kid, restored, elsewhere, since, line, returned_at, freed, withdrawn FROM seat
WHERE lid = ANY($1) ORDER BY lid, device_id;

-- name: LOCK_SEATS
SELECT lid, device_id, kid, restored, elsewhere, since, line, returned_at, freed, withdrawn FROM seat
WHERE lid = ANY($1) ORDER BY lid, device_id FOR UPDATE;

-- name: SEATS_OF
SELECT lid, device_id, kid, restored, elsewhere, since, line, returned_at, freed, withdrawn FROM seat
WHERE lid = ANY($1) AND device_id = $2 ORDER BY lid;

-- name: LOCK_SEATS_OF
SELECT lid, device_id, kid, restored, elsewhere, since, line, returned_at, freed, withdrawn FROM seat
WHERE lid = ANY($1) AND device_id = $2 ORDER BY lid FOR UPDATE;

-- name: INSERT_SEATS
INSERT INTO seat (lid, device_id, kid, restored, elsewhere, since, line, returned_at, freed, withdrawn)
SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: UPDATE_SEATS
UPDATE seat SET kid = new.kid, restored = new.restored, elsewhere = new.elsewhere, since = new.since, line = new.line,
    returned_at = new.returned_at, freed = new.freed, withdrawn = new.withdrawn
FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    AS new (lid, device_id, kid, restored, elsewhere, since, line, returned_at, freed, withdrawn)
WHERE seat.lid = new.lid AND seat.device_id = new.device_id;

-- name: WITHDRAW_SEATS
UPDATE seat SET withdrawn = coalesce(seat.withdrawn, $3) FROM unnest($1, $2) AS told (lid, device_id)
WHERE seat.lid = told.lid AND seat.device_id = told.device_id;

-- name: FREED
SELECT lid, count(*) FROM freed_seat WHERE lid = ANY($1) AND freed_at > $2 GROUP BY lid;

-- name: INSERT_FREED
INSERT INTO freed_seat (lid, device_id, freed_at) SELECT lid, device_id, $3 FROM unnest($1, $2) AS new (lid, device_id);

-- name: STATES
SELECT lid, state FROM license_state WHERE lid = ANY($1) ORDER BY lid;

-- name: LOCK_STATES
SELECT lid, state FROM license_state WHERE lid = ANY($1) ORDER BY lid FOR UPDATE;

-- name: PUT_STATES
INSERT INTO license_state (lid, state) SELECT * FROM unnest($1, $2)
ON CONFLICT (lid) DO UPDATE SET state = excluded.state;

-- name: AGAIN
SELECT line, lid, granted_at FROM granted_again WHERE device_id = $1 AND line = ANY($2) AND granted_at > $3
ORDER BY line, granted_at;

-- name: INSERT_AGAIN
INSERT INTO granted_again (device_id, line, lid, granted_at, state)
SELECT $1, line, lid, granted_at, state FROM unnest($2, $3, $4, $5) AS new (line, lid, granted_at, state);
