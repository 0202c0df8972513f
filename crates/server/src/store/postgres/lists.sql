-- Pages of everything. The first page is that behind keys which sort before all others.

-- name: CONTENTS
SELECT kid, title, policy, scope FROM content
WHERE kid > $1 AND ($2 IS NULL OR kid = $2) AND ($3 IS NULL OR strpos(lower(title), lower($3 COLLATE "C")) > 0)
AND ($4 IS NULL OR scope = $4)
AND ($5 IS NULL OR scope IS NULL OR scope IN (SELECT account_scope.scope FROM account_scope
    JOIN account ON account.user_id = account_scope.user_id WHERE account.name = $5 AND account.removed_at IS NULL))
AND ($6 IS NULL OR EXISTS (SELECT 1 FROM license WHERE license.device_id = $6 AND license.kid = content.kid)
    OR EXISTS (SELECT 1 FROM seat WHERE seat.device_id = $6 AND seat.kid = content.kid AND seat.restored)
    OR content.kid = ANY($7))
AND added_at >= $8 AND added_at < $9
ORDER BY kid LIMIT $10;

-- name: ACCOUNTS
SELECT user_id, name, created_at, removed_at FROM account
WHERE (name, user_id) > ($1, $2) AND ($3 IS NULL OR name = $3)
AND ($4 IS NULL OR EXISTS (SELECT 1 FROM account_scope
    WHERE account_scope.user_id = account.user_id AND account_scope.scope = $4))
AND ($5 IS NULL OR EXISTS (SELECT 1 FROM license
    WHERE license.device_id = $5 AND license.user_id = account.user_id)
    OR EXISTS (SELECT 1 FROM delivery WHERE delivery.device_id = $5 AND delivery.user_id = account.user_id))
AND created_at >= $6 AND created_at < $7 AND (removed_at IS NULL OR $8)
ORDER BY name, user_id LIMIT $9;

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
    WHERE (issued_at < $1 OR (issued_at = $1 AND (lid, device_id) > ($2, $3)))
    AND ($4 IS NULL OR device_id = $4) AND ($5 IS NULL OR kid = $5)
    AND ($6 IS NULL OR user_id IN (SELECT user_id FROM account WHERE name = $6))
    AND ($7 IS NULL OR kid IN (SELECT kid FROM content WHERE strpos(lower(title), lower($7 COLLATE "C")) > 0))
    AND issued_at >= $8 AND issued_at < $9
    ORDER BY issued_at DESC, lid, device_id LIMIT $10) AS page
JOIN license ON license.device_id = page.device_id AND license.kid = page.kid AND license.user_id = page.user_id
LEFT JOIN content ON content.kid = license.kid LEFT JOIN account ON account.user_id = license.user_id
ORDER BY license.issued_at DESC, license.lid, license.device_id;

-- Whose license was restored says the row of the first device, where it still stands in it.

-- name: RESTORES
SELECT seat.lid, seat.kid, content.title, seat.device_id, seat.since,
    (SELECT count(*) FROM seat AS every WHERE every.lid = seat.lid AND NOT every.freed), account.name
FROM (SELECT lid, device_id FROM seat
    WHERE restored AND (since < $1 OR (since = $1 AND (lid, device_id) > ($2, $3)))
    AND ($4 IS NULL OR device_id = $4) AND ($5 IS NULL OR kid = $5)
    AND ($6 IS NULL OR EXISTS (SELECT 1 FROM seat AS every JOIN license ON license.device_id = every.device_id
        JOIN account ON account.user_id = license.user_id
        WHERE every.lid = seat.lid AND license.kid = seat.kid AND license.lid = seat.lid AND account.name = $6))
    AND ($7 IS NULL OR kid IN (SELECT kid FROM content WHERE strpos(lower(title), lower($7 COLLATE "C")) > 0))
    AND since >= $8 AND since < $9
    ORDER BY since DESC, lid, device_id LIMIT $10) AS page
