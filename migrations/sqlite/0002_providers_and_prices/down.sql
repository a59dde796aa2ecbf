DROP TABLE model_prices;
DROP TABLE providers;
