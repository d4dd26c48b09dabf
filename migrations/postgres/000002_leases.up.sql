-- Raised before a restart from backups of every store: no window begins below it.
ALTER TABLE number_space ADD COLUMN floor_ms bigint NOT NULL DEFAULT 0;

-- Who may issue with which worker, and at which timestamps: one row for each
-- worker, made ahead. The window [from_ms, until_ms) is in Unix milliseconds;
-- what follows from rows of one worker never overlaps.
CREATE TABLE worker_leases (
    worker     integer PRIMARY KEY,
    token      uuid,                       -- of the acquisition that may extend it; NULL: given back
    epoch      bigint NOT NULL DEFAULT 0,  -- counts the acquisitions
    from_ms    bigint NOT NULL DEFAULT 0,
    until_ms   bigint NOT NULL DEFAULT 0,
    number     bigint NOT NULL DEFAULT 0,  -- of the last request; -1: two processes used one token
    nonce      bigint NOT NULL DEFAULT 0,
    holder     jsonb,                      -- for people
    report     jsonb,
    updated_at timestamptz NOT NULL DEFAULT now()
);
