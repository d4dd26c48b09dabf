package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/generator"
	"waybill/internal/testenv"
	"waybill/migrations"
	"waybill/persist"
)

// measureLoaders counts rows a second into the record stores.
func measureLoaders(ctx context.Context, t *lifetime, p plan) ([]row, error) {
	layout, err := generator.NewLayout(10, 12, epoch)
	if err != nil {
		return nil, err
	}
	numbers := persist.Numbers{Layout: layout}
	url, err := newPostgres(t)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, size := range []int{1_000, 10_000} {
		for _, g := range []group{
			postgresGroup(url, numbers, size, p.store),
			sqliteGroup(numbers, size, p.store),
		} {
			some, err := g.run(ctx, p.rounds)
			if err != nil {
				return nil, err
			}
			rows = append(rows, some...)
		}
	}
	return rows, nil
}

// newPostgres starts a Postgres with waybill's schema and returns its URL.
func newPostgres(t *lifetime) (string, error) {
	url := testenv.Postgres(t, "-c", "shared_buffers=512MB", "-c", "max_wal_size=4GB").URL
	return url, migrate(url)
}

// migrate gives an empty database waybill's schema.
func migrate(url string) error {
	db, err := migrations.Open(migrations.Postgres, url)
	if err != nil {
		return err
	}
	return migrations.Up(db, migrations.Postgres) // closes db
}

// loadFunc stores the rows of a batch. It may be called again when the batch
// has moved on.
type loadFunc func(context.Context, persist.Batch) error

// measureLoad loads batch after batch for a while, after a first one that warms
// up: rows a second, and this process's own time a row. It returns the number
// of rows in all.
func measureLoad(ctx context.Context, spool uuid.UUID, size int, window time.Duration, load loadFunc) (s sample, rows int, err error) {
	b := persist.Batch{Spool: spool, First: 1, Last: uint64(size)}
	for i := range size {
		r := someRecord()
		r.ID += generator.ID(i)
		r.CustomerID = uuid.NewSHA1(uuid.Nil, fmt.Append(nil, i%1000)) // a thousand customers
		b.Entries = append(b.Entries, persist.Entry{Sequence: uint64(i + 1), Record: r})
	}
	loadNext := func() error {
		err := load(ctx, b)
		rows += size
		b.First, b.Last = b.First+uint64(size), b.Last+uint64(size)
		for i := range b.Entries {
			b.Entries[i].ID += generator.ID(size)
			b.Entries[i].Sequence += uint64(size)
		}
		return err
	}
	if err := loadNext(); err != nil {
		return sample{}, 0, err
	}
	start, cpu := time.Now(), ownTime()
	for time.Since(start) < window {
		if err := loadNext(); err != nil {
			return sample{}, 0, err
		}
	}
	elapsed, spent := time.Since(start), ownTime()-cpu
	measured := float64(rows - size)
	return sample{measured / elapsed.Seconds(), []float64{spent.Seconds() * 1e6 / measured}}, rows, nil
}

// ownTime is the processor time of this process so far.
func ownTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage) // cannot fail
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// checkRows compares what a table holds with what was loaded into it.
func checkRows(count func() (int, error), want int) error {
	got, err := count()
	if err == nil && got != want {
		err = fmt.Errorf("%d rows were loaded, the table has %d", want, got)
	}
	return err
}

// emptyTable opens a pool and makes the table of numbers empty.
func emptyTable(ctx context.Context, t *lifetime, url string) (*pgxpool.Pool, error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, err
	}
	t.Cleanup(pool.Close)
	_, err = pool.Exec(ctx, "TRUNCATE tracking_numbers")
	return pool, err
}
