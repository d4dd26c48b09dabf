-- One row: which number space this database belongs to.
CREATE TABLE number_space (
    singleton  INTEGER PRIMARY KEY DEFAULT 1 CHECK (singleton = 1),
    id         TEXT NOT NULL,
    definition TEXT NOT NULL,                 -- JSON: epoch, bits, form, lease
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ'))
) STRICT;

-- Every issued number. The ID begins with its time, so the key appends.
CREATE TABLE tracking_numbers (
    id                     INTEGER PRIMARY KEY,
    tracking_number        TEXT NOT NULL,
    origin_country_id      TEXT NOT NULL,
    destination_country_id TEXT NOT NULL,
    weight_grams           INTEGER NOT NULL,
    order_created_at       INTEGER NOT NULL,  -- Unix microseconds
    customer_id            TEXT NOT NULL,
    customer_name          TEXT NOT NULL,
    customer_slug          TEXT NOT NULL,
    issued_at              INTEGER NOT NULL,  -- Unix milliseconds
    worker                 INTEGER NOT NULL,
    lease_epoch            INTEGER NOT NULL,
    spool_id               TEXT NOT NULL,
    spool_sequence         INTEGER NOT NULL
) STRICT;

-- How far each spool is loaded; moved in the transaction that loads the rows.
CREATE TABLE spool_progress (
    spool_id   TEXT PRIMARY KEY,
    committed  INTEGER NOT NULL,
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ'))
) STRICT;

-- Numbers that were issued twice: there must never be one.
CREATE TABLE issued_conflicts (
    id              INTEGER NOT NULL,
    tracking_number TEXT NOT NULL,
    spool_id        TEXT NOT NULL,            -- of the record that came second
    spool_sequence  INTEGER NOT NULL,
    record          TEXT NOT NULL,            -- all of it, JSON
    first_spool_id  TEXT NOT NULL,            -- of the record that stands in tracking_numbers
    first_sequence  INTEGER NOT NULL,
    detected_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    PRIMARY KEY (spool_id, spool_sequence)
) STRICT;
