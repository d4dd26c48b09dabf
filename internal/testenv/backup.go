package testenv

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// SaveFiles copies the files of a Redis, running or not, and returns where: what a backup of its volume would hold. A
// running server must have been started with "--appendonly", "yes" for that to be anything.
func (s *RedisServer) SaveFiles() (saved string) {
	s.t.Helper()
	saved = filepath.Join(s.t.TempDir(), "saved")
	must(s.t, command("cp", "", "-a", s.dir, saved))
	return saved
}

// RestoreFiles puts the files of a stopped Redis back to what SaveFiles found.
func (s *RedisServer) RestoreFiles(saved string) {
	s.t.Helper()
	s.mustBeDown()
	if err := os.RemoveAll(s.dir); err != nil {
		s.t.Fatalf("remove the newer files of Redis: %v", err)
	}
	must(s.t, command("cp", "", "-a", saved, s.dir))
}

// SaveFiles takes a base backup of a running Postgres and returns where it is.
func (s *PostgresServer) SaveFiles() (saved string) {
	s.t.Helper()
	Need(s.t, "pg_basebackup")
	saved = filepath.Join(s.dir, fmt.Sprintf("saved-%d", s.backups.Add(1)))
	host, port, _ := net.SplitHostPort(s.Addr)
	must(s.t, s.tool("pg_basebackup", "-h", host, "-p", port, "-U", "postgres", "-D", saved, "-c", "fast", "--no-sync"))
	return saved
}

// RestoreFiles puts the data of a stopped Postgres back to what SaveFiles found; the next Start recovers from it.
func (s *PostgresServer) RestoreFiles(saved string) {
	s.t.Helper()
	s.mustBeDown()
	if err := os.RemoveAll(s.data()); err != nil {
		s.t.Fatalf("remove the newer data of Postgres: %v", err)
	}
	must(s.t, s.tool("cp", "-a", saved, s.data()))
}
