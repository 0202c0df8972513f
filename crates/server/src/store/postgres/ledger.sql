-- Uses that belong to accounts. Those of a grant are changed under the guard of its ID.

-- name: LEDGER
SELECT grant_id, kid, action, device_id, lid, given, used, first_use FROM use_ledger
WHERE grant_id = ANY($1) AND kid = ANY($2) ORDER BY grant_id, kid, action, device_id;

-- name: LEDGER_HELD
SELECT grant_id, kid, action, device_id, lid, given, used, first_use FROM use_ledger WHERE device_id = $1 AND lid = ANY($2)
ORDER BY grant_id, kid, action;

-- name: LEDGER_OF
SELECT grant_id, kid, action, device_id, lid, given, used, first_use FROM use_ledger WHERE device_id = $1
ORDER BY grant_id, kid, action;

-- name: PUT_LEDGER
INSERT INTO use_ledger (grant_id, kid, action, device_id, lid, given, used, first_use)
SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (grant_id, kid, action, device_id) DO UPDATE SET lid = excluded.lid, given = excluded.given, used = excluded.used,
    first_use = excluded.first_use;
