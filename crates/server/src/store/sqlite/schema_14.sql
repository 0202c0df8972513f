-- Schema 14, made from schema 13.

-- Number of the last change to content, policies or subscriptions, by which the catalogue in memory is known to be of today.
ALTER TABLE mark ADD COLUMN catalogue INTEGER NOT NULL DEFAULT 0;
