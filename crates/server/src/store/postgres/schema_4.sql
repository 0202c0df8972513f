-- Schema 4, made from schema 3.

CREATE TABLE offer (
    name     text COLLATE "C" NOT NULL PRIMARY KEY,
    policy   text COLLATE "C" REFERENCES policy (name),
    open     boolean NOT NULL,
    added_at bigint NOT NULL,
    changed  bigint NOT NULL
);

CREATE TABLE offer_scope (
    offer text COLLATE "C" NOT NULL REFERENCES offer (name),
    scope text COLLATE "C" NOT NULL,
    PRIMARY KEY (offer, scope)
);
CREATE TABLE offer_kid (
    offer text COLLATE "C" NOT NULL REFERENCES offer (name),
    kid   bytea NOT NULL,
    PRIMARY KEY (offer, kid)
);

CREATE TABLE account_grant (
    id         bytea NOT NULL PRIMARY KEY,
    user_id    bytea NOT NULL,
    offer      text COLLATE "C" NOT NULL,
    from_at    bigint,
    until_at   bigint,
    uses       bigint,
    devices    bigint,
    reference  text COLLATE "C",
    created_at bigint NOT NULL,
    changed    bigint NOT NULL,
    ended_at   bigint
);
CREATE INDEX account_grant_by_user ON account_grant (user_id, id);
CREATE INDEX account_grant_by_offer ON account_grant (offer);
CREATE INDEX account_grant_by_age ON account_grant (created_at DESC, id);
