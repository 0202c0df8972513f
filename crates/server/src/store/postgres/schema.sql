-- Schema 1. What tables and columns mean is told in ../sqlite; here is what differs. Times and numbers are bigint, identifiers
-- bytea, text is compared by its bytes. Keys are led by account, device or license, and no request writes to a table of one row.
-- No table that requests write to refers to another one: what they rest on is decided before.

CREATE TABLE policy (
    name         text COLLATE "C" NOT NULL PRIMARY KEY,
    definition   text NOT NULL,
    subscription text COLLATE "C",
    changed      bigint NOT NULL,
    changed_at   bigint NOT NULL
);

CREATE TABLE content (
    kid        bytea NOT NULL PRIMARY KEY,
    sealed_key bytea NOT NULL,
    title      text COLLATE "C",
    policy     text COLLATE "C" REFERENCES policy (name),
    scope      text COLLATE "C",
    added_at   bigint NOT NULL,
    changed    bigint NOT NULL
);
CREATE INDEX content_by_scope ON content (coalesce(scope, ''), kid);

CREATE TABLE subscription (
    kid        bytea NOT NULL PRIMARY KEY,
    name       text COLLATE "C" NOT NULL UNIQUE,
    sealed_key bytea NOT NULL,
    policy     text COLLATE "C" REFERENCES policy (name),
    scope      text COLLATE "C",
    added_at   bigint NOT NULL,
    changed    bigint NOT NULL
);
CREATE INDEX subscription_by_scope ON subscription (coalesce(scope, ''), kid);

CREATE TABLE account (
    user_id    bytea NOT NULL PRIMARY KEY,
    name       text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    removed_at bigint
);
CREATE UNIQUE INDEX account_by_name ON account (name) WHERE removed_at IS NULL;

CREATE TABLE account_scope (
    user_id bytea NOT NULL REFERENCES account (user_id),
    scope   text COLLATE "C" NOT NULL,
    changed bigint NOT NULL,
    PRIMARY KEY (user_id, scope)
);

CREATE TABLE account_token (
    token_hash bytea NOT NULL PRIMARY KEY,
    user_id    bytea NOT NULL REFERENCES account (user_id),
    name       text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    ends_at    bigint,
    ended_at   bigint
);
CREATE UNIQUE INDEX account_token_by_name ON account_token (user_id, name) WHERE ended_at IS NULL;

CREATE TABLE audit (
    done_at bigint NOT NULL,
    id      bytea NOT NULL,
    who     text COLLATE "C" NOT NULL,
    act     text COLLATE "C" NOT NULL,
    about   text COLLATE "C",
    was     text,
    became  text,
    PRIMARY KEY (done_at, id)
);

-- The owner's changes lock its row, so that they come one after the other.
CREATE TABLE mark (
    one    bigint NOT NULL PRIMARY KEY CHECK (one = 1),
    number bigint NOT NULL
);
INSERT INTO mark (one, number) VALUES (1, 0);

-- Rows that transactions lock before they look at what is kept under a key: a license, a device, keys. A row says nothing; it is
-- there because nobody can lock what is not there yet.
CREATE TABLE guard (
    key bytea NOT NULL PRIMARY KEY
) PARTITION BY HASH (key);

CREATE TABLE device (
    thumbprint       bytea NOT NULL PRIMARY KEY,
    device_id        bytea NOT NULL,
    security_version text NOT NULL,
    assurance        bigint NOT NULL,
    created_at       bigint NOT NULL,
    certified_at     bigint NOT NULL,
    revoked_at       bigint,
    successor        bytea,
    counts_from      bigint NOT NULL,
    reason           text,
    name             text
);
CREATE INDEX device_by_id ON device (device_id);

CREATE TABLE license (
    device_id   bytea NOT NULL,
    kid         bytea NOT NULL,
    user_id     bytea NOT NULL,
    lid         bytea NOT NULL,
    terms       bytea NOT NULL,
    policy      bytea NOT NULL,
    issued_at   bigint NOT NULL,
    returned_at bigint,
    withdrawn   bigint,
    PRIMARY KEY (device_id, kid, user_id)
);

CREATE TABLE seat (
    lid         bytea NOT NULL,
    device_id   bytea NOT NULL,
    kid         bytea NOT NULL,
    restored    boolean NOT NULL,
    elsewhere   boolean NOT NULL,
    since       bigint NOT NULL,
    line        bytea,
    returned_at bigint,
    freed       boolean NOT NULL,
    withdrawn   bigint,
    PRIMARY KEY (lid, device_id)
);
CREATE INDEX seat_by_restore ON seat (device_id, kid) WHERE restored;

CREATE TABLE freed_seat (
    lid       bytea NOT NULL,
    device_id bytea NOT NULL,
    freed_at  bigint NOT NULL
);
CREATE INDEX freed_seat_by_license ON freed_seat (lid, freed_at);

CREATE TABLE license_state (
    lid   bytea NOT NULL PRIMARY KEY,
    state bytea NOT NULL
);

CREATE TABLE granted_again (
    device_id  bytea NOT NULL,
    line       bytea NOT NULL,
    lid        bytea NOT NULL,
    granted_at bigint NOT NULL,
    state      bytea NOT NULL
);
CREATE INDEX granted_again_by_line ON granted_again (device_id, line, granted_at);

CREATE TABLE exchange (
    thumbprint     bytea NOT NULL,
    transaction_id bytea NOT NULL,
    page           bigint NOT NULL,
    request_hash   bytea NOT NULL,
    account        bytea,
    answered_at    bigint NOT NULL,
    kept           bigint NOT NULL,
    answer         bytea,
    PRIMARY KEY (thumbprint, transaction_id, page)
) PARTITION BY HASH (thumbprint);
CREATE INDEX exchange_by_age ON exchange (answered_at) WHERE kept = 1;

