package lease

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"waybill/generator"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Postgres is the durable authority: long claims in the table worker_leases,
// rarely touched. It may be used concurrently.
type Postgres struct {
	pool   *pgxpool.Pool
	claim  time.Duration
	space  Space
	stored string // the space's definition as the database has it
}

//go:embed claim.sql
var claimStatement string

// OpenPostgres returns the authority at a connection URL; windows reach claim
// ahead. It works through pgbouncer in transaction mode: every question is one
// statement. It does not connect yet.
func OpenPostgres(ctx context.Context, url string, claim time.Duration) (*Postgres, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, &StoreError{"postgres", err}
	}
	config.MaxConns, config.MinConns = 2, 0 // a claim, and an operator who looks
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "waybill-lease"
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, &StoreError{"postgres", err}
	}
	return &Postgres{pool: pool, claim: claim}, nil
}

// Enter tells the authority which space it serves, with the definition that the
// database has of it, and sees to it that there is a row for each worker. Call it
// before all else.
func (p *Postgres) Enter(ctx context.Context, space Space, stored []byte) error {
	p.space, p.stored = space, string(stored)
	_, err := p.pool.Exec(ctx, "INSERT INTO worker_leases (worker) SELECT generate_series(0, $1::integer - 1) ON CONFLICT DO NOTHING",
		1<<space.WorkerBits)
	if err != nil {
		return &StoreError{"postgres", err}
	}
	return nil
}

// Name is "postgres".
func (p *Postgres) Name() string { return "postgres" }

// Period is a sixth of the claim.
func (p *Postgres) Period() time.Duration { return p.claim / 6 }

// clockColumn is the database's clock in Unix milliseconds.
const clockColumn = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

// Free implements Authority. Who waits is not noted: the table is for those who
// hold.
func (p *Postgres) Free(ctx context.Context, _ Instance) (v Vacancy, err error) {
	rows, err := p.pool.Query(ctx, "SELECT worker, until_ms, "+clockColumn+" FROM worker_leases")
	if err != nil {
		return Vacancy{}, &StoreError{"postgres", err}
	}
	var worker int
	var until, now int64
	_, err = pgx.ForEachRow(rows, []any{&worker, &until, &now}, func() error {
		v.Now = max(v.Now, now)
		if until <= now {
			v.Workers = append(v.Workers, worker)
		} else if v.Next == 0 || until < v.Next {
			v.Next = until
		}
		return nil
	})
	if err != nil {
		return Vacancy{}, &StoreError{"postgres", err}
	}
	return v, nil
}

// Grant implements Authority. A commit whose answer was lost is resolved by
// asking again: the token and its number say what is known already.
func (p *Postgres) Grant(ctx context.Context, c Claim) (Grant, error) {
	report, err := json.Marshal(c.Report)
	if err != nil {
		return Grant{}, fmt.Errorf("lease: %w", err)
	}
	w := generator.Window{Worker: c.Worker}
	var number, now int64
	err = p.pool.QueryRow(ctx, claimStatement, c.Worker, c.Token.uuid(), int64(c.Number), int64(c.Nonce), c.Floor, p.claim.Milliseconds(),
		wallClock().UnixMilli(), skewLimit.Milliseconds(), p.space.ID, p.stored, identity(c.Holder), string(report)).
		Scan(&w.Epoch, &w.From, &w.Until, &number, &now)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return Grant{}, p.refusal(ctx, c)
	case err != nil:
		return Grant{}, &StoreError{"postgres", err}
	case number != int64(c.Number):
		return Grant{}, ErrCloned
	}
	return Grant{Window: w, Now: now}, nil
}

// refusal finds out why a claim matched nothing.
func (p *Postgres) refusal(ctx context.Context, c Claim) error {
	var now int64
	var id, definition, holder string
	err := p.pool.QueryRow(ctx, "SELECT "+clockColumn+`, s.id::text, s.definition, coalesce(l.holder->>'instance', '')
		FROM number_space s, worker_leases l WHERE l.worker = $1::integer`, c.Worker).Scan(&now, &id, &definition, &holder)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("%w in postgres: it has no number space, or worker %d is not in worker_leases", ErrSpace, c.Worker)
	case err != nil:
		return &StoreError{"postgres", err}
	case id != p.space.ID || definition != p.stored:
		var there Space
		if json.Unmarshal([]byte(definition), &there) == nil {
			if err := there.Mismatch(p.space, "postgres"); err != nil {
				return err
			}
		}
		return fmt.Errorf("%w in postgres: it has changed since this instance started: %s", ErrSpace, definition)
	case abs(now-wallClock().UnixMilli()) > skewLimit.Milliseconds():
		return skewed("postgres", now, wallClock().UnixMilli())
	case c.Number > 1:
		return ErrLost
	}
	return fmt.Errorf("%w: %q in postgres", ErrOccupied, holder)
}

func abs(n int64) int64 { return max(n, -n) }

// Trim implements Authority.
func (p *Postgres) Trim(ctx context.Context, worker int, token Token, until int64) error {
	tag, err := p.pool.Exec(ctx, `UPDATE worker_leases SET until_ms = greatest(from_ms, least(until_ms, $3::bigint)), token = NULL,
		report = NULL, updated_at = clock_timestamp() WHERE worker = $1::integer AND token = $2::uuid`, worker, token.uuid(), until)
	if err != nil {
		return &StoreError{"postgres", err}
	}
	if tag.RowsAffected() == 0 {
		return ErrLost
	}
	return nil
}

// Holders implements Authority.
func (p *Postgres) Holders(ctx context.Context) (h Holders, err error) {
	rows, err := p.pool.Query(ctx, "SELECT worker, from_ms, until_ms, token IS NOT NULL, coalesce(holder::text, ''), coalesce(report::text, ''), "+
		clockColumn+" FROM worker_leases WHERE until_ms > "+clockColumn+" ORDER BY worker")
	if err != nil {
		return Holders{}, &StoreError{"postgres", err}
	}
	var w Holder
	var instance, report string
	_, err = pgx.ForEachRow(rows, []any{&w.Worker, &w.From, &w.Until, &w.Held, &instance, &report, &h.Now}, func() error {
		found := w
		found.decode(instance, report)
		h.Windows = append(h.Windows, found)
		return nil
	})
	if err != nil {
		return Holders{}, &StoreError{"postgres", err}
	}
	if h.Now == 0 {
		h.Now = wallClock().UnixMilli()
	}
	return h, nil
}

// Close closes all connections. A server that does not answer is not waited for.
func (p *Postgres) Close() {
	closed := make(chan struct{})
	go func() { p.pool.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(time.Second):
	}
}
