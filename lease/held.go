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
	parts  []part // by authority
}

// part is one authority's part of an acquisition.
type part struct {
	number uint64 // of the last request that was answered
	grant  Grant
	due    time.Time
	err    error // of the last request
}

// ask sends authority i the next request of h and takes what it grants.
func (h *held) ask(ctx context.Context, a Authority, i int, floor int64) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	part := &h.parts[i]
	number := part.number + 1 // a failed request is repeated under its number: it may have been stored
	grant, err := a.Grant(ctx, Claim{Worker: h.worker, Token: h.token, Number: number, Floor: floor})
	if err != nil {
		part.err = fmt.Errorf("lease: worker %d from %s: %w", h.worker, a.Name(), err)
		return part.err
	}
	part.number, part.err = number, nil
	// An answer that was overtaken must not shorten the window.
	grant.Window.Until = max(grant.Window.Until, part.grant.Window.Until)
	part.grant = grant
	part.due = time.Now().Add(a.Period()*9/10 + rand.N(a.Period()/5+1))
	return nil
}

// window is what all authorities granted.
func (h *held) window() generator.Window {
	w := h.parts[0].grant.Window
	for _, part := range h.parts[1:] {
		w = w.Intersect(part.grant.Window)
	}
	return w
}

// next is the authority to ask next.
func (h *held) next() (first int) {
	for i, part := range h.parts {
		if part.due.Before(h.parts[first].due) {
			first = i
		}
	}
	return first
}

// err is what the authorities failed with when last asked.
func (h *held) err() error {
	var errs []error
	for _, part := range h.parts {
		errs = append(errs, part.err)
	}
	return errors.Join(errs...)
}
