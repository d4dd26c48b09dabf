package lease

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"waybill/generator"
)

// search is the way to a worker: the first authority tells which are free, and
// they are tried in random order. Once another authority has refused one of
// them, each is asked in turn, and those that all call free are tried.
type search struct {
	asking     int // the authority that is being asked, or -1
	found      []int
	candidates []int
	at         time.Duration // of the next search
	wait       time.Duration // backs off
	full       bool          // no worker was free
	careful    bool          // the first authority does not know what another does
	err        error         // what the last attempt failed with
}

// triesPerSearch bounds the workers that are tried before all authorities are
// asked again.
const triesPerSearch = 16

// soon lets the next search begin at now.
func (s *search) soon(now time.Duration) {
	if !s.quarantined() {
		s.at, s.wait = min(s.at, now), 0
	}
}

func (s *search) quarantined() bool {
	_, ok := errors.AsType[*QuarantineError](s.err)
	return ok
}

// wanting reports whether a worker is needed that is not held.
func (c *core) wanting() bool {
	return c.failed == nil && !c.stopping && (c.using == nil || c.using.fading(c.now))
}

// acquire looks for a worker when one is wanted, and gives up when none is any
// more.
func (c *core) acquire() {
	if !c.wanting() {
		c.search.candidates, c.search.found = nil, nil
		if c.trying != nil {
			c.abandon(c.trying)
		}
		return
	}
	if c.trying != nil || c.search.asking >= 0 {
		return
	}
	if len(c.search.candidates) > 0 {
		c.try()
	} else if c.now >= c.search.at {
		c.askFree(0)
	}
}

func (c *core) askFree(authority int) {
	c.search.asking = authority
	c.do(askFree{authority})
}

// vacant takes what one authority knows to be free, and asks the next.
func (c *core) vacant(e vacancy) {
	s := &c.search
	s.asking = -1
	if e.err != nil {
		c.retry(e.err)
		return
	}
	if e.authority == 0 {
		s.found = e.free.Workers
	} else {
		s.found = slices.DeleteFunc(s.found, func(w int) bool { return !slices.Contains(e.free.Workers, w) })
	}
	switch {
	case len(s.found) == 0:
		s.err, s.wait, s.full = errNoWorker, 0, true
		s.at = c.now + standbyPoll*4/5 + c.jitter(standbyPoll/5)
		if left := time.Duration(e.free.Next-e.free.Now) * time.Millisecond; e.free.Next > 0 && left > 0 {
			s.at = min(s.at, c.now+left)
		}
	case s.careful && e.authority+1 < len(c.periods):
		c.askFree(e.authority + 1)
	default:
		s.full = false
		c.random.Shuffle(len(s.found), func(i, j int) { s.found[i], s.found[j] = s.found[j], s.found[i] })
		s.candidates, s.found = s.found[:min(len(s.found), triesPerSearch)], nil
	}
}

// errNoWorker is why an instance stands by.
var errNoWorker = errors.New("lease: every worker is taken; this instance takes over the next that becomes free")

// try claims the next candidate under a fresh token.
func (c *core) try() {
	s := &c.search
	worker := s.candidates[0]
	s.candidates = s.candidates[1:]
	c.trying = &holding{worker: worker, token: drawToken(c.random), parts: make([]part, len(c.periods))}
	c.claim(c.trying, 0, 0)
}

// acquired goes on to the next authority after an answer, or to the next worker.
func (c *core) acquired(h *holding, e answer) {
	granted := e.authority + 1
	switch {
	case errors.Is(e.err, ErrOccupied), errors.Is(e.err, ErrLost): // somebody was faster
		c.abandon(h)
		c.search.careful = c.search.careful || e.authority > 0
		if len(c.search.candidates) == 0 || e.authority > 0 {
			c.retry(e.err)
		}
	case e.err != nil:
		c.abandon(h)
		c.retry(e.err)
	case granted < len(h.parts):
		c.claim(h, granted, h.floor(granted))
	default:
		c.begin(h)
	}
}

// retire gives up a window that is over. Nothing can be issued from it any more,
// and the worker may still be this instance's elsewhere: where there are few, it
// is the one to take next.
func (c *core) retire() {
	if c.using == nil || !c.using.over(c.now) {
		return
	}
	w := c.using.window()
	c.leave(c.using)
	c.using = nil
	c.search.soon(c.now)
	c.do(use{generator.Window{Worker: w.Worker, From: w.Until, Until: w.Until, Epoch: w.Epoch}}) // empty: it closes the one before
}

// retry searches again later: exactly when a quarantine is over, else after a
// random part of a growing delay.
func (c *core) retry(err error) {
	s := &c.search
	s.candidates, s.found, s.err, s.full = nil, nil, err, false
	if q, ok := errors.AsType[*QuarantineError](err); ok {
		s.wait, s.at = 0, c.now+q.Wait
		return
	}
	s.wait = min(max(2*s.wait, retryFirst), retryMost)
	s.at = c.now + c.jitter(s.wait)
}

// begin issues from a holding that all authorities granted.
func (c *core) begin(h *holding) {
	w, clock := h.window(), h.parts[0].clock(c.now)
	if w.Empty() || h.over(c.now) || w.From > clock+generator.Lead {
		c.abandon(h)
		c.retry(fmt.Errorf("lease: the authorities' windows of worker %d do not meet now: %d to %d at %d", h.worker, w.From, w.Until, clock))
		return
	}
	if c.using != nil {
		c.leave(c.using)
	}
	c.using, c.trying, c.had = h, nil, true
	c.search = search{asking: -1}
	c.do(anchor{clock})
	c.do(use{w})
	c.do(announce{[]any{"worker", h.worker, "epoch", w.Epoch, "from", stamp(w.From), "until", stamp(w.Until)}})
}

// stamp is a Unix millisecond for people.
func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format(stampFormat) }

const stampFormat = "2006-01-02T15:04:05.000Z07:00"
