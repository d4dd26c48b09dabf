package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/persist"
)

// postgresGroup compares the store's exactly-once Load with a bare COPY by pgx,
// which may lose or repeat a batch whose commit was not answered.
func postgresGroup(url string, numbers persist.Numbers, size int, window time.Duration) group {
	const note = "%.2f µs of the client's CPU a row"
	return group{name: fmt.Sprintf("row into Postgres, batches of %d, /s", size), contestants: []contestant{
		{"pgx CopyFrom", note + "; no progress row", func(ctx context.Context) (sample, error) {
			return within(func(t *lifetime) (sample, error) {
				return loadPostgres(ctx, t, url, size, window, func(pool *pgxpool.Pool, _ uuid.UUID) (loadFunc, error) {
					return copyFrom(pool, numbers), nil
				})
			})
		}},
		{"waybill Load", note + "; progress in the same transaction", func(ctx context.Context) (sample, error) {
			return within(func(t *lifetime) (sample, error) {
				return loadPostgres(ctx, t, url, size, window, func(_ *pgxpool.Pool, spool uuid.UUID) (loadFunc, error) {
					store, err := persist.OpenPostgres(ctx, url, numbers)
					if err != nil {
						return nil, err
					}
					t.Cleanup(func() { _ = store.Close() })
					_, err = store.Progress(ctx, spool, 0)
					return store.Load, err
				})
			})
		}},
	}}
}

// loadPostgres measures one way of loading into the empty table.
func loadPostgres(ctx context.Context, t *lifetime, url string, size int, window time.Duration,
	open func(*pgxpool.Pool, uuid.UUID) (loadFunc, error),
) (sample, error) {
	pool, err := emptyTable(ctx, t, url)
	if err != nil {
		return sample{}, err
	}
	spool := uuid.New()
	load, err := open(pool, spool)
	if err != nil {
		return sample{}, err
	}
	s, rows, err := measureLoad(ctx, spool, size, window, load)
	if err != nil {
		return sample{}, err
	}
	return s, checkRows(func() (n int, err error) {
		err = pool.QueryRow(ctx, "SELECT count(*) FROM tracking_numbers").Scan(&n)
		return n, err
	}, rows)
}

// copyFrom is what one writes first: pgx's CopyFrom over the same columns.
func copyFrom(pool *pgxpool.Pool, numbers persist.Numbers) loadFunc {
	columns := []string{
		"id", "tracking_number", "origin_country_id", "destination_country_id", "weight_grams", "order_created_at", "customer_id",
		"customer_name", "customer_slug", "issued_at", "worker", "lease_epoch", "spool_id", "spool_sequence",
	}
	return func(ctx context.Context, b persist.Batch) error {
		_, err := pool.CopyFrom(ctx, pgx.Identifier{"tracking_numbers"}, columns, pgx.CopyFromSlice(len(b.Entries), func(i int) ([]any, error) {
			e := &b.Entries[i]
			return []any{
				int64(e.ID), numbers.Form.Format(e.ID, e.Origin), e.Origin.String(), e.Destination.String(), int32(e.Weight),
				time.UnixMicro(e.OrderedAt), [16]byte(e.CustomerID), e.CustomerName, e.CustomerSlug, numbers.Layout.Time(e.ID),
				int32(numbers.Layout.Worker(e.ID)), e.Epoch, [16]byte(b.Spool), int64(e.Sequence),
			}, nil
		}))
		return err
	}
}
