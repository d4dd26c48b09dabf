-- One row: which number space this database belongs to.
CREATE TABLE number_space (
    singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    id         uuid NOT NULL,
    definition text NOT NULL,          -- JSON: epoch, bits, form, lease
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Every issued number. The ID begins with its time, so the key appends.
CREATE TABLE tracking_numbers (
    id                     bigint PRIMARY KEY,
    tracking_number        text NOT NULL,
    origin_country_id      text NOT NULL,
    destination_country_id text NOT NULL,
    weight_grams           integer NOT NULL,
    order_created_at       timestamptz NOT NULL,
    customer_id            uuid NOT NULL,
    customer_name          text NOT NULL,
    customer_slug          text NOT NULL,
    issued_at              timestamptz NOT NULL,
    worker                 integer NOT NULL,
    lease_epoch            bigint NOT NULL,
    spool_id               uuid NOT NULL,
    spool_sequence         bigint NOT NULL
);
CREATE INDEX tracking_numbers_customer ON tracking_numbers (customer_id, id);

-- How far each spool is loaded; moved in the transaction that loads the rows.
CREATE TABLE spool_progress (
    spool_id   uuid PRIMARY KEY,
    committed  bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Numbers that were issued twice: there must never be one.
CREATE TABLE issued_conflicts (
    id              bigint NOT NULL,
    tracking_number text NOT NULL,
    spool_id        uuid NOT NULL,     -- of the record that came second
    spool_sequence  bigint NOT NULL,
    record          jsonb NOT NULL,    -- all of it
    first_spool_id  uuid NOT NULL,     -- of the record that stands in tracking_numbers
    first_sequence  bigint NOT NULL,
    detected_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (spool_id, spool_sequence)
);
