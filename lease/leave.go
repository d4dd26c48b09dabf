package lease

import "errors"

// leave puts a holding that the generator issued from among those to give back.
// What of it is to be kept is known once the generator has closed it.
func (c *core) leave(h *holding) { c.leaving = append(c.leaving, h) }

// close learns the last timestamp of the window before the one in use. Closing
// comes before trimming, always: see Trim.
func (c *core) close(last int64) {
	for _, h := range c.leaving {
		if !h.told {
			h.told, h.until = true, max(last+1, h.window().From)
			c.returnNow(h)
		}
	}
}

// abandon gives back a holding that nothing was issued from.
func (c *core) abandon(h *holding) {
	if h == c.trying {
		c.trying = nil
	}
	h.told, h.until = true, 0
	c.returnNow(h)
	c.leaving = append(c.leaving, h)
}

func (c *core) returnNow(h *holding) {
	for i := range h.parts {
		h.parts[i].due, h.parts[i].wait = c.now, 0
	}
}

// giveBack trims what may be trimmed. A claim that is still under way is waited
// for: stored after the trim, it would park the worker.
func (c *core) giveBack() {
	kept := c.leaving[:0]
	for _, h := range c.leaving {
		done := true
		for i := range h.parts {
			p := &h.parts[i]
			if !p.asked || p.gone {
				continue
			}
			done = false
			if h.told && !p.asking && c.now >= p.due {
				p.asking = true
				c.do(askTrim{i, h.worker, h.token, h.until})
			}
		}
		if !done {
			kept = append(kept, h)
		}
	}
	clear(c.leaving[len(kept):])
	c.leaving = kept
}

// returned takes the answer to a trim. What cannot be given back is orphaned: it
// passes by itself.
func (c *core) returned(e trimmed) {
	h := c.find(e.token)
	if h == nil {
		return
	}
	p := &h.parts[e.authority]
	p.asking = false
	if e.err == nil || errors.Is(e.err, ErrLost) {
		p.gone = true
		if c.search.full { // no longer: the worker is free
			c.search.soon(c.now)
		}
		return
	}
	if p.returns++; p.returns == returnTries {
		p.gone = true
		return
	}
	p.wait = min(max(2*p.wait, retryFirst), retryMost)
	p.due = c.now + p.wait
}

// release is everything that is held, to be given back at the end: the window in
// use from last+1 on, the rest as a whole. Nothing is issued any more.
func (c *core) release(last int64) (trims []askTrim) {
	if c.trying != nil {
		c.abandon(c.trying)
	}
	if c.using != nil {
		c.leave(c.using)
		c.using = nil
	}
	c.close(last)
	for _, h := range c.leaving {
		for i, p := range h.parts {
			if p.asked && !p.gone {
				trims = append(trims, askTrim{i, h.worker, h.token, h.until})
			}
		}
	}
	c.leaving = nil
	return trims
}
