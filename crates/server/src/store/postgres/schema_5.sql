-- Schema 5, made from schema 4.

-- Requests for the owner that name a key, so that one that comes again is answered and not done again. For a day.
CREATE TABLE admin_request (
    admin      text COLLATE "C" NOT NULL,
    repeat_key text COLLATE "C" NOT NULL,
    request    bytea NOT NULL,
    claim      bytea NOT NULL,
    done_at    bigint NOT NULL,
    status     bigint,
    answer     bytea,
    PRIMARY KEY (admin, repeat_key)
);
CREATE INDEX admin_request_by_age ON admin_request (done_at);
