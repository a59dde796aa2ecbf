-- Money of attempts that came to nothing, posted to their provider and to nobody else.
ALTER TABLE attempts ADD COLUMN settlement TEXT;
ALTER TABLE attempts ADD COLUMN cost INTEGER;
