ALTER TABLE attempts DROP COLUMN cost;
ALTER TABLE attempts DROP COLUMN settlement;
