package testenv

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// PgBouncerServer is a private PgBouncer that lends a session of Postgres for one transaction at a time.
type PgBouncerServer struct {
	*Process
	Addr string // 127.0.0.1:port, in place of Postgres's
}

// PgBouncer starts a PgBouncer in front of the Postgres at addr, which may be a Proxy's, for all its databases. The
// settings, such as "default_pool_size = 2", go into its section of the configuration; later ones win.
func PgBouncer(t testing.TB, addr string, settings ...string) *PgBouncerServer {
	t.Helper()
	Need(t, "pgbouncer")
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatalf("put PgBouncer before %q: %v", addr, err)
	}
	listen := strconv.Itoa(FreePort(t))
	owner := postgresOwner(t) // it refuses root too
	dir := sharedDir(t, owner)
	config := append([]string{
		"[databases]",
		fmt.Sprintf("* = host=%s port=%s user=postgres", host, port),
		"[pgbouncer]",
		"listen_addr = 127.0.0.1", "listen_port = " + listen, "unix_socket_dir =",
		"auth_type = any", "pool_mode = transaction", "max_client_conn = 1000", "server_login_retry = 0",
	}, settings...)
	file := filepath.Join(dir, "pgbouncer.ini")
	if err := os.WriteFile(file, []byte(strings.Join(config, "\n")+"\n"), 0o644); err != nil {
		t.Fatalf("write the PgBouncer configuration: %v", err)
	}
	s := &PgBouncerServer{Addr: "127.0.0.1:" + listen}
	s.Process = adopt(t, &Process{
		name:   "pgbouncer",
		polite: syscall.SIGTERM,
		command: func() *exec.Cmd {
			cmd := command("pgbouncer", dir, file)
			if owner != nil {
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner}
			}
			return cmd
		},
		ready: func(ctx context.Context) error { return dialAll(ctx, []string{s.Addr}) },
	})
	s.Start()
	return s
}

// Through returns a database's URL with PgBouncer's address in place of Postgres's.
func (s *PgBouncerServer) Through(database string) string {
	s.t.Helper()
	address, err := url.Parse(database)
	if err != nil {
		s.t.Fatalf("lead %q through PgBouncer: %v", database, err)
	}
	address.Host = s.Addr
	return address.String()
}
