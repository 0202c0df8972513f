-- Offers, and what accounts have of them.

-- name: OFFER
SELECT name, policy, open FROM offer WHERE name = $1;

-- name: OFFER_SCOPES
SELECT scope FROM offer_scope WHERE offer = $1 ORDER BY scope;

-- name: OFFER_KIDS
SELECT kid FROM offer_kid WHERE offer = $1 ORDER BY kid;

-- name: PUT_OFFER
INSERT INTO offer (name, policy, open, added_at, changed) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (name) DO UPDATE SET policy = $2, open = $3, changed = $5;

-- name: DROP_SCOPES
DELETE FROM offer_scope WHERE offer = $1;

-- name: DROP_KIDS
DELETE FROM offer_kid WHERE offer = $1;

-- name: INSERT_OFFER_SCOPE
INSERT INTO offer_scope (offer, scope) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: INSERT_OFFER_KID
INSERT INTO offer_kid (offer, kid) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: REMOVE_OFFER
DELETE FROM offer WHERE name = $1;

-- name: COUNT_GRANTS
SELECT count(*) FROM account_grant
WHERE offer = $1 AND (until_at IS NULL OR until_at > $2) AND (ended_at IS NULL OR ended_at > $2);

-- name: OFFERS
SELECT offer.name, policy.name, policy.definition, root.kid, root.sealed_key, root.scope, offer.open,
    EXISTS (SELECT 1 FROM offer_kid WHERE offer_kid.offer = offer.name), max(offer.changed, coalesce(policy.changed, 0))
FROM offer LEFT JOIN policy ON policy.name = offer.policy LEFT JOIN subscription AS root ON root.name = policy.subscription
WHERE offer.open OR $1 IS NULL OR offer.name IN (SELECT value FROM json_each($1)) ORDER BY offer.name;

-- name: NAMES_KID
SELECT offer FROM offer_kid WHERE offer = $1 AND kid = $2;

-- name: NAMED_BEHIND
SELECT content.sealed_key, content.title, content.scope, policy.name, policy.definition, FALSE, root.kid, root.sealed_key,
    root.scope, content.kid AS kid
FROM content LEFT JOIN policy ON policy.name = content.policy
LEFT JOIN subscription AS root ON root.name = policy.subscription
WHERE content.kid > $1 AND content.changed > $2
AND content.kid IN (SELECT offer_kid.kid FROM offer_kid WHERE offer_kid.offer IN (SELECT value FROM json_each($3)))
UNION ALL
SELECT subscription.sealed_key, subscription.name, subscription.scope, policy.name, policy.definition, TRUE, NULL, NULL, NULL,
    subscription.kid
FROM subscription LEFT JOIN policy ON policy.name = subscription.policy
WHERE subscription.kid > $1 AND (subscription.changed > $2 OR coalesce(policy.changed, 0) > $2)
AND (subscription.name IN (SELECT terms.subscription FROM offer JOIN policy AS terms ON terms.name = offer.policy
        WHERE offer.name IN (SELECT value FROM json_each($3)))
    OR subscription.kid IN (SELECT offer_kid.kid FROM offer_kid WHERE offer_kid.offer IN (SELECT value FROM json_each($3))))
ORDER BY kid LIMIT $4;

-- name: GRANT
SELECT id, user_id, offer, from_at, until_at, uses, devices, reference, created_at, changed, ended_at FROM account_grant
WHERE id = $1;

-- name: PUT_GRANT
INSERT INTO account_grant (id, user_id, offer, from_at, until_at, uses, devices, reference, created_at, changed, ended_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (id) DO UPDATE SET from_at = $4, until_at = $5, uses = $6, devices = $7, reference = $8, changed = $10, ended_at = $11;

-- name: GRANTS_OF
SELECT id, user_id, offer, from_at, until_at, uses, devices, reference, created_at, changed, ended_at FROM account_grant
WHERE user_id = $1 AND (until_at IS NULL OR until_at > $2) AND (ended_at IS NULL OR ended_at > $2) ORDER BY id;

-- name: LIST_OFFERS
SELECT name, policy, open, (SELECT count(*) FROM account_grant WHERE account_grant.offer = offer.name
    AND (until_at IS NULL OR until_at > $1) AND (ended_at IS NULL OR ended_at > $1))
FROM offer WHERE name > $2 ORDER BY name LIMIT $3;

-- name: LIST_GRANTS
SELECT id, account_grant.user_id, offer, from_at, until_at, uses, devices, reference, account_grant.created_at, changed, ended_at,
    account.name
FROM account_grant LEFT JOIN account ON account.user_id = account_grant.user_id
WHERE (account_grant.created_at < $1 OR (account_grant.created_at = $1 AND id > $2)) AND ($3 IS NULL OR account.name = $3)
AND ($4 IS NULL OR offer = $4) AND ($5 IS NULL OR reference = $5)
AND ($6 IS NULL OR ((until_at IS NULL OR until_at > $6) AND (ended_at IS NULL OR ended_at > $6)))
ORDER BY account_grant.created_at DESC, id LIMIT $7;
