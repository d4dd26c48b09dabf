package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"waybill/migrations"

	"github.com/sethvargo/go-envconfig"
)

// runMigrate is `waybill migrate up|status|down|force VERSION`.
func runMigrate(ctx context.Context, args []string, l envconfig.Lookuper, stdout io.Writer) error {
	c, err := loadConfig(ctx, l)
	if err != nil {
		return err
	}
	if c.DatabaseURL == "" {
		return fmt.Errorf("migrate: DATABASE_URL is not set; the embedded database is migrated when the server starts: %w", errUsage)
	}
	db, err := migrations.Open(migrations.Postgres, c.DatabaseURL)
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
		err = migrations.Up(db, migrations.Postgres)
	case command == "down" && len(args) == 1:
		err = migrations.Down(db, migrations.Postgres, 1)
	case command == "force" && len(args) == 2:
		to, convErr := strconv.Atoi(args[1])
		if convErr != nil {
			return fmt.Errorf("migrate force: %q is no version: %w", args[1], errUsage)
		}
		err = migrations.Force(db, migrations.Postgres, to)
	case command == "status" && len(args) == 1:
	default:
		return fmt.Errorf("migrate needs one of: up, status, down, force VERSION: %w", errUsage)
	}
	if err != nil {
		return err
	}
	return tellVersion(ctx, c.DatabaseURL, stdout)
}

func tellVersion(ctx context.Context, url string, stdout io.Writer) error {
	db, err := migrations.Open(migrations.Postgres, url)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // it was only read
	at, dirty, err := migrations.Version(ctx, db, migrations.Postgres)
	if err != nil {
		return err
	}
	state := ""
	if dirty {
		state = ", a migration broke off"
	}
	_, err = fmt.Fprintf(stdout, "schema version %d%s; this program needs %d\n", at, state, migrations.Postgres.Latest())
	return err
}
