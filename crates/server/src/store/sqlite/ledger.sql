-- Uses that belong to accounts.

-- name: LEDGER
SELECT grant_id, kid, action, device_id, lid, given, used, first_use FROM use_ledger
WHERE grant_id = $1 AND kid = $2 ORDER BY action, device_id;

-- name: LEDGER_HELD
SELECT grant_id, kid, action, device_id, lid, given, used, first_use FROM use_ledger WHERE device_id = $1 AND lid = $2
ORDER BY grant_id, kid, action;

-- name: LEDGER_OF
SELECT grant_id, kid, action, device_id, lid, given, used, first_use FROM use_ledger WHERE device_id = $1
ORDER BY grant_id, kid, action;

-- name: HAS_LEDGER
SELECT 1 FROM use_ledger WHERE grant_id = $1;

-- name: PUT_LEDGER
INSERT INTO use_ledger (grant_id, kid, action, device_id, lid, given, used, first_use) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (grant_id, kid, action, device_id) DO UPDATE SET lid = $5, given = $6, used = $7, first_use = $8;

-- name: GRANT_DEVICES
SELECT grant_id, device_id, user_id, since FROM grant_device WHERE grant_id = $1 ORDER BY device_id;

-- name: GRANTS_ON
SELECT grant_id, device_id, user_id, since FROM grant_device WHERE device_id = $1 ORDER BY grant_id;

-- name: INSERT_GRANT_DEVICE
INSERT INTO grant_device (grant_id, device_id, user_id, since) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING;

-- name: REMOVE_GRANT_DEVICES
DELETE FROM grant_device WHERE device_id = $1 AND user_id = $2;

-- name: HAS_LICENSES
SELECT 1 FROM license WHERE device_id = $1 AND user_id = $2 AND withdrawn IS NULL AND returned_at IS NULL
UNION ALL
SELECT 1 FROM delivery WHERE device_id = $1 AND user_id = $2 AND live > 0 AND withdrawn IS NULL
UNION ALL
SELECT 1 FROM seat JOIN license ON license.lid = seat.lid
WHERE seat.device_id = $1 AND seat.restored = 1 AND seat.returned_at IS NULL AND seat.withdrawn IS NULL AND license.user_id = $2
LIMIT 1;
