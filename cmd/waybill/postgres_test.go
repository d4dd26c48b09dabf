package main

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	"waybill/internal/testenv"
	"waybill/migrations"
)

// count asks the database itself, not the service.
func count(t *testing.T, url, query string) (n int) {
	t.Helper()
	db, err := migrations.Open(migrations.Postgres, url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(context.Background(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWithPostgresTheServerWaitsForItsSchemaAndThenRecords(t *testing.T) {
	server := testenv.Postgres(t)
	url := server.NewDatabase(t)
	s := testenv.Waybill(t, "DATABASE_URL="+url+"&pool_max_conns=4")
	c := newClient()
	eventually(t, 10*time.Second, "the command to run is named", func() bool {
		status, body, _ := c.get(s.URL + "/readyz")
		return status == 503 && strings.Contains(string(body), "waybill migrate up")
	})
	if c.next(s.URL) || c.refused[503] != 1 {
		t.Errorf("issued before the schema was there: %v", c.refused)
	}
	stdout, stderr, code := testenv.Run(t, []string{"DATABASE_URL=" + url}, "migrate", "up")
	if code != 0 || stdout != "schema version 2; this program needs 2\n" {
		t.Fatalf("migrate up: %d %s%s", code, stdout, stderr)
	}
	s.WaitReady(t)

	// The database goes, hard, and comes back: no request fails.
	c = newClient()
	stop := c.load(s.URL)
	time.Sleep(500 * time.Millisecond)
	server.Kill()
	during := c.count()
	time.Sleep(1500 * time.Millisecond)
	during = c.count() - during
	server.Start()
	time.Sleep(time.Second)
	stop()
	if len(c.refused) != 0 || during < 100 {
		t.Errorf("%d numbers while the database was down, refused %v", during, c.refused)
	}
	c.assertUnique(t)
	eventually(t, 30*time.Second, "every number in the table, once", func() bool {
		return count(t, url, "SELECT count(*) FROM tracking_numbers") >= len(c.numbers)
	})
	stored := map[string]bool{}
	db, err := migrations.Open(migrations.Postgres, url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT tracking_number FROM tracking_numbers")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var n string
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		if stored[n] {
			t.Fatalf("%s is stored twice", n)
		}
		stored[n] = true
	}
	for _, n := range c.numbers {
		if !stored[n] {
			t.Fatalf("%s was answered and is not stored", n)
		}
	}
	if conflicts := count(t, url, "SELECT count(*) FROM issued_conflicts"); conflicts != 0 {
		t.Errorf("%d conflicts", conflicts)
	}
	t.Logf("%d numbers, %d of them without the database", len(c.numbers), during)
}

// migrated is a database with the program's schema.
func migrated(t *testing.T) (server *testenv.PostgresServer, url string) {
	t.Helper()
	server = testenv.Postgres(t)
	url = server.NewDatabase(t)
	if _, stderr, code := testenv.Run(t, []string{"DATABASE_URL=" + url}, "migrate", "up"); code != 0 {
		t.Fatal(stderr)
	}
	return server, url
}

// Two folders on one database are two instances of one number space, with a
// worker each; a third that is configured differently never issues.
func TestInstancesOnOneDatabaseShareItsSpaceAndAnotherIsRefused(t *testing.T) {
	_, url := migrated(t)
	first, second := testenv.Waybill(t, "DATABASE_URL="+url), testenv.Waybill(t, "DATABASE_URL="+url)
	first.WaitReady(t)
	second.WaitReady(t)
	c := newClient()
	for range 200 {
		if !c.next(first.URL) || !c.next(second.URL) {
			t.Fatalf("refused: %v", c.refused)
		}
	}
	c.assertUnique(t)
	c.assertRecorded(t, first.URL, 5*time.Second)

	other := testenv.Waybill(t, "DATABASE_URL="+url, "WORKER_BITS=8")
	eventually(t, 10*time.Second, "the reason is told", func() bool {
		status, body, _ := c.get(other.URL + "/readyz")
		return status == 503 && strings.Contains(string(body), "WORKER_BITS is 10 there and 8 here")
	})
	for range 20 {
		if c.next(other.URL) {
			t.Fatal("an instance of another layout issued a number")
		}
	}
}

// A database that hangs is no reason to hang.
func TestAHungDatabaseDoesNotKeepTheServerFromStopping(t *testing.T) {
	server, url := migrated(t)
	s := testenv.Waybill(t, "DATABASE_URL="+url)
	s.WaitReady(t)
	c := newClient()
	c.next(s.URL)
	c.assertRecorded(t, s.URL, 5*time.Second)
	server.Pause()
	defer server.Resume()
	for range 4 {
		go c.state(s.URL, c.numbers[0])
	}
	c.next(s.URL)
	begin := time.Now()
	if state := c.state(s.URL, c.numbers[0]); state != "503" || time.Since(begin) > 5*time.Second {
		t.Errorf("a look-up says %s after %s", state, time.Since(begin))
	}
	_ = s.Signal(syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
	defer cancel()
	if state, err := s.Wait(ctx); err != nil || state.ExitCode() != 0 {
		t.Errorf("%v, %v", state, err)
	}
}

// In mode database a reply needs the database: without it the service says so to
// load balancers, and says nothing of where it is.
func TestWithoutItsDatabaseModeDatabaseIsNotReady(t *testing.T) {
	server, url := migrated(t)
	s := testenv.Waybill(t, "DATABASE_URL="+url, "RECORD_ACK=database")
	s.WaitReady(t)
	c := newClient()
	if !c.next(s.URL) {
		t.Fatalf("refused %v", c.refused)
	}
	server.Kill()
	if c.next(s.URL) || c.refused[503] != 1 {
		t.Errorf("answered without the database: %v", c.refused)
	}
	status, body, _ := c.get(s.URL + "/readyz")
	if status != 503 || !strings.Contains(string(body), "cannot be reached") || strings.Contains(string(body), "127.0.0.1") {
		t.Errorf("%d %s", status, body)
	}
	server.Start()
	eventually(t, 20*time.Second, "numbers again", func() bool { return c.next(s.URL) })
	c.assertUnique(t)
	c.assertRecorded(t, s.URL, 10*time.Second)
}
