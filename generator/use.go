package generator

import (
	"errors"
	"time"
)

// SetClock makes now, in Unix milliseconds, the time at this moment; the
// generator's own monotonic clock carries it on from there. Call it before the
// first Use, and then as often as a better clock has been read.
func (g *Generator) SetClock(now int64) {
	g.anchor.Store((now-g.layout.epoch)*int64(time.Millisecond) - int64(g.elapsed()))
}

// Use makes w the window to issue from. Its Worker must be below
// Layout().Workers(): a larger one would run into the time.
//
// A window with the worker and From of the one in use extends it: its Until
// only ever grows. Any other window replaces the one in use, which is closed
// for good before the first ID of the new one is issued; IDs keep increasing
// across the change. Use then returns the last timestamp that may have been
// stamped in the closed window, so that its owner can give the rest back; it
// returns 0 when nothing was replaced, and after Close.
func (g *Generator) Use(w Window) (last int64) {
	g.mu.Lock()
	defer g.mu.Unlock()

	old := g.term.Load()
	if errors.Is(old.ended, ErrClosed) {
		return 0
	}
	l := g.layout
	from, until := max(w.From, l.epoch+1), min(w.Until, l.End()) // the epoch itself would make ID 0
	limit := l.state(max(from, until))
	worker := uint64(w.Worker) << l.sequenceBits
	if old.ended == nil && old.worker == worker && old.window.From == from {
		old.limit.Store(max(old.limit.Load(), limit))
		return 0
	}

	next := &term{window: Window{Worker: w.Worker, From: from, Until: until, Epoch: w.Epoch}, worker: worker}
	start := l.state(from)
	if old.ended == nil {
		before := old.window // a copy: the chain of terms is not kept
		next.before = &before
		last = g.end(old)
		start = max(start, l.state(last+1))
	}
	next.last.Store(start - 1)
	next.limit.Store(limit)
	g.term.Store(next)
	return last
}

// Close ends issuing for good: when it returns, no later Next succeeds, and no
// ID has a timestamp beyond the one returned (Unix milliseconds; 0 when no
// window was in use). The window's owner may then give back what lies after it.
func (g *Generator) Close() (last int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	old := g.term.Load()
	next := ended(ErrClosed)
	if old.ended == nil {
		before := old.window // a copy: the chain of terms is not kept
		next.before = &before
		last = g.end(old)
	}
	g.term.Store(next)
	return last
}

// end closes a term and returns the last timestamp it may have stamped: at
// least the one before its window.
func (g *Generator) end(t *term) int64 {
	state := t.last.Swap(closed)
	return g.layout.epoch + int64(state>>g.layout.sequenceBits)
}

// Window is the window in use; it is empty before the first Use and after Close.
func (g *Generator) Window() Window {
	t := g.term.Load()
	if t.ended != nil {
		return Window{}
	}
	w := t.window
	w.Until = g.layout.epoch + int64(t.limit.Load()>>g.layout.sequenceBits)
	return w
}

// Epoch is the epoch of the window that id was issued from, for an ID that Next
// has just returned: the window may have been replaced once since.
func (g *Generator) Epoch(id ID) int64 {
	t := g.term.Load()
	ms := g.layout.UnixMilli(id)
	if t.before != nil && (t.ended != nil || t.window.Worker != g.layout.Worker(id) || ms < t.window.From) {
		return t.before.Epoch
	}
	return t.window.Epoch
}

// Now is the Unix millisecond by the generator's clock.
func (g *Generator) Now() int64 { return g.layout.epoch + int64(g.now()) }
