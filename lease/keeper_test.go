package lease

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"waybill/generator"
)

// second is an authority with windows of its own length, which can be made to
// fail: what the keeper does with two is the subject, not what they store.
type second struct {
	mu     sync.Mutex
	length time.Duration
	fail   error
	until  int64
	from   int64
	token  Token
	asked  []Claim
}

func (s *second) Name() string          { return "second" }
func (s *second) Period() time.Duration { return s.length / 10 }
func (s *second) Free(context.Context, Instance) (v Vacancy, err error) {
	for worker := range 1024 {
		v.Workers = append(v.Workers, worker)
	}
	return v, nil
}

func (s *second) Holders(context.Context) (Holders, error) { return Holders{}, nil }

func (s *second) Grant(_ context.Context, c Claim) (Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, c)
	if s.fail != nil {
		return Grant{}, s.fail
	}
	now := time.Now().UnixMilli()
	if s.token != c.Token {
		s.token, s.from = c.Token, max(now, c.Floor) // each claim here is of another worker
	}
	s.until = max(s.until, now+s.length.Milliseconds())
	return Grant{Window: generator.Window{Worker: c.Worker, From: s.from, Until: s.until, Epoch: 9}, Now: now + 777}, nil
}

func (s *second) Trim(_ context.Context, _ int, token Token, _ int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if token != s.token {
		return ErrLost
	}
	return nil
}

func (s *second) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// keep runs a keeper in a bubble until the returned stop is called.
func keep(t *testing.T, workerBits int, authorities ...Authority) (k *Keeper, g *generator.Generator, stop func()) {
	t.Helper()
	l, err := generator.NewLayout(workerBits, 12, time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	g = generator.New(l)
	k = NewKeeper(Config{
		Generator: g, Authorities: authorities, Space: Space{WorkerBits: workerBits}, Issued: func() uint64 { return 0 }, Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := k.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	synctest.Wait()
	return k, g, func() { cancel(); <-done }
}

func issued(t *testing.T, g *generator.Generator) int64 {
	t.Helper()
	id, err := g.Next(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return g.Layout().UnixMilli(id)
}

func TestTheKeeperIssuesExtendsAndGivesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		f := openFile(t, dir, 10)
		k, g, stop := keep(t, 10, f)
		if err := k.Ready(); err != nil {
			t.Fatal(err)
		}
		worker := *k.Status().Worker
		time.Sleep(2 * time.Hour) // far beyond the first window
		last := issued(t, g)
		if got := last - time.Now().UnixMilli(); got < -1 || got > 0 {
			t.Errorf("after two hours stamps are %d ms off", got)
		}
		stop()
		if err := k.Ready(); err == nil {
			t.Error("ready while draining")
		}
		if err := k.Release(context.Background(), g.Close()); err != nil {
			t.Fatal(err)
		}
		if got := f.state.Workers[worker].Until; got != last+1 {
			t.Errorf("given back from %d, the last stamp was %d", got, last)
		}
		if got := k.Status().State; got != Released {
			t.Errorf("the state is %s", got)
		}
	})
}

func TestOnlyTheIntersectionIsIssued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &second{length: time.Minute}
		k, g, stop := keep(t, 10, openFile(t, t.TempDir(), 10), s)
		defer stop()
		if got := g.Window().Until - time.Now().UnixMilli(); got != time.Minute.Milliseconds() {
			t.Errorf("the window lasts %d ms, want the shorter authority's minute", got)
		}
		if got := g.Window().Epoch; got != 9 {
			t.Errorf("epoch %d, want the last authority's", got)
		}
		time.Sleep(10 * time.Minute)
		if got := issued(t, g) - time.Now().UnixMilli(); got < -1 || got > 0 {
			t.Errorf("stamps are %d ms off: the clock must be the first authority's", got)
		}
		s.set(errors.New("out of reach"))
		start := time.Now()
		for {
			if _, err := g.Next(context.Background()); err != nil {
				if !errors.Is(err, generator.ErrWindowSpent) {
					t.Fatal(err)
				}
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if lasted := time.Since(start); lasted < 50*time.Second || lasted > 61*time.Second {
			t.Errorf("issued for %s without the second authority", lasted)
		}
		if err := k.Ready(); !errors.Is(err, generator.ErrWindowSpent) || !strings.Contains(err.Error(), "out of reach") {
			t.Errorf("readiness says %v", err)
		}
		s.set(nil)
		time.Sleep(2 * time.Second)
		issued(t, g)
		if err := k.Ready(); err != nil {
			t.Error(err)
		}
	})
}

