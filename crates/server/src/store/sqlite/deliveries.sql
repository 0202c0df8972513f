-- Licenses that were delivered many at once.

-- name: COUNT
SELECT count(*) FROM delivery WHERE device_id = $1;

-- name: OF_DEVICE
SELECT device_id, id, user_id, scope, issued_at, mark, page, first_kid, last_kid, count, live, gone, withdrawn FROM delivery
WHERE device_id = $1 ORDER BY id;

-- name: DELIVERY
SELECT device_id, id, user_id, scope, issued_at, mark, page, first_kid, last_kid, count, live, gone, withdrawn FROM delivery WHERE id = $1;

-- name: DELIVERIES_BEHIND
SELECT device_id, id, user_id, scope, issued_at, mark, page, first_kid, last_kid, count, live, gone, withdrawn FROM delivery
WHERE id > $1 ORDER BY id LIMIT $2;

-- name: INSERT_DELIVERY
INSERT INTO delivery (device_id, id, user_id, scope, issued_at, mark, page, first_kid, last_kid, count, live, gone, withdrawn)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13);

-- name: PUT_GONE
UPDATE delivery SET live = $1, gone = $2 WHERE device_id = $3 AND id = $4;

-- name: WITHDRAW_DELIVERY
UPDATE delivery SET withdrawn = coalesce(withdrawn, $1) WHERE id = $2;

-- name: PAGE
SELECT hash, kids, about FROM delivery_page WHERE hash = $1;

-- name: INSERT_PAGE
INSERT INTO delivery_page (hash, kids, about) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- name: PAGES_WITH
SELECT hash, kids FROM delivery_page WHERE instr(kids, $1) > 0;

-- name: NOTE_LEFT
INSERT INTO content_removed (scope, mark, kid) VALUES ($1, $2, $3)
ON CONFLICT (scope, kid) DO UPDATE SET mark = $2;

-- name: LEFT_AFTER
SELECT kid, mark FROM content_removed WHERE scope = $1 AND mark > $2;

-- name: LICENSES_BETWEEN
SELECT user_id, lid, terms, policy, withdrawn, returned_at, kid FROM license
WHERE device_id = $1 AND kid >= $2 AND kid <= $3 ORDER BY kid, user_id LIMIT $4;

-- name: LIST_DELIVERIES
SELECT device_id, id, delivery.user_id, scope, issued_at, mark, page, first_kid, last_kid, count, live, gone, withdrawn, account.name
FROM delivery LEFT JOIN account ON account.user_id = delivery.user_id
WHERE (issued_at < $1 OR (issued_at = $1 AND id >= $2)) AND ($3 IS NULL OR device_id = $3)
AND ($4 IS NULL OR account.name = $4) AND issued_at >= $5 AND issued_at < $6
AND ($7 IS NULL OR (first_kid <= $7 AND last_kid >= $7))
ORDER BY issued_at DESC, id LIMIT $8;

-- name: ACKNOWLEDGED_AT
SELECT device_id, received_at FROM acknowledged_license WHERE lid = $1;

-- name: USE_PAGE
UPDATE delivery_page SET unused_since = NULL WHERE hash = $1 AND unused_since IS NOT NULL;

-- name: DROP_DEAD_DELIVERIES
DELETE FROM delivery WHERE live = 0 AND id IN (SELECT id FROM delivery WHERE live = 0 AND issued_at < $1 ORDER BY issued_at LIMIT $2);

-- name: PAGES_BEHIND
SELECT hash FROM delivery_page WHERE hash > $1 ORDER BY hash LIMIT $2;

-- name: NOTE_UNUSED_PAGES
UPDATE delivery_page SET unused_since = $1 WHERE hash > $2 AND hash <= $3 AND unused_since IS NULL
AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.page = delivery_page.hash);

-- name: DROP_UNUSED_PAGES
DELETE FROM delivery_page WHERE unused_since IS NOT NULL
AND hash IN (SELECT noted.hash FROM delivery_page AS noted WHERE noted.unused_since < $1
    AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.page = noted.hash) ORDER BY noted.unused_since LIMIT $2)
AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.page = delivery_page.hash);
