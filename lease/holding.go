package lease

import (
	"time"

	"waybill/generator"
)

// holding is one acquisition: a worker under a token, in one part from each
// authority. It is never reused: a re-acquisition is a new one.
type holding struct {
	worker int
	token  Token
	parts  []part
	lost   bool // an authority gave the worker to nobody or to another

	until int64 // when leaving: what follows may be given back; Unix milliseconds
	told  bool  // when leaving: until is known, as the generator has closed the window
}

// part is one authority's part of a holding. Its times are the core's.
type part struct {
	number   uint64 // of the last request that was answered
	nonce    uint64 // of the next one
	grant    Grant  // the latest; its window only grows
	received time.Duration
	took     time.Duration // the last answer's way
	half     time.Duration // when half of what was left at the last grant is used up
	ends     time.Duration // when the window ends, reckoned from before the question
	due      time.Duration // when to ask next
	wait     time.Duration // backs off
	asking   bool
	asked    bool  // at least once: something may be stored
	err      error // of the last request

	returns int  // trims that failed
	gone    bool // given back
}

// take notes a grant. It reports false for one that is not of this holding's
// window: an answer that was so late that it tells of another life.
func (p *part) take(g Grant, now, sent time.Duration) bool {
	if p.number > 0 && g.Window.From != p.grant.Window.From {
		return false
	}
	g.Window.Until = max(g.Window.Until, p.grant.Window.Until) // an overtaken answer must not shorten it
	p.grant, p.received, p.took, p.err = g, now, now-sent, nil
	left := time.Duration(g.Window.Until-g.Now) * time.Millisecond
	p.half, p.ends = sent+left/2, sent+left
	return true
}

// clock is the authority's time, by its last answer. It is never ahead of it.
func (p *part) clock(now time.Duration) int64 {
	return p.grant.Now + (now - p.received).Milliseconds()
}

// window is what all authorities granted.
func (h *holding) window() generator.Window {
	w := h.parts[0].grant.Window
	for _, p := range h.parts[1:] {
		w = w.Intersect(p.grant.Window)
	}
	return w
}

// floor is where the window of the next authority may begin: where those before
// it begin.
func (h *holding) floor(parts int) (floor int64) {
	for _, p := range h.parts[:parts] {
		floor = max(floor, p.grant.Window.From)
	}
	return floor
}

// over reports whether the intersection has ended at now.
func (h *holding) over(now time.Duration) bool {
	for _, p := range h.parts {
		if now >= p.ends {
			return true
		}
	}
	return false
}

// fading reports whether another worker is needed: this one is lost, or half of
// a window passed without an extension.
func (h *holding) fading(now time.Duration) bool {
	for _, p := range h.parts {
		if now >= p.half {
			return true
		}
	}
	return h.lost
}

// err is what the authorities failed with when last asked; the first of them.
func (h *holding) err() error {
	for _, p := range h.parts {
		if p.err != nil {
			return p.err
		}
	}
	return nil
}
