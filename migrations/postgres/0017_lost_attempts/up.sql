ALTER TABLE attempts ADD COLUMN settlement text;
ALTER TABLE attempts ADD COLUMN cost numeric(24,12);

COMMENT ON COLUMN attempts.settlement IS
    'What became of money that the attempt may have cost though it came to nothing; null where it can have cost nothing, or the request''s own settlement tells.';
COMMENT ON COLUMN attempts.cost IS 'Dollars posted to the account of its provider for that, and to nobody else.';
