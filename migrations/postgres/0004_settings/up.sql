CREATE TABLE settings (
    key        text        PRIMARY KEY,
    value      jsonb       NOT NULL,
    updated_at timestamptz NOT NULL
);

COMMENT ON TABLE settings IS 'What operators change at run time, and what the server must remember about itself.';
