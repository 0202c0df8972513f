-- Content, policies, subscriptions; accounts and their scopes.

-- name: MARK
SELECT number FROM mark;

-- name: PUT_MARK
UPDATE mark SET number = $1;

-- name: CATALOGUE_MARK
SELECT catalogue FROM mark;

-- name: PUT_CATALOGUE_MARK
UPDATE mark SET catalogue = $1;

-- name: OFFERED_CONTENT
SELECT content.sealed_key, content.title, content.scope, policy.name, policy.definition, FALSE, root.kid, root.sealed_key,
    root.scope
FROM content LEFT JOIN policy ON policy.name = content.policy
LEFT JOIN subscription AS root ON root.name = policy.subscription
WHERE content.kid = $1;

-- name: OFFERED_SUBSCRIPTION
SELECT subscription.sealed_key, subscription.name, subscription.scope, policy.name, policy.definition, TRUE, NULL, NULL, NULL
FROM subscription LEFT JOIN policy ON policy.name = subscription.policy
WHERE subscription.kid = $1;

-- name: OFFERED_BEHIND
SELECT content.sealed_key, content.title, content.scope, policy.name, policy.definition, FALSE, root.kid, root.sealed_key,
    root.scope, content.kid AS kid
FROM content LEFT JOIN policy ON policy.name = content.policy
LEFT JOIN subscription AS root ON root.name = policy.subscription
WHERE coalesce(content.scope, '') = $1 AND content.kid > $2
AND (content.changed > $3 OR coalesce(policy.changed, 0) > $3)
UNION ALL
SELECT subscription.sealed_key, subscription.name, subscription.scope, policy.name, policy.definition, TRUE, NULL, NULL, NULL,
    subscription.kid
FROM subscription LEFT JOIN policy ON policy.name = subscription.policy
WHERE coalesce(subscription.scope, '') = $1 AND subscription.kid > $2
AND (subscription.changed > $3 OR coalesce(policy.changed, 0) > $3)
ORDER BY kid LIMIT $4;

-- name: CONTENT
SELECT kid, sealed_key, title, policy, scope FROM content WHERE kid = $1;

-- name: PUT_CONTENT
INSERT INTO content (kid, sealed_key, title, policy, scope, added_at, changed) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (kid) DO UPDATE SET sealed_key = $2, title = $3, policy = $4, scope = $5, changed = $7;

-- name: REMOVE_CONTENT
DELETE FROM content WHERE kid = $1;

-- name: POLICY
SELECT definition FROM policy WHERE name = $1;

-- name: PUT_POLICY
INSERT INTO policy (name, definition, subscription, changed, changed_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (name) DO UPDATE SET definition = $2, subscription = $3, changed = $4, changed_at = $5;

-- name: SUBSCRIPTION
SELECT name, kid, sealed_key, policy, scope FROM subscription WHERE name = $1;

-- name: PUT_SUBSCRIPTION
INSERT INTO subscription (kid, name, sealed_key, policy, scope, added_at, changed) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (name) DO UPDATE SET kid = $1, sealed_key = $3, policy = $4, scope = $5, changed = $7;

-- name: TOKEN
SELECT token_hash, user_id, name, created_at, ends_at, ended_at FROM account_token WHERE token_hash = $1;

-- name: TOKENS_OF
SELECT token_hash, user_id, name, created_at, ends_at, ended_at FROM account_token WHERE user_id = $1
ORDER BY created_at, token_hash;

-- name: PUT_TOKEN
INSERT INTO account_token (token_hash, user_id, name, created_at, ends_at, ended_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (token_hash) DO UPDATE SET ends_at = $5, ended_at = $6;

-- name: ACCOUNT_BY_NAME
SELECT user_id FROM account WHERE name = $1 AND removed_at IS NULL;

-- name: ACCOUNT_NAME
SELECT name FROM account WHERE user_id = $1 AND removed_at IS NULL;

-- name: SCOPES
SELECT user_id, scope, changed FROM account_scope WHERE user_id = $1 ORDER BY scope;

-- name: INSERT_ACCOUNT
INSERT INTO account (user_id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT (name) WHERE removed_at IS NULL DO NOTHING;

-- name: REMOVE_ACCOUNT
UPDATE account SET removed_at = $1 WHERE user_id = $2 AND removed_at IS NULL;

-- name: INSERT_SCOPE
INSERT INTO account_scope (user_id, scope, changed) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- name: REMOVE_SCOPE
DELETE FROM account_scope WHERE user_id = $1 AND scope = $2;

-- name: INSERT_AUDIT
INSERT INTO audit (done_at, id, who, act, about, was, became) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING;

-- name: DONE_BY
SELECT done_at FROM audit WHERE who = $1 AND act = $2 AND done_at > $3 ORDER BY done_at DESC LIMIT $4;
