DROP TABLE price_imports;
DROP TABLE provider_prices;
ALTER TABLE model_prices DROP COLUMN terms;
