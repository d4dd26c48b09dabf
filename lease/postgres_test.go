package lease

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"waybill/internal/testenv"
	"waybill/migrations"

	"github.com/jackc/pgx/v5"
)

// postgresSpace is a migrated database with a number space, and its definition.
func postgresSpace(t testing.TB, url, authorities string) Space {
	t.Helper()
	db, err := migrations.Open(migrations.Postgres, url)
	if err != nil {
		t.Fatal(err)
	}
	if err := migrations.Up(db, migrations.Postgres); err != nil {
		t.Fatal(err)
	}
	s := redisSpace(t, authorities)
	if authorities == ByPostgres {
		s.Window = 0
	}
	execute(t, url, "INSERT INTO number_space (id, definition) VALUES ($1, $2)", s.ID, s.definition())
	return s
}

func execute(t testing.TB, url, sql string, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.Background(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func openPostgres(t testing.TB, url string, s Space) *Postgres {
	t.Helper()
	return openClaims(t, url, s, 10*time.Second)
}

// openClaims returns an authority whose claims last for length.
func openClaims(t testing.TB, url string, s Space, length time.Duration) *Postgres {
	t.Helper()
	p, err := OpenPostgres(context.Background(), url, length)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if err := p.Enter(context.Background(), s, []byte(s.definition())); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAPostgresClaimGrowsAtItsEndAndIsTrimmedByItsHolder(t *testing.T) {
	url := testenv.Postgres(t).NewDatabase(t)
	p := openPostgres(t, url, postgresSpace(t, url, ByPostgres))
	token, other := NewToken(), NewToken()
	first := must(t, p, claim(7, token, 1))
	if w := first.Window; w.From != first.Now || w.Until != first.Now+10_000 || w.Epoch != 1 {
		t.Errorf("granted %+v", first)
	}
	second := must(t, p, claim(7, token, 2))
	if second.Window.From != first.Window.From || second.Window.Until != second.Now+10_000 || second.Window.Epoch != 1 {
		t.Errorf("extended %+v to %+v", first, second)
	}
	if again := must(t, p, claim(7, token, 2)); again.Window != second.Window {
		t.Errorf("a repetition is answered %+v, not %+v", again, second)
	}
	refused(t, p, claim(7, other, 1), ErrOccupied)
	refused(t, p, claim(7, other, 2), ErrLost)
	refused(t, p, claim(7, token, 9), ErrLost) // this memory went back behind what was answered
	if free, err := p.Free(context.Background(), Instance{}); err != nil || len(free.Workers) != 1023 || free.Next != second.Window.Until {
		t.Errorf("%d workers are free, next at %d, %v", len(free.Workers), free.Next, err)
	}
	if h, err := p.Holders(context.Background()); err != nil || len(h.Windows) != 1 || h.Windows[0].Instance.Host != "h" || !h.Windows[0].Held {
		t.Errorf("%+v, %v", h, err)
	}
	if err := p.Trim(context.Background(), 7, other, 0); !errors.Is(err, ErrLost) {
		t.Errorf("a stranger's trim: %v", err)
	}
	if err := p.Trim(context.Background(), 7, token, second.Now+300); err != nil {
		t.Fatal(err)
	}
	refused(t, p, claim(7, token, 3), ErrLost)
	fenced := claim(7, other, 1)
	fenced.Floor = second.Now + 300 // where the other authority's window begins
	if next := must(t, p, fenced); next.Window.From != second.Now+300 || next.Window.Epoch != 2 {
		t.Errorf("the next window is %+v, the last was given back from %d", next.Window, second.Now+300)
	}
}

func TestPostgresRefusesBothCopiesOfAClonedProcess(t *testing.T) {
	url := testenv.Postgres(t).NewDatabase(t)
	s := postgresSpace(t, url, ByPostgres)
	p, copied := openPostgres(t, url, s), openPostgres(t, url, s)
	refusesBothCopies(t, p, copied)
	token := NewToken()
	must(t, p, claim(3, token, 1))
	must(t, p, claim(3, token, 2))
	refused(t, copied, claim(3, token, 1), ErrCloned) // a copy that fell behind
	must(t, p, claim(3, token, 3))                    // a late request harms nobody else
}

func TestOfTwoClaimsAtOnceOneWins(t *testing.T) {
	url := testenv.Postgres(t).NewDatabase(t)
	s := postgresSpace(t, url, ByPostgres)
	p, q := openPostgres(t, url, s), openPostgres(t, url, s)
	for worker := range 50 {
		var errs [2]error
		var both sync.WaitGroup
		for i, a := range []*Postgres{p, q} {
			both.Go(func() { _, errs[i] = a.Grant(context.Background(), claim(worker, NewToken(), 1)) })
		}
		both.Wait()
		if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs[:]...), ErrOccupied) {
			t.Fatalf("worker %d: %v", worker, errs)
		}
	}
}

// Transaction mode lends a session for one statement: nothing may be left in it.
func TestClaimsGoThroughPgBouncer(t *testing.T) {
	server := testenv.Postgres(t)
	url := server.NewDatabase(t)
	s := postgresSpace(t, url, ByPostgres)
	bouncer := testenv.PgBouncer(t, server.Addr, "default_pool_size = 2")
	var all sync.WaitGroup
	for instance := range 8 {
		p := openPostgres(t, bouncer.Through(url), s)
		all.Go(func() {
			for round := range 20 {
				token, worker := NewToken(), instance*20+round
				for number := range uint64(3) {
					if _, err := p.Grant(context.Background(), claim(worker, token, number+1)); err != nil {
						t.Error(err)
						return
					}
				}
				if err := p.Trim(context.Background(), worker, token, 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// An answer that was lost leaves open whether the claim is stored: asked again,
// the same token gets the same window.
func TestAnAnswerThatWasLostIsGivenAgain(t *testing.T) {
	server := testenv.Postgres(t)
	url := server.NewDatabase(t)
	s := postgresSpace(t, url, ByPostgres)
	link := testenv.Toxiproxy(t).Proxy(server.Addr)
	p := openPostgres(t, link.Through(url), s)
	stored := 0
	for worker := range 5 {
		token := NewToken()
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		link.Delay(200 * time.Millisecond)
		time.AfterFunc(300*time.Millisecond, link.Cut)
		_, err := p.Grant(ctx, claim(worker, token, 1))
		cancel()
		time.Sleep(150 * time.Millisecond)
		link.Restore()
		again := must(t, p, claim(worker, token, 1))
		if third := must(t, p, claim(worker, token, 1)); third.Window != again.Window {
			t.Errorf("%+v after %+v", third, again)
		}
		if err != nil && again.Window.From < again.Now-100 {
			stored++
		}
	}
	if stored == 0 {
		t.Error("no claim was stored without an answer: this test shows nothing")
	}
}

// Whoever gives up on an answer and asks again gets what the first asked for.
func TestAClaimThatWasGivenUpIsResolvedByRepetition(t *testing.T) {
	url := testenv.Postgres(t).NewDatabase(t)
	p := openPostgres(t, url, postgresSpace(t, url, ByPostgres))
	stored, open := 0, 0
	for worker := range 60 {
		c := claim(worker, NewToken(), 1)
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(worker)*60*time.Microsecond)
		_, err := p.Grant(ctx, c)
		cancel()
		before, listed := Holder{}, false
		h, listErr := p.Holders(context.Background())
		if listErr != nil {
			t.Fatal(listErr)
		}
		for _, w := range h.Windows {
			if w.Worker == worker {
				before, listed = w, true
			}
		}
		switch {
		case err != nil && listed:
			stored++
		case err != nil:
			open++
		}
		for range 2 {
			again := must(t, p, c)
			if listed && (again.Window.From != before.From || again.Window.Until != before.Until) || again.Window.Epoch != 1 {
				t.Errorf("worker %d: stored was %+v, a repetition is answered %+v", worker, before, again)
			}
			before, listed = Holder{From: again.Window.From, Until: again.Window.Until}, true
		}
	}
	t.Logf("%d of 60 were stored without an answer, %d not", stored, open)
}

// An older backup knows less than the holders: they have lost their workers,
// and none of them is a clone.
func TestAfterAnOlderBackupHoldersHaveLostAndNobodyIsAClone(t *testing.T) {
	server := testenv.Postgres(t)
	url := server.NewDatabase(t)
	s := postgresSpace(t, url, ByPostgres)
	p := openPostgres(t, url, s)
	tokens := [6]Token{}
	for i := range tokens {
		tokens[i] = NewToken()
	}
	upTo := func(worker int, from, to uint64) {
		t.Helper()
		for n := from; n <= to; n++ {
			must(t, p, claim(worker, tokens[worker], n))
		}
	}
	upTo(1, 1, 1)
	upTo(3, 1, 2)
	upTo(4, 1, 2)
	former := NewToken()
	must(t, p, claim(5, former, 1))
	must(t, p, claim(5, former, 2))
	saved := server.SaveFiles()
	upTo(1, 2, 3)
	upTo(2, 1, 2) // not in the backup at all
	upTo(3, 3, 3) // one behind
	if err := p.Trim(context.Background(), 5, former, 0); err != nil {
		t.Fatal(err)
	}
	upTo(5, 1, 1) // in the backup another holds it
	server.Kill()
	server.RestoreFiles(saved)
	server.Start()
	p = openPostgres(t, url, s)
	refused(t, p, claim(1, tokens[1], 4), ErrLost)
	refused(t, p, claim(2, tokens[2], 3), ErrLost)
	refused(t, p, claim(3, tokens[3], 4), ErrLost)
	refused(t, p, claim(5, tokens[5], 2), ErrLost)
	if g := must(t, p, claim(4, tokens[4], 3)); g.Window.Epoch != 1 { // knows no less than its holder
		t.Errorf("%+v", g)
	}
}

var claimCrashes = flag.Int("claim.crashes", 3, "crashes of Postgres right after a claim")

// A role whose commits are asynchronous would lose the newest claims in a crash.
func TestAClaimIsOnDiskBeforeItIsAnswered(t *testing.T) {
	server := testenv.Postgres(t, "-c", "wal_writer_delay=10s", "-c", "fsync=on")
	url := server.NewDatabase(t)
	s := postgresSpace(t, url, ByPostgres)
	execute(t, url, "CREATE TABLE plain (worker integer)")
	execute(t, url, "ALTER ROLE postgres SET synchronous_commit = off")
	plainLost := 0
	for worker := range *claimCrashes {
		p := openPostgres(t, url, s)
		execute(t, url, "CHECKPOINT")
		granted := must(t, p, claim(worker, NewToken(), 1))
		execute(t, url, "INSERT INTO plain VALUES ($1)", worker)
		server.Kill()
		server.Start()
		conn, err := pgx.Connect(context.Background(), url)
		if err != nil {
			t.Fatal(err)
		}
		var rows int
		var until int64
		err = conn.QueryRow(context.Background(), "SELECT until_ms, (SELECT count(*) FROM plain) FROM worker_leases WHERE worker = $1", worker).Scan(&until, &rows)
		if err != nil || until != granted.Window.Until {
			t.Errorf("after a crash: until %d, %v; granted was %+v", until, err, granted.Window)
		}
		plainLost += worker + 1 - rows
		_ = conn.Close(context.Background())
	}
	if plainLost == 0 {
		t.Error("no asynchronous commit was lost either: this test shows nothing")
	}
}

func TestPostgresRefusesOtherSpacesAndClocksThatJumped(t *testing.T) {
	t.Parallel()
	server := testenv.PostgresWithClock(t)
	url := server.NewDatabase(t)
	s := postgresSpace(t, url, ByPostgres)
	p := openPostgres(t, url, s)
	token := NewToken()
	must(t, p, claim(1, token, 1))
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		server.StepClock(step)
		refused(t, p, claim(1, token, 2), ErrSkew)
		refused(t, p, claim(2, NewToken(), 1), ErrSkew)
		server.StepClock(-step)
	}
	must(t, p, claim(1, token, 2))
	other := s
	other.WorkerBits = 8
	_, err := openPostgres(t, url, other).Grant(context.Background(), claim(3, NewToken(), 1))
	if !errors.Is(err, ErrSpace) || !strings.Contains(err.Error(), "WORKER_BITS is 10 there and 8 here") {
		t.Errorf("%v", err)
	}
	other = s
	other.ID = "00000000-0000-0000-0000-000000000000"
	_, err = openPostgres(t, url, other).Grant(context.Background(), claim(3, NewToken(), 1))
	if !errors.Is(err, ErrSpace) || !strings.Contains(err.Error(), s.ID+" there and "+other.ID+" here") {
		t.Errorf("%v", err)
	}
	floor := time.Now().Add(time.Hour).UnixMilli()
	execute(t, url, "UPDATE number_space SET floor_ms = $1", floor)
	if g := must(t, p, claim(5, NewToken(), 1)); g.Window.From != floor {
		t.Errorf("below the floor %d: %+v", floor, g.Window)
	}
}

var claimSteps = flag.Int("claim.steps", 2000, "statements of the differential test with Postgres")

// The claim as it is, but for its clock, and its twin.
func TestTheClaimAndItsTwinAgree(t *testing.T) {
	url := testenv.Postgres(t, "-c", "fsync=off").NewDatabase(t)
	s := postgresSpace(t, url, ByPostgres)
	p := openPostgres(t, url, s)
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	statement := replaceOnce(t, claimStatement, clockColumn, "$13::bigint")
	const table = "SELECT worker, coalesce(replace(token::text, '-', ''), ''), epoch, from_ms, until_ms, number, nonce FROM worker_leases WHERE worker < 3"
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	twin := newPostgresTwin(s.ID)
	now := int64(1_800_000_000_000)
	tokens := make([]Token, 5)
	for i := range tokens {
		tokens[i] = drawToken(r)
	}
	outcomes := map[string]int{}
	for step := range *claimSteps {
		worker, token := r.IntN(3), tokens[r.IntN(len(tokens))]
		row := twin.rows[worker]
		for _, known := range tokens {
			if known.String() == row.token && r.IntN(3) > 0 {
				token = known
			}
		}
		number := int64(1)
		if row.token == token.String() {
			number = max(1, row.number+1+[]int64{0, 0, 0, 0, -1, -2, 1}[r.IntN(7)])
		}
		nonce, floor, wall, space := number, int64(0), now+r.Int64N(4000)-2000, s.ID
		if r.IntN(25) == 0 {
			nonce++
		}
		if r.IntN(3) == 0 {
			floor = now + r.Int64N(20_000) - 10_000
		}
		if r.IntN(30) == 0 {
			wall += 3_600_000
		}
		definition, known := s.definition(), s.ID
		switch r.IntN(60) {
		case 0:
			space, known = "00000000-0000-0000-0000-000000000000", ""
		case 1:
			definition, known = "{}", ""
		}
		switch action := r.IntN(20); {
		case action == 0:
			twin.floor = now + r.Int64N(20_000) - 10_000
			if _, err := conn.Exec(ctx, "UPDATE number_space SET floor_ms = $1", twin.floor); err != nil {
				t.Fatal(err)
			}
		case action == 1:
			now += r.Int64N(20_000) - 10_000
		case action < 4:
			until := now + r.Int64N(20_000) - 10_000
			err := p.Trim(ctx, worker, token, until)
			if ok := twin.trim(worker, token.String(), until); ok != (err == nil) || err != nil && !errors.Is(err, ErrLost) {
				t.Fatalf("seed %d, step %d: the trim says %v, the twin %t", seed, step, err, ok)
			}
			outcomes[fmt.Sprint("trim ", err == nil)]++
		default:
			want, ok := twin.claim(now, known, worker, token.String(), number, nonce, floor, 12_000, wall, 2500)
			var got twinClaim
			var clock int64
			err := conn.QueryRow(ctx, statement, worker, token.uuid(), number, nonce, floor, int64(12_000), wall, int64(2500), space, definition, "{}", "{}", now).
				Scan(&got.epoch, &got.from, &got.until, &got.number, &clock)
			if found := err == nil; found != ok || err != nil && !errors.Is(err, pgx.ErrNoRows) ||
				ok && (got.epoch != want.epoch || got.from != want.from || got.until != want.until || got.number != want.number) {
				t.Fatalf("seed %d, step %d: worker %d number %d nonce %d floor %d at %d: the claim says %+v, %v, the twin %+v, %t", seed, step, worker, number, nonce, floor, now, got, err, want, ok)
			}
			outcomes[fmt.Sprint("claim ", ok, " ", ok && want.number == number)]++
			now += r.Int64N(4000)
		}
		rows, err := conn.Query(ctx, table)
		if err != nil {
			t.Fatal(err)
		}
		var got twinClaim
		_, err = pgx.ForEachRow(rows, []any{&worker, &got.token, &got.epoch, &got.from, &got.until, &got.number, &got.nonce}, func() error {
			if want := twin.rows[worker]; got != want {
				t.Fatalf("seed %d, step %d: Postgres has of worker %d %+v, the twin %+v", seed, step, worker, got, want)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, seen := range []string{"claim true true", "claim true false", "claim false false", "trim true", "trim false"} {
		if outcomes[seen] == 0 {
			t.Errorf("never seen: %s", seen)
		}
	}
	t.Log(outcomes)
}
