-- Schema 3, made from schema 2.

-- Those who act for the owner from elsewhere, by the hashes of their tokens. One name has one that was not ended; one that was keeps
-- its row, so that who still sends it is told what became of it.
CREATE TABLE admin (
    token_hash bytea NOT NULL PRIMARY KEY,
    name       text COLLATE "C" NOT NULL,
    role       text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    ends_at    bigint,
    ended_at   bigint
);
CREATE UNIQUE INDEX admin_by_name ON admin (name) WHERE ended_at IS NULL;
