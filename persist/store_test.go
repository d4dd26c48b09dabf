package persist

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"waybill/generator"
	"waybill/internal/testenv"
	"waybill/migrations"

	"github.com/google/uuid"
)

func testNumbers(t testing.TB) Numbers {
	t.Helper()
	l, err := generator.NewLayout(10, 12, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return Numbers{Layout: l}
}

// newSQLite is a fresh embedded store, in a folder with a troublesome name.
func newSQLite(t testing.TB) Store {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "50% #1?")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "waybill.db")
	t.Cleanup(func() {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("the database is elsewhere: %v", err)
		}
	})
	db, err := migrations.Open(migrations.SQLite, SQLiteURL(path))
	if err != nil {
		t.Fatal(err)
	}
	if err := migrations.Up(db, migrations.SQLite); err != nil {
		t.Fatal(err)
	}
	s, err := OpenSQLite(context.Background(), path, testNumbers(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// newPostgres is a fresh database in a server.
func newPostgres(t testing.TB, server *testenv.PostgresServer) *Postgres {
	t.Helper()
	url := server.NewDatabase(t)
	db, err := migrations.Open(migrations.Postgres, url)
	if err != nil {
		t.Fatal(err)
	}
	if err := migrations.Up(db, migrations.Postgres); err != nil {
		t.Fatal(err)
	}
	s, err := OpenPostgres(context.Background(), url, testNumbers(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// forEachStore runs a test on fresh stores of every kind.
func forEachStore(t *testing.T, test func(t *testing.T, s Store)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newSQLite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, newPostgres(t, testenv.Postgres(t))) })
}

func batch(spool uuid.UUID, first, last int) Batch {
	b := Batch{Spool: spool, First: uint64(first), Last: uint64(last)}
	for n := first; n <= last; n++ {
		b.Entries = append(b.Entries, Entry{uint64(n), testRecord(n)})
	}
	return b
}

func assertStored(t *testing.T, s Store, n int) {
	t.Helper()
	if r, err := s.Find(context.Background(), testRecord(n).ID); err != nil || r != testRecord(n) {
		t.Errorf("record %d: %+v, %v", n, r, err)
	}
}

func assertProgress(t *testing.T, s Store, spool uuid.UUID, want uint64) {
	t.Helper()
	if got, err := s.Progress(context.Background(), spool, 0); err != nil || got != want {
		t.Errorf("progress %d, %v, want %d", got, err, want)
	}
}

func TestAStoreKeepsTheContract(t *testing.T) {
	ctx := context.Background()
	forEachStore(t, func(t *testing.T, s Store) {
		spool := uuid.New()
		assertProgress(t, s, spool, 0)
		if err := s.Load(ctx, batch(spool, 1, 1000)); err != nil {
			t.Fatal(err)
		}
		assertProgress(t, s, spool, 1000)
		assertStored(t, s, 1)
		assertStored(t, s, 1000)
		if _, err := s.Find(ctx, testRecord(1001).ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("a record that is not there: %v", err)
		}

		// The same batch again, and one that leaves a gap.
		for _, wrong := range []Batch{batch(spool, 1, 1000), batch(spool, 1002, 1003), batch(spool, 500, 1500)} {
			if err := s.Load(ctx, wrong); !errors.Is(err, ErrProgress) {
				t.Errorf("batch %d to %d after 1000: %v", wrong.First, wrong.Last, err)
			}
		}
		assertProgress(t, s, spool, 1000)

		// A second spool that has issued the same IDs.
		other := uuid.New()
		assertProgress(t, s, other, 0)
		double := batch(other, 1, 5)
		double.Entries[3].Record = testRecord(5000)
		double.Entries[4].Record = testRecord(5000)       // and one twice in itself
		double.Entries[0].OrderedAt = 253402304399_000000 // 9999-12-31T23:59:59-01:00
		if err := s.Load(ctx, double); !errors.Is(err, ErrDuplicate) {
			t.Fatalf("duplicates: %v", err)
		}
		assertProgress(t, s, other, 0)
		conflicts, err := s.LoadApart(ctx, double)
		if err != nil || len(conflicts) != 4 {
			t.Fatalf("%d conflicts, %v", len(conflicts), err)
		}
		if c := conflicts[1]; c.FirstSpool != spool || c.FirstSequence != 2 || c.Sequence != 2 || c.ID != testRecord(2).ID {
			t.Errorf("the second conflict is %+v", c)
		}
		if c := conflicts[3]; c.FirstSpool != other || c.FirstSequence != 4 || c.Sequence != 5 {
			t.Errorf("the one within the batch is %+v", c)
		}
		assertProgress(t, s, other, 5)
		assertStored(t, s, 5000)
		assertStored(t, s, 2)
		if got := rows(t, s, "issued_conflicts"); got != 4 {
			t.Errorf("%d rows in issued_conflicts", got)
		}
		if got := rows(t, s, "tracking_numbers"); got != 1001 {
			t.Errorf("%d rows in tracking_numbers", got)
		}
	})
}

func TestABatchStoredWithoutItsProgressIsNoConflict(t *testing.T) {
	ctx := context.Background()
	forEachStore(t, func(t *testing.T, s Store) {
		spool := uuid.New()
		assertProgress(t, s, spool, 0)
		if err := s.Load(ctx, batch(spool, 1, 10)); err != nil {
			t.Fatal(err)
		}
		execute(t, s, "UPDATE spool_progress SET committed = 0") // by hand, as an operator may
		conflicts, err := s.LoadApart(ctx, batch(spool, 1, 20))
		if err != nil || len(conflicts) != 0 || rows(t, s, "tracking_numbers") != 20 {
			t.Errorf("%d conflicts, %v, %d rows", len(conflicts), err, rows(t, s, "tracking_numbers"))
		}
	})
}

func TestEveryColumnIsWhatItSays(t *testing.T) {
	forEachStore(t, func(t *testing.T, s Store) {
		spool := uuid.MustParse("11111111-2222-4333-8444-555555555555")
		if _, err := s.Progress(context.Background(), spool, 6); err != nil {
			t.Fatal(err)
		}
		if err := s.Load(context.Background(), batch(spool, 7, 7)); err != nil {
			t.Fatal(err)
		}
		n, r := testNumbers(t), testRecord(7)
		want := fmt.Sprintf("%d|%s|MY|ID|8|%s|%s|RedBox Logistics 7|ssssssss|%s|%d|7|%s|7", r.ID, n.Form.Format(r.ID, r.Origin),
			time.UnixMicro(r.OrderedAt).UTC().Format("2006-01-02T15:04:05.000000"), r.CustomerID, n.Layout.Time(r.ID).Format("2006-01-02T15:04:05.000"),
			n.Layout.Worker(r.ID), spool)
		if got := row(t, s); got != want {
			t.Errorf("the row is\n%s, want\n%s", got, want)
		}
	})
}

func TestADatabaseBelongsToOneSpace(t *testing.T) {
	ctx := context.Background()
	forEachStore(t, func(t *testing.T, s Store) {
		first := uuid.New()
		for _, id := range []uuid.UUID{first, uuid.New(), first} {
			stored, definition, err := s.Enter(ctx, id, []byte(`{"of":"`+id.String()+`"}`))
			if err != nil || stored != first || string(definition) != `{"of":"`+first.String()+`"}` {
				t.Errorf("entering as %s gives %s %s, %v", id, stored, definition, err)
			}
		}
	})
}

// flaky is a store whose answers get lost, before or after the work was done.
type flaky struct {
	Store
	mu     sync.Mutex
	random *rand.Rand
	rate   float64
}

var errLost = errors.New("connection lost")

func (f *flaky) lost() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.random.Float64() < f.rate
}

func (f *flaky) Progress(ctx context.Context, spool uuid.UUID, before uint64) (uint64, error) {
	committed, err := f.Store.Progress(ctx, spool, before)
	if f.lost() {
		return 0, errLost
	}
	return committed, err
}

func (f *flaky) Load(ctx context.Context, b Batch) error {
	if f.lost() {
		return errLost
	}
	err := f.Store.Load(ctx, b)
	if f.lost() {
		return errLost // committed or not: the caller cannot tell
	}
	return err
}

func TestEveryRecordIsLoadedOnceHoweverAnswersGetLost(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	forEachStore(t, func(t *testing.T, store Store) {
		s, _ := startSpool(t, testOptions(t))
		l := NewLoader(&flaky{Store: store, random: rand.New(rand.NewPCG(seed, 0)), rate: 0.3}, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- l.Run(ctx, s) }()
		for n := 0; n < 3000; n += 300 {
			appendAll(t, s, n, n+300)
			time.Sleep(30 * time.Millisecond)
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if err := l.Drain(context.Background(), s); err != nil {
			t.Fatal(err)
		}
		if got := rows(t, store, "tracking_numbers"); got != 3000 || rows(t, store, "issued_conflicts") != 0 || l.Stats().Conflicts != 0 {
			t.Errorf("%d rows, %d conflicts", got, l.Stats().Conflicts)
		}
		assertProgress(t, store, s.ID(), 3000)
		if s.Loaded() != 3000 {
			t.Errorf("the spool knows of %d", s.Loaded())
		}
	})
}

func TestAProgressThatCannotBeStopsTheLoader(t *testing.T) {
	store := newSQLite(t)
	s, _ := startSpool(t, testOptions(t))
	appendAll(t, s, 0, 10)
	l := NewLoader(store, slog.New(slog.DiscardHandler))
	if err := l.Drain(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	c := newCursor(s, 10)
	appendAll(t, s, 10, 20)
	execute(t, store, "UPDATE spool_progress SET committed = 7")
	if err := l.loadNext(context.Background(), c); !errors.Is(err, ErrProgressLost) {
		t.Errorf("after the database lost 3 records: %v", err)
	}
}

// A restore brought the database to a time before this spool began: the row that
// counts it is gone, and so are records that were loaded.
func TestADatabaseThatForgotTheSpoolStopsTheLoader(t *testing.T) {
	forEachStore(t, func(t *testing.T, store Store) {
		s, _ := startSpool(t, testOptions(t))
		appendAll(t, s, 0, 100)
		l := NewLoader(store, slog.New(slog.DiscardHandler))
		if err := l.Drain(context.Background(), s); err != nil {
			t.Fatal(err)
		}
		c := newCursor(s, 100)
		appendAll(t, s, 100, 110)
		execute(t, store, "DELETE FROM tracking_numbers")
		execute(t, store, "DELETE FROM spool_progress")
		if err := l.loadNext(context.Background(), c); !errors.Is(err, ErrProgressLost) {
			t.Errorf("a hundred records are gone: %v", err)
		}
	})
}

// A process died in the middle of a commit, and the commit took place after the
// next process had asked how far the spool is loaded.
func TestACommitThatComesLateIsCountedIn(t *testing.T) {
	forEachStore(t, func(t *testing.T, store Store) {
		s, _ := startSpool(t, testOptions(t))
		appendAll(t, s, 0, 100)
		l := NewLoader(store, slog.New(slog.DiscardHandler))
		c, err := l.begin(context.Background(), s)
		if err != nil {
			t.Fatal(err)
		}
		early := contents(t, s, 0)[:60]
		if err := store.Load(context.Background(), Batch{Spool: s.ID(), First: 1, Last: 60, Entries: early}); err != nil {
			t.Fatal(err)
		}
		if err := l.loadNext(context.Background(), c); err != nil {
			t.Fatal(err)
		}
		if rows(t, store, "tracking_numbers") != 100 || rows(t, store, "issued_conflicts") != 0 || s.Loaded() != 100 {
			t.Errorf("%d rows, %d conflicts, loaded %d", rows(t, store, "tracking_numbers"), rows(t, store, "issued_conflicts"), s.Loaded())
		}
	})
}

func TestADuplicateNumberIsReportedAndTheRestIsLoaded(t *testing.T) {
	forEachStore(t, func(t *testing.T, store Store) {
		planted := uuid.New()
		assertProgress(t, store, planted, 0)
		if err := store.Load(context.Background(), batch(planted, 1, 1)); err != nil {
			t.Fatal(err)
		}
		var logged strings.Builder
		s, _ := startSpool(t, testOptions(t))
		appendAll(t, s, 0, 100) // record 1 again among them
		l := NewLoader(store, slog.New(slog.NewTextHandler(&logged, nil)))
		if err := l.Drain(context.Background(), s); err != nil {
			t.Fatal(err)
		}
		if rows(t, store, "tracking_numbers") != 100 || rows(t, store, "issued_conflicts") != 1 || l.Stats().Conflicts != 1 {
			t.Errorf("%d rows, %d conflicts, %d counted", rows(t, store, "tracking_numbers"), rows(t, store, "issued_conflicts"), l.Stats().Conflicts)
		}
		if !strings.Contains(logged.String(), "number issued twice") || strings.Contains(logged.String(), "RedBox") {
			t.Errorf("the log says %s", logged.String())
		}
	})
}

func TestLookupFollowsARecordFromSpoolToStore(t *testing.T) {
	store := newSQLite(t)
	s, _ := startSpool(t, testOptions(t))
	look := NewLookup(store, s)
	assert := func(n int, want State, wantErr error) {
		t.Helper()
		if r, state, err := look.Find(context.Background(), testRecord(n).ID); state != want || !errors.Is(err, wantErr) || err == nil && r != testRecord(n) {
			t.Errorf("record %d: %s, %v", n, state, err)
		}
	}
	assert(3, "", ErrNotFound)
	appendAll(t, s, 0, 10)
	assert(3, Pending, nil)
	if err := NewLoader(store, slog.New(slog.DiscardHandler)).Drain(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	assert(3, Recorded, nil)
}

// The damage is in the very first record that the database lacks.
func TestAnOrphanWithADamagedFirstRecordIsAdopted(t *testing.T) {
	o := testOptions(t)
	path := crashed(t, o, 50)
	store := newSQLite(t)
	assertProgress(t, store, uuid.MustParse(filepath.Base(filepath.Dir(path))), 0)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[segmentHeader+20] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	orphans, err := Orphans(o)
	if err != nil || len(orphans) != 1 {
		t.Fatalf("%d orphans, %v", len(orphans), err)
	}
	NewLoader(store, slog.New(slog.DiscardHandler)).Adopt(context.Background(), orphans)
	if got := rows(t, store, "tracking_numbers"); got != 49 {
		t.Errorf("%d rows", got)
	}
}

func TestAdoptedSpoolsAreLoadedAndRemoved(t *testing.T) {
	o := testOptions(t)
	crashed(t, o, 50)
	store := newSQLite(t)
	orphans, err := Orphans(o)
	if err != nil || len(orphans) != 1 {
		t.Fatalf("%d orphans, %v", len(orphans), err)
	}
	NewLoader(store, slog.New(slog.DiscardHandler)).Adopt(context.Background(), orphans)
	if got := rows(t, store, "tracking_numbers"); got != 50 {
		t.Errorf("%d rows", got)
	}
	if left, _ := filepath.Glob(filepath.Join(o.Dir, "*")); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
}

// rows counts a table's rows.
func rows(t *testing.T, s Store, table string) (n int) {
	t.Helper()
	var err error
	switch s := s.(type) {
	case *SQLite:
		err = s.db.QueryRow("SELECT count(*) FROM " + table).Scan(&n)
	case *Postgres:
		err = s.pool.QueryRow(context.Background(), "SELECT count(*) FROM "+table).Scan(&n)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// execute changes the database behind the store's back.
func execute(t *testing.T, s Store, statement string) {
	t.Helper()
	var err error
	switch s := s.(type) {
	case *SQLite:
		_, err = s.db.Exec(statement)
	case *Postgres:
		_, err = s.pool.Exec(context.Background(), statement)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// row is the only row of tracking_numbers as text.
func row(t *testing.T, s Store) (text string) {
	t.Helper()
	const columns = "concat_ws('|', id, tracking_number, origin_country_id, destination_country_id, weight_grams, %s, customer_id, customer_name, customer_slug, %s, worker, lease_epoch, spool_id, spool_sequence)"
	var err error
	switch s := s.(type) {
	case *SQLite:
		err = s.db.QueryRow("SELECT " + fmt.Sprintf(columns, "strftime('%Y-%m-%dT%H:%M:%S', order_created_at/1000000, 'unixepoch') || printf('.%06d', order_created_at%1000000)",
			"strftime('%Y-%m-%dT%H:%M:%f', issued_at/1000.0, 'unixepoch')") + " FROM tracking_numbers").Scan(&text)
	case *Postgres:
		err = s.pool.QueryRow(context.Background(), "SELECT "+fmt.Sprintf(columns, `to_char(order_created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')`,
			`to_char(issued_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS')`)+" FROM tracking_numbers").Scan(&text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return text
}
