package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	postgres "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/database/sqlite"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

//go:embed postgres sqlite
var files embed.FS

// Dialect is one set of migrations.
type Dialect string

// The dialects, which are also the names of the folders.
const (
	Postgres Dialect = "postgres"
	SQLite   Dialect = "sqlite"
)

// Latest is the version that this program was built for.
func (d Dialect) Latest() (latest uint) {
	entries, err := fs.ReadDir(files, string(d))
	if err != nil {
		panic(err) // the files are part of the program
	}
	for _, entry := range entries {
		number, _, _ := strings.Cut(entry.Name(), "_")
		if v, err := strconv.ParseUint(number, 10, 32); err == nil {
			latest = max(latest, uint(v))
		}
	}
	return latest
}

// ErrSchema is wrapped by Check.
var ErrSchema = errors.New("the database's schema is not the one this program needs")

// Check returns nil when the database at db has the schema that this program
// needs or a newer one. It changes nothing.
func Check(ctx context.Context, db *sql.DB, d Dialect) error {
	version, dirty, err := Version(ctx, db, d)
	switch {
	case err != nil:
		return err
	case dirty:
		before := int(version) - 1
		if before == 0 {
			before = database.NilVersion
		}
		return fmt.Errorf("%w: a migration to version %d broke off: repair what it left, then run: waybill migrate force %d", ErrSchema, version, before)
	case version < d.Latest():
		return fmt.Errorf("%w: it has version %d, version %d is needed: run: waybill migrate up", ErrSchema, version, d.Latest())
	}
	return nil
}

// Version is the schema's version, 0 when there is none, and whether a migration
// to it broke off.
func Version(ctx context.Context, db *sql.DB, d Dialect) (version uint, dirty bool, err error) {
	exists := "SELECT count(*) FROM sqlite_master WHERE name = 'schema_migrations'"
	if d == Postgres {
		exists = "SELECT count(*) FROM pg_class WHERE oid = to_regclass('schema_migrations')"
	}
	var tables int
	if err := db.QueryRowContext(ctx, exists).Scan(&tables); err != nil || tables == 0 {
		return 0, false, wrap("read the schema's version", err)
	}
	err = db.QueryRowContext(ctx, "SELECT version, dirty FROM schema_migrations").Scan(&version, &dirty)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return version, dirty, wrap("read the schema's version", err)
}

// Up moves the database to the latest version; a newer one stays as it is. Like
// Down and Force it closes db.
func Up(db *sql.DB, d Dialect) error {
	version, dirty, err := Version(context.Background(), db, d)
	if err != nil || version > d.Latest() && !dirty {
		return errors.Join(err, db.Close())
	}
	return with(db, d, func(m *migrate.Migrate) error { return m.Up() })
}

// Down undoes the last step migrations, with all the data in their tables.
func Down(db *sql.DB, d Dialect, steps int) error {
	return with(db, d, func(m *migrate.Migrate) error { return m.Steps(-steps) })
}

// Force notes a version without running anything, after a repair by hand.
func Force(db *sql.DB, d Dialect, version int) error {
	return with(db, d, func(m *migrate.Migrate) error { return m.Force(version) })
}

// with runs a migration and closes db.
func with(db *sql.DB, d Dialect, run func(*migrate.Migrate) error) error {
	source, err := iofs.New(files, string(d))
	if err != nil {
		return wrap("read the migrations", errors.Join(err, db.Close()))
	}
	var target database.Driver
	if d == Postgres {
		target, err = postgres.WithInstance(db, &postgres.Config{})
	} else {
		target, err = sqlite.WithInstance(db, &sqlite.Config{})
	}
	if err != nil {
		return wrap("connect", errors.Join(err, source.Close(), db.Close()))
	}
	m, err := migrate.NewWithInstance("embedded", source, string(d), target)
	if err != nil {
		return wrap("begin", errors.Join(err, source.Close(), db.Close()))
	}
	if err = run(m); errors.Is(err, migrate.ErrNoChange) {
		err = nil
	}
	sourceErr, targetErr := m.Close() // closes db too
	return wrap(string(d), errors.Join(err, sourceErr, targetErr))
}

func wrap(step string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("migrations: %s: %w", step, err)
}

// Open returns a database of either dialect: a Postgres URL, which may have
// parameters of a pool, or an SQLite data source name.
func Open(d Dialect, name string) (*sql.DB, error) {
	if d == SQLite {
		db, err := sql.Open("sqlite", name)
		return db, wrap("open", err)
	}
	config, err := pgxpool.ParseConfig(name)
	if err != nil {
		return nil, wrap("open", err)
	}
	return stdlib.OpenDB(*config.ConnConfig), nil
}
