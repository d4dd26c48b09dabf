package testenv

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// PostgresServer is a private Postgres with the durability that it has by default. Its address and data stay the same
// when it is restarted. Stop is a fast shutdown; Kill ends the postmaster and all backends at the same moment.
type PostgresServer struct {
	*Process
	Addr string // 127.0.0.1:port
	URL  string // of the database "postgres"

	dir       string
	port      string
	owner     *syscall.Credential
	clock     *clock // nil: the machine's
	databases atomic.Int64
	backups   atomic.Int64
}

// Postgres starts a Postgres. The args are the server's own, such as "-c", "max_connections=20".
func Postgres(t testing.TB, args ...string) *PostgresServer {
	t.Helper()
	s := newPostgres(t, args)
	s.Start()
	return s
}

// PostgresWithClock starts a Postgres whose wall clock StepClock can put wrong.
func PostgresWithClock(t testing.TB, args ...string) *PostgresServer {
	t.Helper()
	s := newPostgres(t, args)
	s.clock = newClock(t, s.dir, clockForSignals)
	s.Start()
	return s
}

func newPostgres(t testing.TB, args []string) *PostgresServer {
	t.Helper()
	Need(t, "initdb", "postgres", "createdb", "pg_isready")
	s := &PostgresServer{port: strconv.Itoa(FreePort(t)), owner: postgresOwner(t)}
	s.Addr = net.JoinHostPort("127.0.0.1", s.port)
	s.URL = s.databaseURL("postgres")
	s.dir = sharedDir(t, s.owner)
	s.initdb(t)
	options := append([]string{
		"-D", s.data(), "-p", s.port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
		"-c", "dynamic_shared_memory_type=mmap", // in its folder: a killed server leaves nothing in /dev/shm
	}, args...)
	s.Process = adopt(t, &Process{
		name:   "postgres",
		polite: syscall.SIGINT, // SIGTERM would wait for its clients to leave
		command: func() *exec.Cmd {
			cmd := s.tool("postgres", options...)
			if s.clock != nil {
				cmd.Env = append(cmd.Env, s.clock.env...)
			}
			return cmd
		},
		ready: s.accepts,
	})
	return s
}

// StepClock moves the wall clock of a server started by PostgresWithClock, further each time; it stays moved over
// restarts.
func (s *PostgresServer) StepClock(d time.Duration) {
	s.t.Helper()
	if s.clock == nil {
		s.t.Fatal("this Postgres has the machine's clock: start it with PostgresWithClock")
	}
	s.clock.step(d)
}

// NewDatabase creates an empty database and returns its URL. The server must be running.
func (s *PostgresServer) NewDatabase(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", s.databases.Add(1))
	must(t, s.tool("createdb", "-h", "127.0.0.1", "-p", s.port, "-U", "postgres", name))
	return s.databaseURL(name)
}

// StopImmediate ends the server without a checkpoint, as a fatal error of its own would: the next Start recovers.
func (s *PostgresServer) StopImmediate() *os.ProcessState {
	return s.stop(syscall.SIGQUIT, stopTimeout)
}

func (s *PostgresServer) databaseURL(name string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%s/%s?sslmode=disable", s.port, name)
}

// accepts succeeds when the server takes queries; while it recovers it listens but turns clients away.
func (s *PostgresServer) accepts(ctx context.Context) error {
	state, err := finish(ctx, s.tool("pg_isready", "-q", "-h", "127.0.0.1", "-p", s.port))
	if err != nil {
		return err
	}
	if !state.Success() {
		return fmt.Errorf("pg_isready: %v", state)
	}
	if s.clock != nil {
		s.clock.forget(s.PID())
	}
	return nil
}

func (s *PostgresServer) data() string { return filepath.Join(s.dir, "data") }

// tool prepares one of Postgres's programs, run by the owner of the data.
func (s *PostgresServer) tool(program string, args ...string) *exec.Cmd {
	cmd := command(program, s.dir, args...)
	cmd.Env = append(cmd.Env, "LC_ALL=C")
	if s.owner != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner}
	}
	return cmd
}

// postgresOwner returns the account to run Postgres with, which refuses root; nil means the one we have.
func postgresOwner(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		t.Fatalf("Postgres refuses to run as root, and there is no other account for it: %v", err)
	}
	uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
	if uidErr != nil || gidErr != nil {
		t.Fatalf("the postgres account has uid %q and gid %q", account.Uid, account.Gid)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// sharedDir makes a folder for the owner. It is not t.TempDir, whose parent only we may enter.
func sharedDir(t testing.TB, owner *syscall.Credential) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "waybill-postgres-")
	if err != nil {
		t.Fatalf("make a folder for Postgres: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the folder of Postgres: %v", err)
		}
	})
	if owner == nil {
		return dir
	}
	if err := os.Chown(dir, int(owner.Uid), int(owner.Gid)); err != nil {
		t.Fatalf("give the folder to the postgres account: %v", err)
	}
	return dir
}
