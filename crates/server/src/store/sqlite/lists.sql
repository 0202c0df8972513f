-- Pages of everything. The first page is that behind keys which sort before all others.

-- name: CONTENTS
SELECT kid, title, policy, scope FROM content WHERE kid > $1 ORDER BY kid LIMIT $2;

-- name: SUBSCRIPTIONS
SELECT name, kid, policy, scope, (SELECT count(*) FROM content JOIN policy AS terms ON terms.name = content.policy
    WHERE terms.subscription = subscription.name)
FROM subscription WHERE name > $1 ORDER BY name LIMIT $2;

-- name: POLICIES
SELECT name, changed_at FROM policy WHERE name > $1 ORDER BY name LIMIT $2;

-- name: LICENSES
SELECT license.lid, license.kid, content.title, license.device_id, account.name, license.issued_at, license.returned_at,
    (SELECT count(*) FROM seat WHERE seat.lid = license.lid AND NOT seat.freed),
    (SELECT received_at FROM acknowledged_license AS word
        WHERE word.lid = license.lid AND word.device_id = license.device_id),
    license.policy
FROM (SELECT device_id, kid, user_id FROM license
    WHERE issued_at < $1 OR (issued_at = $1 AND (lid, device_id) > ($2, $3))
    ORDER BY issued_at DESC, lid, device_id LIMIT $4) AS page
JOIN license ON license.device_id = page.device_id AND license.kid = page.kid AND license.user_id = page.user_id
LEFT JOIN content ON content.kid = license.kid LEFT JOIN account ON account.user_id = license.user_id
ORDER BY license.issued_at DESC, license.lid, license.device_id;

-- name: RESTORES
SELECT seat.lid, seat.kid, content.title, seat.device_id, seat.since,
    (SELECT count(*) FROM seat AS every WHERE every.lid = seat.lid AND NOT every.freed)
FROM (SELECT lid, device_id FROM seat
    WHERE restored = 1 AND (since < $1 OR (since = $1 AND (lid, device_id) > ($2, $3)))
    ORDER BY since DESC, lid, device_id LIMIT $4) AS page
JOIN seat ON seat.lid = page.lid AND seat.device_id = page.device_id
LEFT JOIN content ON content.kid = seat.kid
ORDER BY seat.since DESC, seat.lid, seat.device_id;

-- name: DEVICES
SELECT device_id, thumbprint, name, created_at, certified_at, security_version, revoked_at, reason,
    (SELECT count(*) FROM fork WHERE fork.device_id = device.device_id),
    (SELECT max(noticed_at) FROM fork WHERE fork.device_id = device.device_id)
FROM device WHERE successor IS NULL
AND (created_at < $1 OR (created_at = $1 AND (device_id, thumbprint) > ($2, $3)))
ORDER BY created_at DESC, device_id, thumbprint LIMIT $4;

-- name: ORDERS
SELECT number, reason, (SELECT name FROM account WHERE account.user_id = revocation.user_id),
    (SELECT count(*) FROM revocation_holder AS holder WHERE holder.number = revocation.number),
    (SELECT count(*) FROM acknowledgement WHERE acknowledgement.number >= revocation.number
        AND (revocation.lid IS NULL OR EXISTS (SELECT 1 FROM revocation_holder AS holder
            WHERE holder.number = revocation.number AND holder.device_id = acknowledgement.device_id))),
    lid, kid, user_id, issued_before, device_id
FROM revocation WHERE number < $1 ORDER BY number DESC LIMIT $2;

-- name: ANY_LICENSES
SELECT device_id, kid, user_id, lid, policy FROM license
WHERE (device_id, kid, user_id) > ($1, $2, $3) ORDER BY device_id, kid, user_id LIMIT $4;

-- name: RESTORED_SEATS
SELECT seat.lid, seat.device_id, license.policy FROM seat
JOIN license ON license.device_id IN (SELECT device_id FROM seat AS every WHERE every.lid = seat.lid)
    AND license.kid = seat.kid AND license.lid = seat.lid
WHERE seat.restored = 1 AND (seat.lid, seat.device_id) > ($1, $2) ORDER BY seat.lid, seat.device_id LIMIT $3;

-- name: COUNTS
SELECT (SELECT count(*) FROM content), (SELECT count(*) FROM policy), (SELECT count(*) FROM account),
    (SELECT count(*) FROM device WHERE successor IS NULL), (SELECT count(*) FROM license),
    (SELECT count(*) FROM revocation), (SELECT count(*) FROM acknowledgement), (SELECT count(*) FROM exchange),
    (SELECT count(*) FROM seat WHERE restored = 1);
