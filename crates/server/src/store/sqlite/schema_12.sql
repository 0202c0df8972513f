-- Schema 12, made from schema 11.

-- Requests for the owner that name a key, so that one that comes again is answered and not done again. For a day.
CREATE TABLE admin_request (
    admin      TEXT NOT NULL,
    repeat_key TEXT NOT NULL,
    request    BLOB NOT NULL,
    claim      BLOB NOT NULL,
    done_at    INTEGER NOT NULL,
    status     INTEGER,
    answer     BLOB,
    PRIMARY KEY (admin, repeat_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX admin_request_by_age ON admin_request (done_at);
