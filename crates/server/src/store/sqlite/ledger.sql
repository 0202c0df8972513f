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
