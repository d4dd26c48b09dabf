package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"waybill/lease"
	"waybill/migrations"
	"waybill/persist"

	"github.com/google/uuid"
)

// openStore opens the store that the configuration names. admit returns nil once
// the database has the schema and is of this number space; until then nothing
// may be issued.
func (s *server) openStore(ctx context.Context, space lease.Space) (store persist.Store, admit func(context.Context) error, err error) {
	numbers := persist.Numbers{Layout: s.Layout, Form: s.Form}
	if s.DatabaseURL == "" {
		path := s.databasePath()
		if err := migrateEmbedded(path); err != nil {
			return nil, nil, err
		}
		store, err = persist.OpenSQLite(ctx, path, numbers)
		if err != nil {
			return nil, nil, err
		}
		return store, func(ctx context.Context) error { return enter(ctx, store, space, path) }, nil
	}
	store, err = persist.OpenPostgres(ctx, s.DatabaseURL, numbers)
	if err != nil {
		return nil, nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	return store, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		err := checkSchema(ctx, s.DatabaseURL)
		if err == nil {
			err = enter(ctx, store, space, "the database of DATABASE_URL")
		}
		if err != nil && !errors.Is(err, migrations.ErrSchema) && !errors.Is(err, lease.ErrSpace) {
			return away{err}
		}
		return err
	}, nil
}

// errAway is what the world may know of a database that does not answer.
var errAway = errors.New("the database cannot be reached")

// away hides an error that has addresses in it behind errAway; the log unwraps it.
type away struct{ cause error }

func (away) Error() string   { return errAway.Error() }
func (a away) Unwrap() error { return a.cause }

// databasePath is the embedded database's file.
func (c Config) databasePath() string { return filepath.Join(c.DataDir, "waybill.db") }

// migrateEmbedded brings the embedded database to the program's schema.
func migrateEmbedded(path string) error {
	db, err := migrations.Open(migrations.SQLite, persist.SQLiteURL(path))
	if err != nil {
		return err
	}
	return migrations.Up(db, migrations.SQLite)
}

// checkSchema returns an error that names the command to run when the schema is
// older than the program.
func checkSchema(ctx context.Context, url string) error {
	db, err := migrations.Open(migrations.Postgres, url)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // it was only read
	return migrations.Check(ctx, db, migrations.Postgres)
}

// enter makes sure that the database is of this number space: another instance
// with a lease file of its own, recording to the same database, would issue the
// same numbers.
func enter(ctx context.Context, store persist.Store, space lease.Space, place string) error {
	definition, err := json.Marshal(space)
	if err != nil {
		return err
	}
	_, stored, err := store.Enter(ctx, uuid.MustParse(space.ID), definition)
	if err != nil {
		return err
	}
	var there lease.Space
	if err := json.Unmarshal(stored, &there); err != nil {
		return fmt.Errorf("the number space in %s cannot be read: %w", place, err)
	}
	return there.Mismatch(space, place)
}
