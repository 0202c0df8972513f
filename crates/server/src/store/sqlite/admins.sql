-- Those who act for the owner from elsewhere.

-- name: ADMIN
SELECT token_hash, name, role, created_at, ends_at, ended_at FROM admin WHERE token_hash = $1;

-- name: ADMIN_BY_NAME
SELECT token_hash, name, role, created_at, ends_at, ended_at FROM admin WHERE name = $1 AND ended_at IS NULL;

-- name: ADMINS
SELECT token_hash, name, role, created_at, ends_at, ended_at FROM admin ORDER BY name, created_at, token_hash;

-- name: PUT_ADMIN
INSERT INTO admin (token_hash, name, role, created_at, ends_at, ended_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (token_hash) DO UPDATE SET ended_at = $6;

-- name: REQUEST
SELECT admin, repeat_key, request, claim, done_at, status, answer FROM admin_request WHERE admin = $1 AND repeat_key = $2;

-- name: REQUESTS_OF
SELECT count(*) FROM admin_request WHERE admin = $1;

-- name: CLAIM_REQUEST
INSERT INTO admin_request (admin, repeat_key, request, claim, done_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (admin, repeat_key) DO UPDATE SET request = $3, claim = $4, done_at = $5, status = NULL, answer = NULL
WHERE admin_request.done_at < $6;

-- name: ANSWER_REQUEST
UPDATE admin_request SET status = $1, answer = $2 WHERE admin = $3 AND repeat_key = $4 AND claim = $5;

-- name: DROP_REQUESTS
DELETE FROM admin_request WHERE done_at < $1;
