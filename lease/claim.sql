-- One claim: a window for a new token, more of it for the token that holds it,
-- the stored one for a repetition. $1 worker, $2 token, $3 number, $4 nonce,
-- $5 floor, $6 length, $7 wall clock of the caller, $8 skew limit, $9 space id,
-- $10 definition, $11 holder, $12 report; times are Unix milliseconds.
--
-- A statement that waited for another's row lock looks at the row anew (READ
-- COMMITTED), so of two claims one wins. It is worth nothing if the commit can be
-- lost: asynchronous commits, a setting of the role perhaps, are switched off.
WITH clock AS MATERIALIZED (
    SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now,
           CASE WHEN current_setting('synchronous_commit') IN ('off', 'local')
                THEN set_config('synchronous_commit', 'on', true) END AS durable
), space AS MATERIALIZED (
    SELECT now, CASE WHEN $5::bigint > 0 THEN greatest($5::bigint, floor_ms) ELSE greatest(now, floor_ms) END AS start
    FROM clock, number_space
    WHERE id = $9::uuid AND definition = $10::text AND abs(now - $7::bigint) <= $8::bigint
)
UPDATE worker_leases l SET
    epoch    = CASE WHEN token = $2::uuid THEN epoch ELSE epoch + 1 END,
    from_ms  = CASE WHEN token = $2::uuid THEN from_ms ELSE greatest(until_ms, start) END,
    until_ms = CASE WHEN token IS DISTINCT FROM $2::uuid THEN greatest(until_ms, start) + $6::bigint
                    WHEN number > 0 AND number + 1 = $3::bigint THEN greatest(until_ms, now + $6::bigint)
                    ELSE until_ms END,
    number   = CASE WHEN token IS DISTINCT FROM $2::uuid THEN 1
                    WHEN number > 0 AND number + 1 = $3::bigint THEN $3::bigint
                    WHEN number = $3::bigint AND nonce = $4::bigint THEN number
                    WHEN number > $3::bigint THEN number -- a copy that fell behind, or a request that nobody waits for any more
                    ELSE -1 END, -- two live copies of one process: neither is extended again
    nonce    = CASE WHEN token = $2::uuid AND number > $3::bigint THEN nonce ELSE $4::bigint END,
    token    = $2::uuid,
    holder   = $11::jsonb,
    report   = $12::jsonb,
    updated_at = clock_timestamp()
FROM space
WHERE worker = $1::integer AND (
    token = $2::uuid AND ($3::bigint <= number + 1 OR number < 0) -- beyond that, this memory went back behind what was answered
    OR token IS DISTINCT FROM $2::uuid AND $3::bigint = 1 AND until_ms <= start)
RETURNING epoch, from_ms, until_ms, number, now
