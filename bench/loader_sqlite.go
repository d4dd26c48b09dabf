package main

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"waybill/migrations"
	"waybill/persist"
)

// sqliteGroup compares the embedded store's Load with a prepared INSERT for
// each row, in one transaction a batch, in a database with the same settings.
func sqliteGroup(numbers persist.Numbers, size int, window time.Duration) group {
	const note = "%.2f µs of CPU a row"
	return group{name: fmt.Sprintf("row into SQLite, batches of %d, /s", size), contestants: []contestant{
		{"database/sql INSERT", note + "; no progress row", func(ctx context.Context) (sample, error) {
			return within(func(t *lifetime) (sample, error) {
				return loadSQLite(ctx, t, size, window, func(path string, _ uuid.UUID) (loadFunc, error) {
					db, err := sql.Open("sqlite", persist.SQLiteURL(path))
					if err != nil {
						return nil, err
					}
					t.Cleanup(func() { _ = db.Close() })
					return insertEach(db, numbers), nil
				})
			})
		}},
		{"waybill Load", note + "; progress in the same transaction", func(ctx context.Context) (sample, error) {
			return within(func(t *lifetime) (sample, error) {
				return loadSQLite(ctx, t, size, window, func(path string, spool uuid.UUID) (loadFunc, error) {
					store, err := persist.OpenSQLite(ctx, path, numbers)
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

// loadSQLite measures one way of loading into a new database.
func loadSQLite(ctx context.Context, t *lifetime, size int, window time.Duration, open func(string, uuid.UUID) (loadFunc, error)) (sample, error) {
	path := filepath.Join(t.TempDir(), "bench.db")
	db, err := migrations.Open(migrations.SQLite, persist.SQLiteURL(path))
	if err != nil {
		return sample{}, err
	}
	if err := migrations.Up(db, migrations.SQLite); err != nil { // closes db
		return sample{}, err
	}
	spool := uuid.New()
	load, err := open(path, spool)
	if err != nil {
		return sample{}, err
	}
	s, rows, err := measureLoad(ctx, spool, size, window, load)
	if err != nil {
		return sample{}, err
	}
	return s, checkRows(func() (n int, err error) {
		db, err := sql.Open("sqlite", persist.SQLiteURL(path))
		if err != nil {
			return 0, err
		}
		defer db.Close()
		err = db.QueryRowContext(ctx, "SELECT count(*) FROM tracking_numbers").Scan(&n)
		return n, err
	}, rows)
}

// insertEach inserts a batch row by row.
func insertEach(db *sql.DB, numbers persist.Numbers) loadFunc {
	const statement = "INSERT INTO tracking_numbers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	return func(ctx context.Context, b persist.Batch) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback() // does nothing after a commit
		insert, err := tx.Prepare(statement)
		if err != nil {
			return err
		}
		defer insert.Close()
		spool := b.Spool.String()
		for i := range b.Entries {
			e := &b.Entries[i]
			if _, err := insert.Exec(int64(e.ID), numbers.Form.Format(e.ID, e.Origin), e.Origin.String(), e.Destination.String(), int64(e.Weight),
				e.OrderedAt, e.CustomerID.String(), e.CustomerName, e.CustomerSlug,
				numbers.Layout.UnixMilli(e.ID), numbers.Layout.Worker(e.ID), e.Epoch, spool, int64(e.Sequence)); err != nil {
				return err
			}
		}
		return tx.Commit()
	}
}
