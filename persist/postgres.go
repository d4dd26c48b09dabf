package persist

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"waybill/generator"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Postgres is the store of a fleet.
type Postgres struct {
	pool    *pgxpool.Pool
	numbers Numbers
	buffers sync.Pool // of *[]byte: encoded batches
}

// OpenPostgres returns the store at a connection URL. It does not connect yet:
// a server starts without its database and becomes ready when that is there.
func OpenPostgres(ctx context.Context, url string, n Numbers) (*Postgres, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("persist: postgres: %w", err)
	}
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "waybill"
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("persist: postgres: %w", err)
	}
	return &Postgres{pool: pool, numbers: n, buffers: sync.Pool{New: func() any { return new([]byte) }}}, nil
}

// CheckPostgresURL returns what is wrong with a connection URL, without
// connecting and without showing its password.
func CheckPostgresURL(url string) error {
	_, err := pgxpool.ParseConfig(url)
	return err
}

// Enter implements Store.
func (p *Postgres) Enter(ctx context.Context, space uuid.UUID, definition []byte) (id uuid.UUID, stored []byte, err error) {
	err = p.transaction(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "INSERT INTO number_space (id, definition) VALUES ($1, $2) ON CONFLICT DO NOTHING",
			space, string(definition)); err != nil {
			return err
		}
		return tx.QueryRow(ctx, "SELECT id, definition FROM number_space").Scan(&id, &stored)
	})
	return id, stored, err
}

// Progress implements Store.
func (p *Postgres) Progress(ctx context.Context, spool uuid.UUID, before uint64) (committed uint64, err error) {
	err = p.transaction(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "INSERT INTO spool_progress (spool_id, committed) VALUES ($1, $2) ON CONFLICT DO NOTHING",
			spool, int64(before)); err != nil {
			return err
		}
		return tx.QueryRow(ctx, "SELECT committed FROM spool_progress WHERE spool_id = $1", spool).Scan(&committed)
	})
	return committed, err
}

// Load implements Store.
func (p *Postgres) Load(ctx context.Context, b Batch) error {
	return p.transaction(ctx, func(tx pgx.Tx) error { return p.load(ctx, tx, b) })
}

func (p *Postgres) load(ctx context.Context, tx pgx.Tx, b Batch) error {
	tag, err := tx.Exec(ctx, "UPDATE spool_progress SET committed = $1, updated_at = now() WHERE spool_id = $2 AND committed = $3",
		int64(b.Last), b.Spool, int64(b.First-1))
	if err != nil {
		return err
	}
	if tag.RowsAffected() != 1 {
		return ErrProgress
	}
	buffer := p.buffers.Get().(*[]byte)
	defer p.buffers.Put(buffer)
	*buffer = p.numbers.appendCopy((*buffer)[:0], b)
	tag, err = tx.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(*buffer), copyStatement)
	if err == nil && tag.RowsAffected() != int64(len(b.Entries)) {
		err = fmt.Errorf("COPY stored %d rows of %d", tag.RowsAffected(), len(b.Entries))
	}
	return err
}

// LoadApart implements Store.
func (p *Postgres) LoadApart(ctx context.Context, b Batch) (conflicts []Conflict, err error) {
	err = p.transaction(ctx, func(tx pgx.Tx) error {
		known, err := storedOrigins(ctx, tx, b)
		if err != nil {
			return err
		}
		var fresh Batch
		fresh, conflicts = apart(b, known)
		for _, c := range conflicts {
			if _, err := tx.Exec(ctx, `INSERT INTO issued_conflicts
				(id, tracking_number, spool_id, spool_sequence, record, first_spool_id, first_sequence) VALUES ($1, $2, $3, $4, $5, $6, $7)
				ON CONFLICT DO NOTHING`, // noted before, when the progress was put back by hand
				int64(c.ID), p.numbers.Form.Format(c.ID, c.Origin), b.Spool, int64(c.Sequence), p.numbers.json(c.Entry),
				c.FirstSpool, int64(c.FirstSequence)); err != nil {
				return err
			}
		}
		return p.load(ctx, tx, fresh)
	})
	return conflicts, err
}

// storedOrigins tells which IDs of a batch are stored, and from where.
func storedOrigins(ctx context.Context, tx pgx.Tx, b Batch) (map[generator.ID]Conflict, error) {
	ids := make([]int64, len(b.Entries))
	for i, e := range b.Entries {
		ids[i] = int64(e.ID)
	}
	rows, err := tx.Query(ctx, "SELECT id, spool_id, spool_sequence FROM tracking_numbers WHERE id = ANY($1)", ids)
	if err != nil {
		return nil, err
	}
	known := map[generator.ID]Conflict{}
	var id generator.ID
	var c Conflict
	_, err = pgx.ForEachRow(rows, []any{&id, &c.FirstSpool, &c.FirstSequence}, func() error {
		known[id] = c
		return nil
	})
	return known, err
}

// uniqueViolation is Postgres's code of that error.
const uniqueViolation = "23505"

// transaction runs do and commits. An error of the commit itself leaves open
// whether it took place.
func (p *Postgres) transaction(ctx context.Context, do func(pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, p.pool, do)
	if failed, ok := errors.AsType[*pgconn.PgError](err); ok && failed.Code == uniqueViolation {
		return fmt.Errorf("%w: %w", ErrDuplicate, err)
	}
	if err != nil {
		return fmt.Errorf("persist: postgres: %w", err)
	}
	return nil
}

// Find implements Store.
func (p *Postgres) Find(ctx context.Context, id generator.ID) (Record, error) {
	r := Record{ID: id}
	var origin, destination string
	err := p.pool.QueryRow(ctx, `SELECT origin_country_id, destination_country_id, weight_grams,
		(extract(epoch FROM order_created_at) * 1000000)::bigint, customer_id, customer_name, customer_slug, lease_epoch
		FROM tracking_numbers WHERE id = $1`, int64(id)).
		Scan(&origin, &destination, &r.Weight, &r.OrderedAt, &r.CustomerID, &r.CustomerName, &r.CustomerSlug, &r.Epoch)
	if errors.Is(err, pgx.ErrNoRows) {
		return Record{}, ErrNotFound
	}
	if err != nil {
		return Record{}, fmt.Errorf("%w: postgres: %w", ErrAway, err)
	}
	copy(r.Origin[:], origin)
	copy(r.Destination[:], destination)
	return r, nil
}

// Close closes all connections. A server that does not answer is not waited for.
func (p *Postgres) Close() error {
	closed := make(chan struct{})
	go func() { p.pool.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(time.Second):
	}
	return nil
}
