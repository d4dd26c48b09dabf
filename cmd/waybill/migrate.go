package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"

	"waybill/migrations"
	"waybill/persist"

	"github.com/sethvargo/go-envconfig"
)

// runMigrate is `waybill migrate up|status|down|force VERSION`, of Postgres, or of
// the embedded database, which a start of the server brings up by itself.
func runMigrate(ctx context.Context, args []string, l envconfig.Lookuper, stdout io.Writer) error {
	c, err := loadConfig(ctx, l)
	if err != nil {
		return err
	}
	dialect, name := migrations.Postgres, c.DatabaseURL
	if name == "" {
		dialect, name = migrations.SQLite, persist.SQLiteURL(c.databasePath())
		if _, err := os.Stat(c.databasePath()); err != nil {
			return fmt.Errorf("migrate: DATABASE_URL is not set, and there is no embedded database to migrate: %w", err)
		}
	}
	db, err := migrations.Open(dialect, name)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // a second time after a migration
	command := ""
	if len(args) > 0 {
		command = args[0]
	}
	switch {
	case command == "up" && len(args) == 1:
		err = migrations.Up(db, dialect)
	case command == "down" && len(args) == 1:
		err = migrations.Down(db, dialect, 1)
	case command == "force" && len(args) == 2:
		to, convErr := strconv.Atoi(args[1])
		if convErr != nil {
			return fmt.Errorf("migrate force: %q is no version: %w", args[1], errUsage)
		}
		err = migrations.Force(db, dialect, to)
	case command == "status" && len(args) == 1:
	default:
		return fmt.Errorf("migrate needs one of: up, status, down, force VERSION: %w", errUsage)
	}
	if err != nil {
		return err
	}
	return tellVersion(ctx, dialect, name, stdout)
}

func tellVersion(ctx context.Context, d migrations.Dialect, name string, stdout io.Writer) error {
	db, err := migrations.Open(d, name)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // it was only read
	at, dirty, err := migrations.Version(ctx, db, d)
	if err != nil {
		return err
	}
	state := ""
	if dirty {
		state = ", a migration broke off"
	}
	_, err = fmt.Fprintf(stdout, "schema version %d%s; this program needs %d\n", at, state, d.Latest())
	return err
}
