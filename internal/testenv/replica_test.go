package testenv

import (
	"testing"
)

func TestAReplicaIsInSyncThenStaleThenAPrimary(t *testing.T) {
	t.Parallel()
	primary := Redis(t)
	mustDo(t, primary, "SET", "k", "old")
	link := Toxiproxy(t).Proxy(primary.Addr)
	replica := RedisReplica(t, link.Addr)
	if got := mustDo(t, replica, "GET", "k"); got != "old" {
		t.Fatalf("the replica has %q", got)
	}
	mustDo(t, primary, "SET", "seen", "1")
	if got := mustDo(t, primary, "WAIT", "1", "900"); got != "1" {
		t.Errorf("WAIT = %s with a replica in sync", got)
	}
	link.Cut()
	mustDo(t, primary, "SET", "k", "new")
	if got := mustDo(t, primary, "WAIT", "1", "100"); got != "0" {
		t.Errorf("WAIT = %s with a replica that is cut off", got)
	}
	replica.Promote()
	mustDo(t, replica, "SET", "own", "1")
	if got := mustDo(t, replica, "GET", "k"); got != "old" {
		t.Errorf("the stale replica has %q", got)
	}
	if got := mustDo(t, primary, "GET", "k"); got != "new" {
		t.Errorf("the old primary has %q", got)
	}
}
