-- Schema 16, made from schema 15.

-- Since when no delivery names a page, as far as that was noticed, seconds UTC.
ALTER TABLE delivery_page ADD COLUMN unused_since INTEGER;
CREATE INDEX delivery_page_unused ON delivery_page (unused_since) WHERE unused_since IS NOT NULL;
CREATE INDEX delivery_by_page ON delivery (page);
-- Deliveries of which every license has rows of its own.
CREATE INDEX delivery_dead ON delivery (issued_at) WHERE live = 0;
