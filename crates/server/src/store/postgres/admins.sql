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
