-- Schema 7, made from schema 6.

ALTER TABLE mark ADD COLUMN catalogue bigint NOT NULL DEFAULT 0;
