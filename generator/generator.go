package generator

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Refusals of Next and NextN. None of them is worth a retry within the call:
// they end when a window is given to Use.
var (
	ErrNoWindow    = errors.New("generator: no window of timestamps is held")
	ErrWindowSpent = errors.New("generator: the window of timestamps is spent")
	ErrLayoutSpent = errors.New("generator: the layout's last timestamp is spent; a new number space is needed")
	ErrClosed      = errors.New("generator: closed")
	ErrClockBehind = errors.New("generator: the clock is far behind the window of timestamps")
	ErrTooMany     = errors.New("generator: too many IDs asked for at once")
)

// Lead is how far ahead of now, in milliseconds, a burst may stamp.
const Lead = 1000

// Generator issues IDs from the window it was given. All methods may be called
// concurrently.
type Generator struct {
	layout  Layout
	elapsed func() time.Duration // monotonic; a test may hand in its own

	term   atomic.Pointer[term]
	anchor atomic.Int64 // nanoseconds from the layout's epoch to elapsed() == 0

	mu sync.Mutex // serialises Use and Close
}

// term is one window in use, or the reason why there is none. Once closed it
// stays closed. What every call changes has a cache line to itself.
type term struct {
	window Window        // as it began
	worker uint64        // in its place in an ID
	ended  error         // why no window is in use; nil in a term that has one
	before *Window       // the window that this one replaced
	limit  atomic.Uint64 // the first state beyond the window; only grows
	_      [cacheLine]byte
	last   atomic.Uint64 // the last state that was taken
	_      [cacheLine - 8]byte
}

const cacheLine = 64

// closed is a state beyond every limit.
const closed = 1 << 63

// New returns a generator that holds no window yet.
func New(layout Layout) *Generator {
	start := time.Now()
	return NewElapsed(layout, func() time.Duration { return time.Since(start) })
}

// NewElapsed is New with a monotonic clock of the caller's, for simulations.
func NewElapsed(layout Layout, elapsed func() time.Duration) *Generator {
	g := &Generator{layout: layout, elapsed: elapsed}
	g.term.Store(ended(ErrNoWindow))
	return g
}

func ended(why error) *term {
	t := &term{ended: why}
	t.last.Store(closed)
	return t
}

// Layout is the layout that New was given.
func (g *Generator) Layout() Layout { return g.layout }

// Next issues one ID. It waits only when a burst has run a second ahead of the
// clock, and then no longer than ctx allows.
func (g *Generator) Next(ctx context.Context) (ID, error) {
	t := g.term.Load()
	if state, ok := t.takeOne(g.now(), g.layout.sequenceBits); ok {
		return g.layout.id(state, t.worker), nil
	}
	first, t, err := g.reserve(ctx, 1)
	if err != nil {
		return 0, err
	}
	return g.layout.id(first, t.worker), nil
}

// NextN fills dst with consecutive IDs from a single reservation: all of dst is
// issued, or nothing is. It fails with ErrTooMany when dst is longer than a
// burst may ever be.
func (g *Generator) NextN(ctx context.Context, dst []ID) error {
	if len(dst) == 0 {
		return nil
	}
	if most := Lead << g.layout.sequenceBits; len(dst) > most {
		return fmt.Errorf("%w: %d, at most %d", ErrTooMany, len(dst), most)
	}
	state, t, err := g.reserve(ctx, uint64(len(dst)))
	if err != nil {
		return err
	}
	for i := range dst {
		dst[i] = g.layout.id(state+uint64(i), t.worker)
	}
	return nil
}

// takeOne is take of a single state, at the price of one visit to the contended
// word: an addition, which does not have to read it first. A state that turns out
// to be unusable, because the clock has moved on or there is no room, is lost.
// There is no addition when the window is over by the clock, so that refusals do
// not use up what an extension will bring.
func (t *term) takeOne(now uint64, sequenceBits uint8) (state uint64, ok bool) {
	fresh := now<<sequenceBits | offset(now, sequenceBits)
	limit := t.limit.Load()
	if fresh >= limit {
		return 0, false
	}
	state = t.last.Add(1)
	if state < fresh {
		return t.take(now, sequenceBits, 1)
	}
	return state, state < limit && state < (now+Lead+1)<<sequenceBits
}

// take reserves n states in one step, unless they would leave the window or
// run more than Lead ahead of now (milliseconds since the epoch).
func (t *term) take(now uint64, sequenceBits uint8, n uint64) (first uint64, ok bool) {
	fresh := now<<sequenceBits | offset(now, sequenceBits)
	ceiling := (now + Lead + 1) << sequenceBits
	for {
		last := t.last.Load()
		first = max(last+1, fresh)
		end := first + n // the state after the reservation
		if end > t.limit.Load() || end > ceiling {
			return 0, false
		}
		if t.last.CompareAndSwap(last, end-1) {
			return first, true
		}
	}
}

// reserve is take with its refusals explained, and with waiting.
func (g *Generator) reserve(ctx context.Context, n uint64) (first uint64, t *term, err error) {
	for {
		t, now := g.term.Load(), g.now()
		if first, ok := t.take(now, g.layout.sequenceBits, n); ok {
			return first, t, nil
		}
		last, limit := t.last.Load(), t.limit.Load()
		if t.ended != nil {
			return 0, nil, t.ended
		}
		if last >= closed { // being replaced at this moment
			runtime.Gosched()
			continue
		}
		wait, err := g.wait(last, limit, now, n)
		if err == nil {
			err = sleep(ctx, wait)
		}
		if err != nil {
			return 0, nil, err
		}
	}
}

// wait is how long to wait for n states after last, or why that is no use.
func (g *Generator) wait(last, limit, now, n uint64) (time.Duration, error) {
	end := max(last+1, now<<g.layout.sequenceBits) + n
	ahead := (end - 1) >> g.layout.sequenceBits
	switch {
	case end > limit && limit == g.layout.state(g.layout.End()):
		return 0, ErrLayoutSpent
	case end > limit:
		return 0, ErrWindowSpent
	case ahead > now+2*Lead+1: // more than a burst: the window itself lies ahead
		return 0, ErrClockBehind
	}
	return time.Duration(int64(ahead)-int64(now+Lead)) * time.Millisecond, nil
}

// Ready returns nil when Next would issue an ID, at once or after the wait that a
// burst brings, and otherwise what Next would fail with.
func (g *Generator) Ready() error {
	t := g.term.Load()
	if t.ended != nil {
		return t.ended
	}
	_, err := g.wait(t.last.Load()&^closed, t.limit.Load(), g.now(), 1)
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(max(d, time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// offset is where a fresh millisecond's sequence starts: 0 to 63, less in a
// narrow layout.
func offset(now uint64, sequenceBits uint8) uint64 {
	return now * 0x9e3779b97f4a7c15 >> 58 & (1<<(sequenceBits-2) - 1)
}

// now is the milliseconds since the layout's epoch by the clock that SetClock set.
func (g *Generator) now() uint64 {
	return uint64(max(0, g.anchor.Load()+int64(g.elapsed()))) / uint64(time.Millisecond)
}

// state is the first packed state of a Unix millisecond.
func (l Layout) state(unixMilli int64) uint64 { return uint64(unixMilli-l.epoch) << l.sequenceBits }