CREATE TABLE known_exchange (
    thumbprint     bytea NOT NULL,
    transaction_id bytea NOT NULL,
    page           bigint NOT NULL,
    request_hash   bytea NOT NULL,
    seen_at        bigint NOT NULL,
    PRIMARY KEY (thumbprint, transaction_id, page, request_hash)
) PARTITION BY HASH (thumbprint);
CREATE INDEX known_exchange_by_age ON known_exchange (seen_at);

CREATE TABLE epoch (
    device_id    bytea NOT NULL,
    role         bigint NOT NULL,
    thumbprint   bytea NOT NULL,
    certified_at bigint NOT NULL,
    current      bytea NOT NULL,
    predecessor  bytea,
    replaced_at  bigint NOT NULL,
    older        bytea,
    older_until  bigint NOT NULL,
    presented_at bigint,
    PRIMARY KEY (device_id, role)
);

CREATE TABLE fork (
    device_id  bytea NOT NULL,
    thumbprint bytea NOT NULL,
    role       bigint NOT NULL,
    presented  bytea,
    noticed_at bigint NOT NULL
);
CREATE INDEX fork_by_device ON fork (device_id, noticed_at);

CREATE TABLE late_epoch (
    device_id  bytea NOT NULL,
    thumbprint bytea NOT NULL,
    role       bigint NOT NULL,
    noticed_at bigint NOT NULL
);
CREATE INDEX late_epoch_by_device ON late_epoch (device_id, noticed_at);
CREATE INDEX late_epoch_by_age ON late_epoch (noticed_at);

CREATE TABLE revocation (
    number        bigint NOT NULL PRIMARY KEY,
    lid           bytea,
    kid           bytea,
    user_id       bytea,
    issued_before bigint,
    device_id     bytea,
    reason        text
);
CREATE INDEX revocation_by_license ON revocation (lid) WHERE lid IS NOT NULL;

CREATE TABLE revocation_holder (
    device_id bytea NOT NULL,
    number    bigint NOT NULL REFERENCES revocation (number),
    PRIMARY KEY (device_id, number)
);

CREATE TABLE revocation_blob (
    device_id bytea NOT NULL PRIMARY KEY,
    number    bigint NOT NULL,
    blob      bytea NOT NULL
);

CREATE TABLE revocation_asker (
    thumbprint  bytea NOT NULL PRIMARY KEY,
    device_id   bytea NOT NULL,
    signing_key bytea NOT NULL,
    asked_at    bigint NOT NULL
);

CREATE TABLE acknowledgement (
    device_id   bytea NOT NULL PRIMARY KEY,
    number      bigint NOT NULL,
    removed     bigint NOT NULL,
    taken_at    bigint NOT NULL,
    received_at bigint NOT NULL,
    document    bytea NOT NULL
);

CREATE TABLE acknowledged_license (
    lid         bytea NOT NULL,
    device_id   bytea NOT NULL,
    received_at bigint NOT NULL,
    PRIMARY KEY (lid, device_id)
);

CREATE TABLE revoked_key (
    kind        bigint NOT NULL,
    key         bytea NOT NULL,
    name        text NOT NULL,
    counts_from bigint NOT NULL,
    revoked_at  bigint NOT NULL,
    reason      text,
    PRIMARY KEY (kind, key)
);

CREATE TABLE status_list (
    number bigint NOT NULL PRIMARY KEY,
    list   bytea NOT NULL
);

CREATE TABLE interaction (
    id             text COLLATE "C" NOT NULL PRIMARY KEY,
    thumbprint     bytea NOT NULL,
    transaction_id bytea NOT NULL,
    page           bigint NOT NULL,
    request_hash   bytea NOT NULL,
    account        bytea,
    device_id      bytea NOT NULL,
    application    text,
    kids           bytea NOT NULL,
    expires_at     bigint NOT NULL,
    failures       bigint NOT NULL DEFAULT 0,
    decision       bigint,
    decided_for    bytea,
    UNIQUE (thumbprint, transaction_id, page)
);
CREATE INDEX interaction_by_age ON interaction (expires_at);

CREATE TABLE recipient (
    thumbprint   bytea NOT NULL PRIMARY KEY,
    device_id    bytea NOT NULL,
    certified_at bigint NOT NULL,
    certificate  bytea NOT NULL
);
CREATE INDEX recipient_by_device ON recipient (device_id, certified_at);

CREATE TABLE mailbox (
    device_id      bytea NOT NULL,
    transaction_id bytea NOT NULL,
    made_at        bigint NOT NULL,
    answer         bytea NOT NULL,
    PRIMARY KEY (device_id, transaction_id)
);
CREATE INDEX mailbox_by_age ON mailbox (made_at);

-- What the question whether the database can be written writes.
CREATE TABLE probe (
    one   bigint NOT NULL PRIMARY KEY CHECK (one = 1),
    bytes bytea NOT NULL
);

-- Whose database it is: the hash of the authority, and a word sealed under the master key.
CREATE TABLE service (
    one       bigint NOT NULL PRIMARY KEY CHECK (one = 1),
    authority bytea NOT NULL,
    sealed    bytea NOT NULL
);

-- What is written with every request and asked for by its key alone. Licenses and seats are joined by other keys than their own, for
-- which a plan would look at every part: that costs more than all else of such a statement.
DO $$
DECLARE whole text;
BEGIN
    FOREACH whole IN ARRAY ARRAY['guard', 'exchange', 'known_exchange'] LOOP
        FOR part IN 0..15 LOOP
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES WITH (MODULUS 16, REMAINDER %s)',
                whole || '_' || part, whole, part);
        END LOOP;
    END LOOP;
END
$$;
