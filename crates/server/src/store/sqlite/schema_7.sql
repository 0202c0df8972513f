-- Schema 7, made from schema 6.

-- What the user calls the device, as the application told; none: never told, or taken away.
ALTER TABLE device ADD COLUMN name TEXT;
