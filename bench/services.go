package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"waybill/internal/testenv"
)

// upFunc starts a server: see service.
type upFunc = func(context.Context, *lifetime) (*process, string, func(int) error, error)

// unchecked accounts for nothing.
func unchecked(int) error { return nil }

// self is this program in another role: see serveAs.
func self(role string, env ...string) upFunc {
	return func(ctx context.Context, t *lifetime) (*process, string, func(int) error, error) {
		program, err := os.Executable()
		if err != nil {
			return nil, "", nil, err
		}
		address := loopback(t)
		url := "http://" + address
		p, err := start(ctx, t, url+target, append([]string{"LISTEN=" + address}, env...), program, "-serve", role)
		return p, url, unchecked, err
	}
}

// waybill is the program with a new number space.
func waybill(program string, env ...string) upFunc {
	return func(ctx context.Context, t *lifetime) (*process, string, func(int) error, error) {
		address := loopback(t)
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, "", nil, err
		}
		url := "http://" + address
		env := append([]string{"PORT=" + port, "OPS_ADDR=" + loopback(t), "DATA_DIR=" + t.TempDir()}, env...)
		p, err := start(ctx, t, url+"/readyz", env, program)
		if err != nil {
			return nil, "", nil, err
		}
		return p, url, unchecked, sizeIsThatOf(ctx, url+target, body)
	}
}

// waybillPostgres is waybill with an empty database of its own, in which all
// that was answered has to arrive.
func waybillPostgres(program string, server *testenv.PostgresServer, env ...string) upFunc {
	return func(ctx context.Context, t *lifetime) (*process, string, func(int) error, error) {
		database := server.NewDatabase(t)
		if err := migrate(database); err != nil {
			return nil, "", nil, err
		}
		p, url, _, err := waybill(program, append([]string{"DATABASE_URL=" + database}, env...)...)(ctx, t)
		return p, url, func(answered int) error { return awaitRows(ctx, database, answered) }, err
	}
}

// drainLimit is how long records may take to arrive after the load.
const drainLimit = 60 * time.Second

// awaitRows returns when the table of numbers has at least so many rows.
func awaitRows(ctx context.Context, database string, answered int) error {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for deadline := time.Now().Add(drainLimit); ; time.Sleep(100 * time.Millisecond) {
		var rows, conflicts int
		err := conn.QueryRow(ctx, "SELECT (SELECT count(*) FROM tracking_numbers), (SELECT count(*) FROM issued_conflicts)").Scan(&rows, &conflicts)
		switch {
		case err != nil:
			return err
		case conflicts > 0:
			return fmt.Errorf("%d numbers were issued twice", conflicts)
		case rows >= answered:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("%d requests were answered, the table has %d rows after %v", answered, rows, drainLimit)
		}
	}
}
