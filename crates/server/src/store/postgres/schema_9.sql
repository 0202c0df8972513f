-- Schema 9, made from schema 8.

ALTER TABLE delivery_page ADD COLUMN unused_since bigint;
CREATE INDEX delivery_page_unused ON delivery_page (unused_since) WHERE unused_since IS NOT NULL;
CREATE INDEX delivery_by_page ON delivery (page);
CREATE INDEX delivery_dead ON delivery (issued_at) WHERE live = 0;
