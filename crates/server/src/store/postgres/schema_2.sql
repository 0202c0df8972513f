-- Schema 2, made from schema 1.

CREATE TABLE delivery_page (
    hash  bytea NOT NULL PRIMARY KEY,
    kids  bytea NOT NULL,
    about bytea NOT NULL
);

CREATE TABLE delivery (
    device_id bytea NOT NULL,
    id        bytea NOT NULL,
    user_id   bytea NOT NULL,
    scope     text COLLATE "C" NOT NULL,
    issued_at bigint NOT NULL,
    mark      bigint NOT NULL,
    page      bytea NOT NULL,
    first_kid bytea NOT NULL,
    last_kid  bytea NOT NULL,
    count     bigint NOT NULL,
    live      bigint NOT NULL,
    gone      bytea NOT NULL,
    withdrawn bigint,
    PRIMARY KEY (device_id, id)
);
CREATE UNIQUE INDEX delivery_by_id ON delivery (id);
CREATE INDEX delivery_by_age ON delivery (issued_at DESC, id);

CREATE TABLE content_removed (
    scope text COLLATE "C" NOT NULL,
    mark  bigint NOT NULL,
    kid   bytea NOT NULL,
    PRIMARY KEY (scope, kid)
);
CREATE INDEX content_removed_by_mark ON content_removed (scope, mark);
