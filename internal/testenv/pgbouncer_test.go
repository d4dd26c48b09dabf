package testenv

import (
	"bufio"
	"io"
	"strings"
	"testing"
)

func TestPgBouncerLendsASessionForOneTransaction(t *testing.T) {
	t.Parallel()
	Need(t, "psql")
	postgres := Postgres(t)
	bouncer := PgBouncer(t, postgres.Addr, "default_pool_size = 1")
	url := bouncer.Through(postgres.NewDatabase(t))
	// Two clients of one session: the second would wait for ever if the first kept it.
	first := command("psql", "", "-XAtq", "-d", url)
	in, _ := first.StdinPipe()
	out, _ := first.StdoutPipe()
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close(); _ = first.Wait() }()
	_, _ = io.WriteString(in, "select pg_backend_pid();\n")
	pid, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if got := psql(t, url, "select pg_backend_pid()"); got != strings.TrimSpace(pid) {
		t.Errorf("the second client got the session %s, the first has %s", got, pid)
	}
	postgres.Restart()
	if got := psql(t, url, "select 1"); got != "1" {
		t.Errorf("select 1 = %q after a restart of Postgres", got)
	}
}
