CREATE TABLE providers (
    id                    INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    version               INTEGER NOT NULL,
    name                  TEXT    NOT NULL UNIQUE,
    kind                  TEXT    NOT NULL,
    base_url              TEXT    NOT NULL,
    credential            BLOB    NOT NULL,
    formats               TEXT    NOT NULL,
    weight                INTEGER NOT NULL CHECK (weight >= 0),
    priority              INTEGER NOT NULL,
    cost_multiplier       INTEGER NOT NULL CHECK (cost_multiplier >= 0),
    groups                TEXT    NOT NULL,
    allowed_models        TEXT    NOT NULL,
    model_redirects       TEXT    NOT NULL,
    limits                TEXT    NOT NULL,
    breaker               TEXT    NOT NULL,
    timeouts              TEXT    NOT NULL,
    allow_private_network BOOLEAN NOT NULL,
    enabled               BOOLEAN NOT NULL,
    notes                 TEXT    NOT NULL,
    created_at            INTEGER NOT NULL,
    updated_at            INTEGER NOT NULL
);

CREATE TABLE model_prices (
    id                          INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    model                       TEXT    NOT NULL,
    source                      TEXT    NOT NULL,
    effective_from              INTEGER NOT NULL,
    input_usd_per_mtok          INTEGER NOT NULL CHECK (input_usd_per_mtok >= 0),
    output_usd_per_mtok         INTEGER NOT NULL CHECK (output_usd_per_mtok >= 0),
    cache_write_5m_usd_per_mtok INTEGER NOT NULL CHECK (cache_write_5m_usd_per_mtok >= 0),
    cache_write_1h_usd_per_mtok INTEGER NOT NULL CHECK (cache_write_1h_usd_per_mtok >= 0),
    cache_read_usd_per_mtok     INTEGER NOT NULL CHECK (cache_read_usd_per_mtok >= 0),
    UNIQUE (model, source, effective_from)
);
