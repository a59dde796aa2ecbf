ALTER TABLE model_prices ADD COLUMN terms TEXT;

CREATE TABLE provider_prices (
    id             INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    provider_id    INTEGER NOT NULL REFERENCES providers (id) ON DELETE CASCADE,
    model          TEXT    NOT NULL,
    effective_from INTEGER NOT NULL,
    price          TEXT    NOT NULL,
    UNIQUE (provider_id, model, effective_from)
);

CREATE TABLE price_imports (
    id          INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    imported_at INTEGER NOT NULL,
    origin      TEXT    NOT NULL,
    sha256      TEXT    NOT NULL,
    prices      INTEGER NOT NULL
);
