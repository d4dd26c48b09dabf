package testenv

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestPostgresKeepsWhatItCommittedWhenKilled(t *testing.T) {
	t.Parallel()
	Need(t, "psql")
	postgres := Postgres(t)
	url, other := postgres.NewDatabase(t), postgres.NewDatabase(t)
	if url == other {
		t.Fatalf("the same database twice: %s", url)
	}
	if got := psql(t, url, "select 1"); got != "1" {
		t.Fatalf("select 1 = %q", got)
	}
	if got := psql(t, url, "show fsync"); got != "on" {
		t.Errorf("fsync is %s: the server must run with its own durability", got)
	}
	psql(t, url, "create table kept (n int); insert into kept values (42)")

	family := append(children(postgres.PID()), postgres.PID())
	if len(family) < 3 {
		t.Fatalf("the family is only %v", family)
	}
	postgres.Kill()
	wantGone(t, family...)
	postgres.Start()
	if got := psql(t, url, "select n from kept"); got != "42" {
		t.Errorf("after kill -9 n = %q, want 42", got)
	}
	if !strings.Contains(postgres.Output(), "automatic recovery in progress") {
		t.Error("the server did not recover: it was not killed but shut down")
	}
	if state := postgres.StopImmediate(); !state.Exited() {
		t.Errorf("an immediate shutdown ended with %v", state)
	}
	postgres.Start()
	if state := postgres.Stop(); !state.Success() {
		t.Errorf("a fast shutdown ended with %v", state)
	}
	postgres.Restart()
	if got := psql(t, url, "select n from kept"); got != "42" {
		t.Errorf("after two shutdowns n = %q, want 42", got)
	}
}

func TestAPausedPostgresDoesNotAnswerOpenConnections(t *testing.T) {
	t.Parallel()
	Need(t, "psql")
	postgres := Postgres(t)
	// The session ends by itself unless its backend, which is not in the postmaster's process group, is frozen too.
	session, err := spawn(command("psql", "", "-X", "-d", postgres.URL, "-c", "select pg_sleep(3)"))
	if err != nil {
		t.Fatal(err)
	}
	defer session.kill()
	waitUntil(t, "the session sleeps", func() bool {
		return psql(t, postgres.URL, "select count(*) from pg_stat_activity where wait_event = 'PgSleep'") == "1"
	})
	postgres.Pause()
	select {
	case <-session.done:
		t.Fatal("the session went on while the server was paused")
	case <-time.After(4 * time.Second):
	}
	postgres.Resume()
	select {
	case <-session.done:
	case <-time.After(10 * time.Second):
		t.Fatal("the session did not go on after Resume")
	}
}

func psql(t *testing.T, url, sql string) string {
	t.Helper()
	output, err := exec.Command(locate("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql).CombinedOutput()
	if err != nil {
		t.Fatalf("psql %q: %v\n%s", sql, err, output)
	}
	return strings.TrimSpace(string(output))
}
