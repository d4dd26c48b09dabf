package lease

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"waybill/generator"
	"waybill/internal/testenv"
)

// redisSpace is a space whose grants last two seconds.
func redisSpace(t testing.TB, authorities string) Space {
	t.Helper()
	l, err := generator.NewLayout(10, 12, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	s := NewSpace(l, generator.Form{}, authorities)
	s.Window = Duration(2 * time.Second)
	return s.Derived()
}

// openRedis returns an authority that has entered its space.
func openRedis(t testing.TB, address string, s Space) *Redis {
	t.Helper()
	r := dialRedis(t, address, "", s)
	if err := r.Enter(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	return r
}

func dialRedis(t testing.TB, address, tlsMode string, s Space) *Redis {
	t.Helper()
	r, err := OpenRedis(RedisConfig{URL: address, TLS: tlsMode, Window: s.Window.Duration()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// must returns a grant that has to be given.
func must(t testing.TB, a Authority, c Claim) Grant {
	t.Helper()
	g, err := a.Grant(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// refused is the error of a claim that must not be granted.
func refused(t testing.TB, a Authority, c Claim, want error) {
	t.Helper()
	if g, err := a.Grant(context.Background(), c); !errors.Is(err, want) {
		t.Errorf("%+v: %+v, %v; want %v", c, g, err, want)
	}
}

func claim(worker int, token Token, number uint64) Claim {
	return Claim{Worker: worker, Token: token, Number: number, Nonce: number, Holder: Instance{Name: "a", Host: "h"}}
}

// quarantine is how long an authority says that it grants nothing, 0 if it does.
func quarantine(t testing.TB, a Authority) time.Duration {
	t.Helper()
	_, err := a.Free(context.Background(), Instance{Name: "a"})
	q, ok := errors.AsType[*QuarantineError](err)
	if err != nil && !ok {
		t.Fatal(err)
	}
	if !ok {
		return 0
	}
	return q.Wait
}

// endQuarantine makes it long past, for tests of what comes later.
func endQuarantine(t testing.TB, r *Redis) {
	t.Helper()
	quarantine(t, r)
	if err := r.client.HSet(context.Background(), r.key("state"), "mark", 1).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestARedisWindowGrowsAtItsEndAndIsTrimmedByItsHolder(t *testing.T) {
	ctx := context.Background()
	r := openRedis(t, testenv.Redis(t).URL, redisSpace(t, ByRedisAndPostgres))
	token, other := NewToken(), NewToken()
	first := must(t, r, claim(7, token, 1))
	if w := first.Window; w.From != first.Now || w.Until != first.Now+2000 || w.Worker != 7 {
		t.Errorf("granted %+v", first)
	}
	time.Sleep(20 * time.Millisecond)
	second := must(t, r, claim(7, token, 2))
	if second.Window.From != first.Window.From || second.Window.Until != second.Now+2000 || second.Now <= first.Now {
		t.Errorf("extended %+v to %+v", first, second)
	}
	if again := must(t, r, claim(7, token, 2)); again.Window != second.Window {
		t.Errorf("a repetition is answered %+v, not %+v", again, second)
	}
	refused(t, r, claim(7, other, 1), ErrOccupied)
	free, err := r.Free(ctx, Instance{})
	if err != nil || len(free.Workers) != 1023 || slices.Contains(free.Workers, 7) || free.Next != second.Window.Until {
		t.Errorf("%d workers are free, next at %d, %v", len(free.Workers), free.Next, err)
	}
	if err := r.Trim(ctx, 7, other, 0); !errors.Is(err, ErrLost) {
		t.Errorf("a stranger's trim: %v", err)
	}
	if err := r.Trim(ctx, 7, token, second.Now+500); err != nil {
		t.Fatal(err)
	}
	refused(t, r, claim(7, token, 3), ErrLost)
	time.Sleep(510 * time.Millisecond)
	if next := must(t, r, claim(7, other, 1)); next.Window.From < second.Now+500 {
		t.Errorf("the next window is %+v, the last was given back from %d", next.Window, second.Now+500)
	}
}

// Two authorities stand for two copies of one process: same token and number,
// but what is drawn afterwards differs.
func TestRedisRefusesBothCopiesOfAClonedProcess(t *testing.T) {
	server := testenv.Redis(t)
	s := redisSpace(t, ByRedisAndPostgres)
	r, copied := openRedis(t, server.URL, s), openRedis(t, server.URL, s)
	refusesBothCopies(t, r, copied)
	time.Sleep(2100 * time.Millisecond) // nobody extended it
	must(t, r, claim(2, NewToken(), 1))
}

// refusesBothCopies clones the process that holds worker 1 and worker 2 of a.
func refusesBothCopies(t *testing.T, a, b Authority) {
	t.Helper()
	for worker, number := range map[int]uint64{1: 1, 2: 3} { // as it takes a worker, and later
		token := NewToken()
		for n := uint64(1); n <= number; n++ {
			must(t, a, claim(worker, token, n))
		}
		must(t, b, claim(worker, token, number)) // a repetition harms nobody
		other := claim(worker, token, number)
		other.Nonce = 99
		refused(t, b, other, ErrCloned)
		for range 3 { // for ever
			for ahead := range uint64(3) {
				refused(t, a, claim(worker, token, number+ahead), ErrCloned)
				other.Number = number + ahead
				refused(t, b, other, ErrCloned)
			}
		}
	}
}

func TestALossOfMemoryVoidsEveryWindowAndIsWaitedForOnlyWithoutPostgres(t *testing.T) {
	t.Parallel()
	for _, authorities := range []string{ByRedis, ByRedisAndPostgres} {
		for name, hurt := range map[string]func(*testenv.RedisServer, *Redis){
			"FLUSHALL":         func(s *testenv.RedisServer, _ *Redis) { _, _ = s.Do("FLUSHALL") },
			"DEL of the state": func(s *testenv.RedisServer, r *Redis) { _, _ = s.Do("DEL", r.key("state")) },
			"a restart":        func(s *testenv.RedisServer, _ *Redis) { s.Restart() },
		} {
			t.Run(authorities+" "+name, func(t *testing.T) {
				t.Parallel()
				server := testenv.Redis(t, "--appendonly", "yes")
				r := openRedis(t, server.URL, redisSpace(t, authorities))
				endQuarantine(t, r)
				token := NewToken()
				must(t, r, claim(1, token, 1))
				hurt(server, r)
				wait := quarantine(t, r)
				if authorities == ByRedisAndPostgres {
					if wait != 0 {
						t.Errorf("it waits %s", wait)
					}
					refused(t, r, claim(1, token, 2), ErrLost)
					return
				}
				if full := 2*time.Second + quarantineSlack; wait != full { // this question is what noticed
					t.Errorf("it waits %s, not %s", wait, full)
				}
				if _, err := r.Grant(context.Background(), claim(1, token, 2)); err == nil {
					t.Error("extended after a loss of memory")
				}
				begin := time.Now()
				for quarantine(t, r) > 0 {
					time.Sleep(5 * time.Millisecond)
				}
				if late := time.Since(begin) - wait; late < -10*time.Millisecond || late > time.Second {
					t.Errorf("over %s off what was said", late)
				}
				if name != "a restart" { // its lock may have outlived the wait
					must(t, r, claim(1, NewToken(), 1))
				}
				refused(t, r, claim(1, token, 3), ErrLost)
			})
		}
	}
}

func TestAfterAnOlderBackupOfRedisHoldersHaveLostAndNobodyIsAClone(t *testing.T) {
	server := testenv.Redis(t, "--appendonly", "yes", "--appendfsync", "always")
	r := openRedis(t, server.URL, redisSpace(t, ByRedisAndPostgres))
	behind, level, former, next := NewToken(), NewToken(), NewToken(), NewToken()
	must(t, r, claim(1, behind, 1))
	must(t, r, claim(2, level, 1))
	must(t, r, claim(3, former, 1))
	saved := server.SaveFiles()
	must(t, r, claim(1, behind, 2))
	must(t, r, claim(1, behind, 3))
	if err := r.Trim(context.Background(), 3, former, 0); err != nil {
		t.Fatal(err)
	}
	must(t, r, claim(3, next, 1))
	server.Kill()
	server.RestoreFiles(saved)
	server.Start()
	refused(t, r, claim(1, behind, 4), ErrLost)
	refused(t, r, claim(2, level, 2), ErrLost)
	refused(t, r, claim(3, next, 2), ErrLost)
	refused(t, r, claim(3, former, 2), ErrLost)
}

func TestADeletedLockIsALoss(t *testing.T) {
	server := testenv.Redis(t)
	r := openRedis(t, server.URL, redisSpace(t, ByRedisAndPostgres))
	token := NewToken()
	must(t, r, claim(3, token, 1))
	if _, err := server.Do("DEL", r.lockKey(3)); err != nil {
		t.Fatal(err)
	}
	refused(t, r, claim(3, token, 2), ErrLost)
	refused(t, r, claim(3, NewToken(), 1), ErrOccupied) // its window is not past, lock or no lock
}

func TestASpaceHasOneHashItsLocksAndTwoLists(t *testing.T) {
	server := testenv.Redis(t)
	s := redisSpace(t, ByRedisAndPostgres)
	r := openRedis(t, server.URL, s)
	must(t, r, claim(3, NewToken(), 1))
	quarantine(t, r)
	keys, err := r.client.Keys(context.Background(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	tag := "waybill:{" + s.ID + "}:"
	if want := []string{"waybill:spaces", tag + "reports", tag + "standby", tag + "state", tag + "worker:3"}; !slices.Equal(keys, want) {
		t.Errorf("%q, want %q", keys, want)
	}
	holders, err := r.Holders(context.Background())
	if err != nil || len(holders.Windows) != 1 || holders.Windows[0].Instance.Host != "h" || !holders.Windows[0].Held || len(holders.Standby) != 1 {
		t.Errorf("%+v, %v", holders, err)
	}
}

func TestASpaceOfRedisAloneIsAloneInItsDatabase(t *testing.T) {
	server := testenv.Redis(t)
	other, err := url.JoinPath(strings.TrimSuffix(server.URL, "/0"), "5")
	if err != nil {
		t.Fatal(err)
	}
	fenced, single := redisSpace(t, ByRedisAndPostgres), redisSpace(t, ByRedis)
	openRedis(t, server.URL, fenced)
	if err := dialRedis(t, server.URL, "", single).Enter(context.Background(), single); !errors.Is(err, ErrSpace) || !strings.Contains(err.Error(), "DATABASE_URL") {
		t.Errorf("a space of Redis alone beside one with Postgres: %v", err)
	}
	openRedis(t, other, single)
	if err := dialRedis(t, other, "", fenced).Enter(context.Background(), fenced); !errors.Is(err, ErrSpace) {
		t.Errorf("and the other way round: %v", err)
	}
}

func TestOfTwoKindsOfSpacesThatEnterAtOnceOneIsRefused(t *testing.T) {
	server := testenv.Redis(t)
	kinds := []Space{redisSpace(t, ByRedisAndPostgres), redisSpace(t, ByRedis)}
	var all []*Redis
	for i := range 8 {
		r := dialRedis(t, server.URL, "", kinds[i%2])
		if err := r.client.Ping(context.Background()).Err(); err != nil {
			t.Fatal(err)
		}
		r.space = kinds[i%2]
		all = append(all, r)
	}
	for round := range 100 {
		if _, err := server.Do("FLUSHALL"); err != nil {
			t.Fatal(err)
		}
		var entered [2]atomic.Int64
		var done sync.WaitGroup
		for i, r := range all {
			done.Go(func() {
				switch err := r.register(context.Background()); {
				case err == nil:
					entered[i%2].Add(1)
				case !errors.Is(err, ErrSpace):
					t.Error(err)
				}
			})
		}
		done.Wait()
		if fenced, single := entered[0].Load(), entered[1].Load(); fenced+single != 4 || fenced*single != 0 {
			t.Fatalf("round %d: %d of one kind entered and %d of the other", round, fenced, single)
		}
	}
}

// A Redis that was emptied may have been entered by a space of the other kind
// meanwhile: who was there before notices when it takes a worker.
func TestASpaceIsRefusedWhereAnotherKindEnteredAfterALossOfMemory(t *testing.T) {
	server := testenv.Redis(t)
	fenced, single := redisSpace(t, ByRedisAndPostgres), redisSpace(t, ByRedis)
	r := openRedis(t, server.URL, fenced)
	must(t, r, claim(1, NewToken(), 1))
	if _, err := server.Do("FLUSHALL"); err != nil {
		t.Fatal(err)
	}
	openRedis(t, server.URL, single)
	refused(t, r, claim(2, NewToken(), 1), ErrSpace)
}

func TestAnInstanceThatDiffersIsToldInWhat(t *testing.T) {
	server := testenv.Redis(t)
	s := redisSpace(t, ByRedis)
	quarantine(t, openRedis(t, server.URL, s))
	for want, change := range map[string]func(*Space){
		"WORKER_BITS is 10 there and 9 here":   func(s *Space) { s.WorkerBits = 9 },
		"LEASE_WINDOW is 2s there and 3s here": func(s *Space) { s.Window = Duration(3 * time.Second) },
		"REDIS_REPLICAS is 0 there and 1 here": func(s *Space) { s.Replicas = 1 },
		"NUMBER_EPOCH is 2026-01-01T00:00:00Z": func(s *Space) { s.Epoch = s.Epoch.AddDate(1, 0, 0) },
		"the form (SECRET_KEY) is plain there": func(s *Space) { s.Form = "opaque" },
	} {
		differing := s
		change(&differing)
		r := dialRedis(t, server.URL, "", differing.Derived())
		r.space = differing.Derived() // as after Enter, which may ask for replicas first
		_, err := r.Free(context.Background(), Instance{})
		if !errors.Is(err, ErrSpace) || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

func TestRedisRefusesAClockThatJumped(t *testing.T) {
	t.Parallel()
	server := testenv.RedisWithClock(t)
	r := openRedis(t, server.URL, redisSpace(t, ByRedisAndPostgres))
	token := NewToken()
	held := must(t, r, claim(1, token, 1))
	for _, step := range []time.Duration{time.Hour, -time.Hour, 4 * time.Second, -4 * time.Second} {
		server.StepClock(step)
		refused(t, r, claim(1, token, 2), ErrSkew)
		if err := r.Trim(context.Background(), 1, token, 0); !errors.Is(err, ErrSkew) {
			t.Errorf("%s: a trim says %v", step, err)
		}
		server.StepClock(-step)
	}
	if free, err := r.Free(context.Background(), Instance{}); err != nil || slices.Contains(free.Workers, 1) != (free.Now >= held.Window.Until) {
		t.Errorf("after it was put right: %v, %v", err, free.Next)
	}
}
