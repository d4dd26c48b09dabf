package lease

import (
	"errors"
	"math/rand/v2"
	"time"
)

// core decides what a keeper does. It is pure: step takes what happened and the
// time, and returns what to do. It never sleeps, calls or logs, so that the
// simulator can drive it through everything that can go wrong.
//
// Times are a monotonic clock's that counts suspension too. No wall clock
// decides anything.
type core struct {
	periods []time.Duration // by authority
	random  *rand.Rand

	now      time.Duration
	effects  []effect
	using    *holding // what the generator issues from
	trying   *holding // what is being acquired
	leaving  []*holding
	search   search
	state    State
	had      bool // a window, once
	stopping bool
	failed   error // for good

	notedErr string // what was last logged, and when
	notedAt  time.Duration
}

// Delays. A failed request is repeated with full jitter; a standby asks often
// enough to take over within a second.
const (
	retryFirst  = 100 * time.Millisecond
	retryMost   = 500 * time.Millisecond
	standbyPoll = 500 * time.Millisecond
	returnTries = 5
	quietTime   = time.Minute // between lines about the same state
)

func newCore(periods []time.Duration, source rand.Source) *core {
	return &core{periods: periods, random: rand.New(source), state: Starting, search: search{asking: -1}}
}

// step takes what happened at now and returns what to do.
func (c *core) step(now time.Duration, e event) []effect {
	c.now, c.effects = now, nil
	switch e := e.(type) {
	case vacancy:
		c.vacant(e)
	case answer:
		c.answered(e)
	case trimmed:
		c.returned(e)
	case replaced:
		c.close(e.last)
	case slept:
		c.refreshNow()
	case stop:
		c.stopping = true
	}
	c.plan()
	return c.effects
}

func (c *core) do(e effect) { c.effects = append(c.effects, e) }

// plan asks for whatever is due.
func (c *core) plan() {
	if c.failed == nil && !c.stopping {
		c.retire()
		c.extend()
		c.acquire()
	}
	c.giveBack()
	c.observe()
}

// extend asks for more of the window in use.
func (c *core) extend() {
	if c.using == nil || c.using.lost {
		return
	}
	for i := range c.using.parts {
		if p := &c.using.parts[i]; !p.asking && c.now >= p.due {
			c.claim(c.using, i, 0)
		}
	}
}

// claim asks authority i for its part of h. A request that was not answered is
// repeated as it was: it may have been stored.
func (c *core) claim(h *holding, i int, floor int64) {
	p := &h.parts[i]
	if p.nonce == 0 {
		p.nonce = c.random.Uint64()>>12 | 1 // a Lua number holds it exactly
	}
	p.asking, p.asked = true, true
	c.do(askGrant{i, Claim{Worker: h.worker, Token: h.token, Number: p.number + 1, Nonce: p.nonce, Floor: floor}})
}

// answered takes the answer to a claim, whoever's it is.
func (c *core) answered(e answer) {
	h := c.find(e.token)
	if h == nil {
		return // given back long ago
	}
	p := &h.parts[e.authority]
	if e.number != p.number+1 { // overtaken: a window is a fact all the same, a failure is not
		if e.err == nil {
			p.take(e.grant, c.now, e.sent)
		}
		return
	}
	p.asking = false
	if e.err == nil && !p.take(e.grant, c.now, e.sent) {
		e.err = ErrLost // the window is of another life of this token
	}
	if e.err == nil {
		p.number, p.nonce = e.number, 0
		period := c.periods[e.authority]
		p.wait, p.due = 0, c.now+period*9/10+c.jitter(period/5)
	} else {
		p.err = e.err
		p.wait = min(max(2*p.wait, retryFirst), retryMost)
		p.due = c.now + c.jitter(p.wait)
	}
	switch {
	case errors.Is(e.err, ErrCloned):
		c.fail(e.err)
	case h == c.using:
		c.extended(h, e)
	case h == c.trying:
		c.acquired(h, e)
	}
}

// extended hands the longer window on.
func (c *core) extended(h *holding, e answer) {
	if errors.Is(e.err, ErrLost) || errors.Is(e.err, ErrOccupied) {
		h.lost = true // the window stays in use until another replaces it
		c.search.soon(c.now)
	}
	if e.err != nil {
		return
	}
	if e.authority == 0 {
		c.do(anchor{h.parts[0].grant.Now})
	}
	c.do(use{h.window()})
}

// fail stops for good.
func (c *core) fail(err error) {
	if c.failed == nil {
		c.failed = err
		c.do(halt{err})
	}
}

// refreshNow makes everything due.
func (c *core) refreshNow() {
	for _, h := range []*holding{c.using, c.trying} {
		if h == nil {
			continue
		}
		for i := range h.parts {
			h.parts[i].due = c.now
		}
	}
	c.search.soon(c.now)
}

func (c *core) find(token Token) *holding {
	for _, h := range append([]*holding{c.using, c.trying}, c.leaving...) {
		if h != nil && h.token == token {
			return h
		}
	}
	return nil
}

// jitter is a random part of d.
func (c *core) jitter(d time.Duration) time.Duration {
	return time.Duration(c.random.Int64N(int64(d) + 1))
}

// wake is when the next step is due if nothing happens before.
func (c *core) wake() time.Duration {
	next := c.now + time.Minute
	soon := func(at time.Duration) { next = min(next, max(at, c.now)) }
	if c.using != nil && !c.stopping && c.failed == nil {
		for _, p := range c.using.parts {
			if !p.asking && !c.using.lost {
				soon(p.due)
			}
			for _, at := range []time.Duration{p.half, p.ends} {
				if at > c.now {
					soon(at)
				}
			}
		}
	}
	if c.wanting() && c.search.asking < 0 && c.trying == nil {
		soon(c.search.at)
	}
	for _, h := range c.leaving {
		for _, p := range h.parts {
			if h.told && p.asked && !p.gone && !p.asking { // as giveBack does
				soon(p.due)
			}
		}
	}
	return next
}
