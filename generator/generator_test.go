package generator

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func defaultLayout(t testing.TB) Layout {
	t.Helper()
	return layout(t, 10, 12)
}

func layout(t testing.TB, workerBits, sequenceBits int) Layout {
	t.Helper()
	l, err := NewLayout(workerBits, sequenceBits, epoch)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// stepped is a generator whose clock stands still until the test moves it.
func stepped(t testing.TB, l Layout) (*Generator, *atomic.Int64) {
	t.Helper()
	g := New(l)
	elapsed := new(atomic.Int64)
	g.elapsed = func() time.Duration { return time.Duration(elapsed.Load()) }
	return g, elapsed
}

// at is a Unix millisecond n milliseconds into a day of the default epoch.
func at(n int64) int64 { return epoch.AddDate(0, 6, 0).UnixMilli() + n }

func use(g *Generator, w Window, now int64) (last int64) {
	g.SetClock(now)
	return g.Use(w)
}

func next(t testing.TB, g *Generator) ID {
	t.Helper()
	id, err := g.Next(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestAnIDCarriesTimeWorkerAndSequence(t *testing.T) {
	l := defaultLayout(t)
	const id = ID(117915852988239909) // worked out by hand in the design
	if got := l.Time(id).Format(time.RFC3339Nano); got != "2026-11-22T09:15:30.123Z" {
		t.Errorf("time is %s", got)
	}
	if l.Worker(id) != 5 || l.Sequence(id) != 37 {
		t.Errorf("worker %d, sequence %d, want 5 and 37", l.Worker(id), l.Sequence(id))
	}
	if got := l.Join(l.UnixMilli(id), 5, 37); got != id {
		t.Errorf("joined again it is %d", got)
	}
}

func TestALayoutThatCannotLastIsRefused(t *testing.T) {
	for _, bad := range []struct {
		worker, sequence int
		epoch            time.Time
	}{
		{0, 12, epoch},
		{17, 4, epoch},
		{10, 3, epoch},
		{1, 17, epoch},
		{16, 16, epoch},
		{10, 12, time.Time{}},
		{10, 12, epoch.Add(time.Microsecond)},
	} {
		if _, err := NewLayout(bad.worker, bad.sequence, bad.epoch); err == nil {
			t.Errorf("%d worker bits, %d sequence bits, epoch %s: accepted", bad.worker, bad.sequence, bad.epoch)
		}
	}
}

func TestNothingIsIssuedWithoutAWindow(t *testing.T) {
	g, _ := stepped(t, defaultLayout(t))
	if _, err := g.Next(context.Background()); !errors.Is(err, ErrNoWindow) {
		t.Errorf("before Use: %v", err)
	}
	if !g.Window().Empty() {
		t.Error("a window before Use")
	}
	g.Close()
	if _, err := g.Next(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	use(g, Window{Worker: 1, From: at(0), Until: at(1000)}, at(0))
	if _, err := g.Next(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("Use reopened a closed generator: %v", err)
	}
}

// Whatever the clock does, stamps stay in the window and IDs increase.
func TestStampsStayInTheWindowUnderAnyClock(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	l := layout(t, 2, 4) // 16 IDs a millisecond: the borders are met often
	for range 200 {
		g, elapsed := stepped(t, l)
		w := Window{Worker: 3, From: at(0), Until: at(50)}
		use(g, w, at(random.Int64N(100)-50))
		previous := ID(0)
		for range 1000 {
			elapsed.Store(random.Int64N(int64(200*time.Millisecond)) - int64(100*time.Millisecond))
			id, err := g.Next(context.Background())
			if errors.Is(err, ErrWindowSpent) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if ms := l.UnixMilli(id); ms < w.From || ms >= w.Until || l.Worker(id) != w.Worker {
				t.Fatalf("stamped %d by worker %d, outside %+v", ms, l.Worker(id), w)
			}
			if id <= previous {
				t.Fatalf("%d after %d", id, previous)
			}
			previous = id
		}
	}
}

func TestAWindowGivesEveryIDOnceAndThenIsSpent(t *testing.T) {
	l := layout(t, 2, 4)
	g, _ := stepped(t, l)
	use(g, Window{Worker: 1, From: at(0), Until: at(3)}, at(-10)) // a clock behind the window: no fresh milliseconds
	for i := range 3 * 16 {
		if id, want := next(t, g), l.Join(at(0)+int64(i/16), 1, i%16); id != want {
			t.Fatalf("ID %d is %d, want %d", i, id, want)
		}
	}
	if _, err := g.Next(context.Background()); !errors.Is(err, ErrWindowSpent) {
		t.Fatalf("after the last one: %v", err)
	}
	use(g, Window{Worker: 1, From: at(0), Until: at(4)}, at(-10))
	if id := next(t, g); id < l.Join(at(3), 1, 0) || id > l.Join(at(3), 1, 1) { // the refusal may have cost one
		t.Errorf("an extension goes on at %d", id)
	}
	use(g, Window{Worker: 1, From: at(0), Until: at(2)}, at(-10))
	if got := g.Window().Until; got != at(4) {
		t.Errorf("a late, shorter answer moved the end to %d", got)
	}
}

// A million refusals by the clock cost nothing of the window to come.
func TestRefusalsDoNotUseUpAnExtension(t *testing.T) {
	l := defaultLayout(t)
	g, _ := stepped(t, l)
	use(g, Window{Worker: 1, From: at(0), Until: at(10)}, at(10))
	for range 1_000_000 {
		if _, err := g.Next(context.Background()); !errors.Is(err, ErrWindowSpent) {
			t.Fatal(err)
		}
	}
	g.Use(Window{Worker: 1, From: at(0), Until: at(20)})
	if got := l.UnixMilli(next(t, g)); got != at(10) {
		t.Errorf("the extension begins at %d", got-at(0))
	}
}

func TestTheLayoutsLastTimestampIsTheEnd(t *testing.T) {
	l := defaultLayout(t)
	g, _ := stepped(t, l)
	use(g, Window{Worker: 1, From: l.End() - 1, Until: l.End() + 1000}, l.End()-1)
	if id := next(t, g); id < 0 || l.UnixMilli(id) != l.End()-1 {
		t.Errorf("the last millisecond gives %d", id)
	}
	if err := g.NextN(context.Background(), make([]ID, 4096)); !errors.Is(err, ErrLayoutSpent) {
		t.Errorf("beyond it: %v", err)
	}
}

func TestTheFirstIDIsPositive(t *testing.T) {
	l := defaultLayout(t)
	g, _ := stepped(t, l)
	use(g, Window{Worker: 0, From: epoch.UnixMilli(), Until: at(0)}, epoch.UnixMilli())
	if id := next(t, g); id <= 0 {
		t.Errorf("the first ID is %d", id)
	}
}

func TestASlowCallerDoesNotGetIDsThatEndInZeros(t *testing.T) {
	l := defaultLayout(t)
	g, elapsed := stepped(t, l)
	use(g, Window{Worker: 1, From: at(0), Until: at(100_000)}, at(0))
	var shards [16]int
	const n = 10_000
	for i := range n {
		elapsed.Store(int64(i) * int64(7*time.Millisecond))
		shards[next(t, g)%16]++
	}
	for shard, got := range shards {
		if got < n/16/2 || got > n/16*2 {
			t.Errorf("shard %d of 16 has %d of %d IDs", shard, got, n)
		}
	}
}

func TestABurstRunsAheadOneSecondAndThenWaits(t *testing.T) {
	l := defaultLayout(t)
	g, elapsed := stepped(t, l)
	use(g, Window{Worker: 1, From: at(0), Until: at(100_000)}, at(0))
	if err := g.NextN(context.Background(), make([]ID, Lead<<12)); err != nil {
		t.Fatalf("one second's worth at once: %v", err)
	}
	for range 4096 - int(offset(uint64(at(0)-l.epoch), 12)) { // the rest of the last millisecond
		next(t, g)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := g.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a second ahead of a clock that stands still: %v", err)
	}
	elapsed.Store(int64(time.Millisecond))
	if ahead := l.UnixMilli(next(t, g)) - at(1); ahead != Lead {
		t.Errorf("%d ms ahead, want %d", ahead, Lead)
	}
}

func TestAClockFarBehindTheWindowIsAnErrorNotAWait(t *testing.T) {
	g, _ := stepped(t, defaultLayout(t))
	use(g, Window{Worker: 1, From: at(3_600_000), Until: at(7_200_000)}, at(0))
	if _, err := g.Next(context.Background()); !errors.Is(err, ErrClockBehind) {
		t.Errorf("an hour behind: %v", err)
	}
}

func TestNextNReservesAllOrNothing(t *testing.T) {
	l := layout(t, 2, 4)
	g, _ := stepped(t, l)
	use(g, Window{Worker: 1, From: at(0), Until: at(2)}, at(-10))
	ids := make([]ID, 20)
	if err := g.NextN(context.Background(), ids); err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		if id != l.Join(at(0)+int64(i/16), 1, i%16) {
			t.Fatalf("ID %d is %d", i, id)
		}
	}
	if err := g.NextN(context.Background(), make([]ID, 13)); !errors.Is(err, ErrWindowSpent) {
		t.Fatalf("13 of the 12 left: %v", err)
	}
	if err := g.NextN(context.Background(), make([]ID, 12)); err != nil {
		t.Fatalf("the refusal used some up: %v", err)
	}
	if err := g.NextN(context.Background(), make([]ID, Lead<<4+1)); !errors.Is(err, ErrTooMany) {
		t.Fatalf("more than a burst: %v", err)
	}
	if err := g.NextN(context.Background(), nil); err != nil {
		t.Fatalf("none: %v", err)
	}
}

func TestReplacingAWindowClosesItAndKeepsTheOrder(t *testing.T) {
	l := defaultLayout(t)
	g, _ := stepped(t, l)
	if last := use(g, Window{Worker: 1, From: at(0), Until: at(1000)}, at(100)); last != 0 {
		t.Errorf("the first Use returned %d", last)
	}
	before := next(t, g)
	last := use(g, Window{Worker: 2, From: at(0), Until: at(1000)}, at(0)) // and the clock stepped back
	if last != at(100) {
		t.Errorf("the old window was used up to %d, want %d", last, at(100))
	}
	if after := next(t, g); after <= before || l.Worker(after) != 2 {
		t.Errorf("%d of worker %d came after %d", after, l.Worker(after), before)
	}
	// Worker 1 again, by a later grant: nothing below what was stamped before.
	use(g, Window{Worker: 1, From: at(90), Until: at(1000)}, at(0))
	if again := next(t, g); again <= before || l.UnixMilli(again) <= at(100) {
		t.Errorf("the worker's second window began at %d", l.UnixMilli(again)-at(0))
	}
}

func TestAnIDFindsTheEpochOfItsWindow(t *testing.T) {
	g, _ := stepped(t, defaultLayout(t))
	assert := func(id ID, want int64) {
		t.Helper()
		if got := g.Epoch(id); got != want {
			t.Errorf("epoch %d, want %d", got, want)
		}
	}
	use(g, Window{Worker: 0, From: at(0), Until: at(1000), Epoch: 7}, at(0))
	a := next(t, g)
	assert(a, 7)
	use(g, Window{Worker: 2, From: at(0), Until: at(1000), Epoch: 3}, at(0))
	b := next(t, g)
	assert(a, 7)
	assert(b, 3)
	use(g, Window{Worker: 2, From: at(500), Until: at(2000), Epoch: 4}, at(0))
	c := next(t, g)
	assert(b, 3)
	assert(c, 4)
	g.Close()
	assert(c, 4)
}

func TestCloseReturnsTheLastStampForTheTrim(t *testing.T) {
	g, _ := stepped(t, defaultLayout(t))
	use(g, Window{Worker: 1, From: at(0), Until: at(1000)}, at(0))
	if last := g.Close(); last != at(0)-1 {
		t.Errorf("an unused window: %d, want the millisecond before it", last)
	}
	g, _ = stepped(t, defaultLayout(t))
	use(g, Window{Worker: 1, From: at(0), Until: at(1000)}, at(5))
	next(t, g)
	if last := g.Close(); last != at(5) {
		t.Errorf("stamped at 5, Close says %d", last-at(0))
	}
}

// Close and Use race with Next: no stamp may lie beyond what Close returned.
func TestNoIDAppearsAfterCloseOrReplacement(t *testing.T) {
	l := defaultLayout(t)
	for range 300 {
		g := New(l)
		now := time.Now().UnixMilli()
		use(g, Window{Worker: 1, From: now, Until: now + 60_000}, now)
		var wg sync.WaitGroup
		var highest [3][2]atomic.Int64 // worker, goroutine
		for i := range 2 {
			wg.Go(func() {
				for previous := ID(0); ; {
					id, err := g.Next(context.Background())
					if err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
						return
					}
					if id <= previous {
						t.Errorf("%d after %d", id, previous)
					}
					previous = id
					highest[l.Worker(id)][i].Store(l.UnixMilli(id))
				}
			})
		}
		time.Sleep(50 * time.Microsecond)
		replaced := use(g, Window{Worker: 2, From: now, Until: now + 60_000}, now)
		time.Sleep(50 * time.Microsecond)
		last := g.Close()
		wg.Wait()
		for i := range 2 {
			if high := highest[1][i].Load(); high > replaced {
				t.Fatalf("stamped %d after the window was closed at %d", high, replaced)
			}
			if high := highest[2][i].Load(); high > last {
				t.Fatalf("stamped %d after Close returned %d", high, last)
			}
		}
	}
}

// A hundred million IDs by four goroutines: each caller's increase, none twice.
func TestAHundredMillionIDsWithoutADuplicate(t *testing.T) {
	total := 100_000_000
	if raceEnabled || testing.Short() {
		total = 1_000_000
	}
	l := layout(t, 8, 16)
	g := New(l)
	start := time.Now().UnixMilli()
	use(g, Window{Worker: 1, From: start, Until: start + 3_600_000}, start)
	base := l.state(start)
	var seen bitmap
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			previous := ID(0)
			for range total / 4 {
				id, err := g.Next(context.Background())
				if err != nil {
					t.Error(err)
					return
				}
				if id <= previous {
					t.Errorf("%d after %d", id, previous)
					return
				}
				previous = id
				state := l.state(l.UnixMilli(id)) | uint64(l.Sequence(id))
				if !seen.mark(state - base) {
					t.Errorf("%d twice", id)
					return
				}
			}
		})
	}
	wg.Wait()
}

// bitmap is grown by chunks of a second's states, five minutes of them.
type bitmap [300]atomic.Pointer[[1000 << 16 / 64]atomic.Uint64]

// mark sets a bit and reports whether it was clear.
func (b *bitmap) mark(bit uint64) bool {
	const words = 1000 << 16 / 64
	word, mask := bit/64, uint64(1)<<(bit%64)
	chunk := &b[word/words]
	if chunk.Load() == nil {
		chunk.CompareAndSwap(nil, new([words]atomic.Uint64))
	}
	return chunk.Load()[word%words].Or(mask)&mask == 0
}