func TestARefusalBySecondAuthorityGivesTheFirstBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := openFile(t, t.TempDir(), 10)
		s := &second{length: time.Minute, fail: ErrOccupied}
		k, g, stop := keep(t, 2, f, s)
		defer stop()
		if !g.Window().Empty() || k.Ready() == nil {
			t.Error("issuing without the second authority's word")
		}
		if got := firstFree(t, f); got != 0 {
			t.Errorf("worker 0 was not given back; the first free one is %d", got)
		}
	})
}

func TestAStandbyTakesOverWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := openFile(t, t.TempDir(), 1)
		tokens := []Token{NewToken(), NewToken()}
		for worker, token := range tokens {
			grant(t, f, Claim{Worker: worker, Token: token, Number: 1})
		}
		k, _, stop := keep(t, 1, f)
		defer stop()
		time.Sleep(time.Minute)
		if got := k.Status(); got.State != Standby || !strings.Contains(k.Ready().Error(), "every worker is taken") {
			t.Fatalf("%+v, ready: %v", got, k.Ready())
		}
		if err := f.Trim(context.Background(), 1, tokens[1], time.Now().UnixMilli()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := k.Status(); got.State != Live || *got.Worker != 1 {
			t.Errorf("a second after worker 1 became free: %+v", got)
		}
	})
}

func TestALostWorkerIsReplacedByAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &second{length: time.Minute}
		_, g, stop := keep(t, 10, openFile(t, t.TempDir(), 10), s)
		defer stop()
		before := issued(t, g)
		first := g.Window()
		s.set(ErrLost)
		time.Sleep(7 * time.Second) // a refresh has noticed
		s.set(nil)
		time.Sleep(2 * time.Second)
		after := issued(t, g)
		if w := g.Window(); w.Worker == first.Worker && w.From == first.From || after <= before {
			t.Errorf("still on %+v", w)
		}
	})
}

// The generator can be a burst or an hour ahead of a clock that was put right:
// readiness says what Next would say.
func TestReadinessIsWhatNextWouldSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, g, stop := keep(t, 10, openFile(t, t.TempDir(), 10))
		defer stop()
		issued(t, g)
		g.SetClock(g.Now() - 60_000)
		_, err := g.Next(t.Context())
		if ready := k.Ready(); !errors.Is(err, generator.ErrClockBehind) || !errors.Is(ready, generator.ErrClockBehind) {
			t.Errorf("Next says %v, readiness %v", err, ready)
		}
		time.Sleep(2 * time.Second) // the next refresh sets the clock
		if issued(t, g); k.Ready() != nil {
			t.Error(k.Ready())
		}
	})
}

func TestAWindowThatWasNeverUsedIsGivenBackWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := openFile(t, t.TempDir(), 10)
		k, _, stop := keep(t, 10, f)
		stop()
		if err := k.Release(t.Context(), 0); err != nil { // closed before there was a window
			t.Fatal(err)
		}
		if got := firstFree(t, f); got != 0 {
			t.Errorf("worker 0 rests; the first free one is %d", got)
		}
	})
}

// An answer may be lost after the authority stored it: the repetition must
// carry the same number, the next request the next one.
func TestRequestNumbersRepeatAfterAFailureAndThenGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &second{length: time.Minute}
		_, _, stop := keep(t, 10, openFile(t, t.TempDir(), 10), s)
		time.Sleep(20 * time.Second)
		s.set(errors.New("timeout"))
		time.Sleep(10 * time.Second)
		s.set(nil)
		time.Sleep(20 * time.Second)
		stop()
		repeated := false
		for i, c := range s.asked[1:] {
			switch previous := s.asked[i].Number; c.Number {
			case previous:
				repeated = true
			case previous + 1:
			default:
				t.Fatalf("request %d after %d", c.Number, previous)
			}
		}
		if !repeated || s.asked[len(s.asked)-1].Number < 6 {
			t.Errorf("numbers do not go on: %d", s.asked[len(s.asked)-1].Number)
		}
	})
}
