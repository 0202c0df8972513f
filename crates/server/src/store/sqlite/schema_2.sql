-- Schema 2, made from schema 1.

-- Licenses that were given back. A device whose seat was freed is not counted any more.
ALTER TABLE license ADD COLUMN returned_at INTEGER;
ALTER TABLE seat ADD COLUMN returned_at INTEGER;
ALTER TABLE seat ADD COLUMN freed INTEGER NOT NULL DEFAULT 0;

-- Each time that a seat was freed: how often that may happen is limited.
CREATE TABLE freed_seat (
    lid       BLOB    NOT NULL,
    device_id BLOB    NOT NULL,
    freed_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX freed_seat_by_license ON freed_seat (lid, freed_at);
