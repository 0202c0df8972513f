-- Schema 4, made from schema 3.

-- The license is another issuer's, which appointed this service to restore it.
ALTER TABLE seat ADD COLUMN elsewhere INTEGER NOT NULL DEFAULT 0;
