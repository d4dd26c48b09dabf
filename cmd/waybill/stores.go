package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"waybill/lease"
	"waybill/migrations"
	"waybill/persist"

	"github.com/google/uuid"
)

// stores are what a service rests on: the database of its records and the
// authorities of its leases. Which of them there are follows from the URLs, and
// is a property of the number space.
type stores struct {
	config   Config
	space    lease.Space // its ID is known once the stores have admitted this instance
	records  persist.Store
	file     *lease.File
	redis    *lease.Redis
	postgres *lease.Postgres
}

// openStores opens what is embedded and prepares the rest: it connects to
// nothing. What was opened is to be closed even when it fails.
func openStores(ctx context.Context, c Config) (s *stores, err error) {
	s = &stores{config: c, space: lease.NewSpace(c.Layout, c.Form, c.authorities())}
	if c.RedisURL != "" {
		s.space.Window, s.space.Replicas = lease.Duration(c.LeaseWindow), c.RedisReplicas
		s.redis, err = lease.OpenRedis(lease.RedisConfig{URL: c.RedisURL, TLS: c.RedisTLS, Window: c.LeaseWindow})
		if err != nil {
			return s, fmt.Errorf("REDIS_URL: %w", err)
		}
	}
	if c.DatabaseURL == "" {
		return s, s.openEmbedded(ctx)
	}
	numbers := persist.Numbers{Layout: c.Layout, Form: c.Form}
	if s.records, err = persist.OpenPostgres(ctx, c.DatabaseURL, numbers); err != nil {
		return s, fmt.Errorf("DATABASE_URL: %w", err)
	}
	if s.postgres, err = lease.OpenPostgres(ctx, c.DatabaseURL, c.LeaseClaim); err != nil {
		return s, fmt.Errorf("DATABASE_URL: %w", err)
	}
	return s, nil
}

// openEmbedded opens the database in DATA_DIR and, without Redis, the lease file.
func (s *stores) openEmbedded(ctx context.Context) (err error) {
	if s.redis != nil {
		s.space = s.space.Derived()
		if err := os.MkdirAll(s.config.DataDir, 0o700); err != nil {
			return fmt.Errorf("DATA_DIR: %w", err)
		}
	} else {
		if s.file, err = lease.OpenFile(s.config.DataDir, s.space, s.config.LeaseClaim); err != nil {
			return fmt.Errorf("DATA_DIR: %w", err)
		}
		s.space = s.file.Space()
	}
	path := s.config.databasePath()
	if err := migrateEmbedded(path); err != nil {
		return err
	}
	s.records, err = persist.OpenSQLite(ctx, path, persist.Numbers{Layout: s.config.Layout, Form: s.config.Form})
	return err
}

// admitLimit bounds one attempt to be admitted.
const admitLimit = 5 * time.Second

// admit returns nil once every store can be used and is of this number space;
// until then nothing may be issued.
func (s *stores) admit(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, admitLimit)
	defer cancel()
	if s.postgres == nil {
		space := s.space.Numbers()
		if _, _, err := enter(ctx, s.records, space, space, s.config.databasePath()); err != nil {
			return err
		}
	} else if err := s.enterPostgres(ctx); err != nil {
		if !errors.Is(err, migrations.ErrSchema) && !errors.Is(err, lease.ErrSpace) {
			err = &lease.StoreError{Store: "the database", Err: err}
		}
		return err
	}
	if s.redis == nil {
		return nil
	}
	return s.redis.Enter(ctx, s.space)
}

// enterPostgres learns the ID of the space that the database is of, or makes it.
func (s *stores) enterPostgres(ctx context.Context) error {
	if err := checkSchema(ctx, s.config.DatabaseURL); err != nil {
		return err
	}
	proposed := s.space
	if proposed.ID == "" {
		proposed.ID = uuid.NewString()
	}
	there, stored, err := enter(ctx, s.records, proposed, s.space, "the database of DATABASE_URL")
	if err != nil {
		return err
	}
	s.space = there
	return s.postgres.Enter(ctx, there, stored)
}

// enter makes the database the proposed space's if it is nobody's yet, and returns
// the space that it is of, which has to be as configured.
func enter(ctx context.Context, records persist.Store, proposed, configured lease.Space, place string) (there lease.Space, stored []byte, err error) {
	definition, err := json.Marshal(proposed)
	if err != nil {
		return there, nil, err
	}
	if _, stored, err = records.Enter(ctx, uuid.MustParse(proposed.ID), definition); err != nil {
		return there, nil, err
	}
	if err := json.Unmarshal(stored, &there); err != nil {
		return there, nil, fmt.Errorf("the number space in %s cannot be read: %w", place, err)
	}
	return there, stored, there.Mismatch(configured, place)
}

// authorities are those of the leases; the first one's clock is the fleet's.
func (s *stores) authorities() (all []lease.Authority) {
	if s.file != nil {
		all = append(all, s.file)
	}
	if s.redis != nil {
		all = append(all, s.redis)
	}
	if s.postgres != nil {
		all = append(all, s.postgres)
	}
	return all
}

// Close closes what is open.
func (s *stores) Close() error {
	var errs []error
	if s.records != nil {
		errs = append(errs, s.records.Close())
	}
	if s.postgres != nil {
		s.postgres.Close()
	}
	if s.redis != nil {
		errs = append(errs, s.redis.Close())
	}
	if s.file != nil {
		errs = append(errs, s.file.Close())
	}
	return errors.Join(errs...)
}

// authorities names who grants leases; it follows from the URLs.
func (c Config) authorities() string {
	switch {
	case c.RedisURL != "" && c.DatabaseURL != "":
		return lease.ByRedisAndPostgres
	case c.RedisURL != "":
		return lease.ByRedis
	case c.DatabaseURL != "":
		return lease.ByPostgres
	}
	return lease.ByFile
}

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
