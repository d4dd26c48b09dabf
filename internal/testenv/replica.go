package testenv

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// syncTimeout bounds the wait for a replica to have all that its primary has.
const syncTimeout = 20 * time.Second

// RedisReplica starts a Redis that replicates the one at addr, which may be a Proxy's, and returns when it is in sync.
// Cut that proxy and the replica grows stale; Pause the replica and its primary waits for it.
func RedisReplica(t testing.TB, addr string, args ...string) *RedisServer {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatalf("replicate %q: %v", addr, err)
	}
	s := Redis(t, append([]string{"--replicaof", host + " " + port, "--repl-timeout", "5"}, args...)...)
	for deadline := time.Now().Add(syncTimeout); ; time.Sleep(probeEvery) {
		err := s.inSync()
		if err == nil {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v Redis does not replicate %s: %v", syncTimeout, addr, err)
		}
	}
}

// Promote makes a replica a primary, with what it has. Its old primary is not told.
func (s *RedisServer) Promote() {
	s.t.Helper()
	if _, err := s.Do("REPLICAOF", "NO", "ONE"); err != nil {
		s.t.Fatalf("promote %s: %v", s.Addr, err)
	}
}

// Info returns one line of INFO, such as run_id or master_link_status.
func (s *RedisServer) Info(name string) (string, error) {
	text, err := s.Do("INFO")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			return value, nil
		}
	}
	return "", fmt.Errorf("INFO has no line %s", name)
}

func (s *RedisServer) inSync() error {
	status, err := s.Info("master_link_status")
	if err == nil && status != "up" {
		return fmt.Errorf("the link to its primary is %s", status)
	}
	return err
}