JOIN seat ON seat.lid = page.lid AND seat.device_id = page.device_id
LEFT JOIN content ON content.kid = seat.kid
LEFT JOIN LATERAL (SELECT license.user_id FROM seat AS every JOIN license ON license.device_id = every.device_id
    WHERE every.lid = seat.lid AND license.kid = seat.kid AND license.lid = seat.lid LIMIT 1) AS license ON TRUE
LEFT JOIN account ON account.user_id = license.user_id
ORDER BY seat.since DESC, seat.lid, seat.device_id;

-- The accounts of a device are those that its licenses were issued to, and those that its present keys asked for.

-- name: DEVICES
SELECT device_id, thumbprint, name, created_at, certified_at, security_version, revoked_at, reason,
    (SELECT count(*) FROM fork WHERE fork.device_id = device.device_id),
    (SELECT max(noticed_at) FROM fork WHERE fork.device_id = device.device_id),
    (SELECT string_agg(account.name, chr(10)) FROM account WHERE account.user_id IN (
        SELECT license.user_id FROM license WHERE license.device_id = device.device_id
        UNION SELECT delivery.user_id FROM delivery WHERE delivery.device_id = device.device_id
        UNION SELECT exchange.account FROM exchange WHERE exchange.thumbprint = device.thumbprint))
FROM device WHERE successor IS NULL
AND (created_at < $1 OR (created_at = $1 AND (device_id, thumbprint) > ($2, $3)))
AND ($4 IS NULL OR device_id = $4)
AND ($5 IS NULL OR EXISTS (SELECT 1 FROM license WHERE license.device_id = device.device_id AND license.kid = $5)
    OR EXISTS (SELECT 1 FROM seat WHERE seat.device_id = device.device_id AND seat.kid = $5 AND seat.restored)
    OR EXISTS (SELECT 1 FROM delivery WHERE delivery.device_id = device.device_id
        AND delivery.page = ANY($6)))
AND ($7 IS NULL OR EXISTS (SELECT 1 FROM account WHERE account.name = $7 AND account.user_id IN (
    SELECT license.user_id FROM license WHERE license.device_id = device.device_id
    UNION SELECT delivery.user_id FROM delivery WHERE delivery.device_id = device.device_id
    UNION SELECT exchange.account FROM exchange WHERE exchange.thumbprint = device.thumbprint)))
AND created_at >= $8 AND created_at < $9
ORDER BY created_at DESC, device_id, thumbprint LIMIT $10;

-- name: AUDIT
SELECT done_at, id, who, act, about, was, became FROM audit
WHERE (done_at, id) < ($1, $2) AND ($3 IS NULL OR who = $3) AND ($4 IS NULL OR act = $4 OR starts_with(act, $4 || ' '))
AND ($5 IS NULL OR strpos(lower(about), lower($5 COLLATE "C")) > 0) AND done_at >= $6 AND done_at < $7
ORDER BY done_at DESC, id DESC LIMIT $8;

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
JOIN LATERAL (SELECT license.policy FROM seat AS every JOIN license ON license.device_id = every.device_id
    WHERE every.lid = seat.lid AND license.kid = seat.kid AND license.lid = seat.lid LIMIT 1) AS license ON TRUE
WHERE seat.restored AND (seat.lid, seat.device_id) > ($1, $2) ORDER BY seat.lid, seat.device_id LIMIT $3;

-- name: COUNTS
SELECT (SELECT count(*) FROM content), (SELECT count(*) FROM policy), (SELECT count(*) FROM account WHERE removed_at IS NULL),
    (SELECT count(*) FROM device WHERE successor IS NULL), (SELECT count(*) FROM license) + (SELECT coalesce(sum(live), 0)::bigint FROM delivery),
    (SELECT count(*) FROM revocation), (SELECT count(*) FROM acknowledgement), (SELECT count(*) FROM exchange),
    (SELECT count(*) FROM seat WHERE restored);
