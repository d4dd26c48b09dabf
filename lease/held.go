package lease

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"waybill/generator"
)

// held is one acquisition.
type held struct {
	worker int
	token  Token
	grants []held1 // by authority
}

// held1 is one authority's part of an acquisition.
type held1 struct {
	number uint64 // of the last request
	grant  Grant
	due    time.Time
	err    error // of the last request
}

// ask sends authority i the next request of h and takes what it grants.
func (h *held) ask(ctx context.Context, a Authority, i int, floor int64) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	part := &h.grants[i]
	part.number++
	grant, err := a.Grant(ctx, Claim{Worker: h.worker, Token: h.token, Number: part.number, Floor: floor})
	if err != nil {
		part.number-- // the same request again: it may have been stored
		part.err = fmt.Errorf("lease: worker %d from %s: %w", h.worker, a.Name(), err)
		return part.err
	}
	part.err = nil
	// An answer that was overtaken must not shorten the window.
	grant.Window.Until = max(grant.Window.Until, part.grant.Window.Until)
	part.grant = grant
	part.due = time.Now().Add(a.Period()*9/10 + rand.N(a.Period()/5+1))
	return nil
}

// window is what all authorities granted.
func (h *held) window() generator.Window {
	w := h.grants[0].grant.Window
	for _, part := range h.grants[1:] {
		w = w.Intersect(part.grant.Window)
	}
	return w
}

// next is the authority to ask next.
func (h *held) next() (first int) {
	for i, part := range h.grants {
		if part.due.Before(h.grants[first].due) {
			first = i
		}
	}
	return first
}

// err is what the authorities failed with when last asked.
func (h *held) err() error {
	var errs []error
	for _, part := range h.grants {
		errs = append(errs, part.err)
	}
	return errors.Join(errs...)
}
