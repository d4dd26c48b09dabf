package lease

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"waybill/generator"
)

// Keeper acquires a worker from all its authorities, keeps its window extended
// and hands the intersection to the generator.
type Keeper struct {
	authorities []Authority // the first one's clock is the generator's
	generator   *generator.Generator
	log         *slog.Logger

	mu     sync.Mutex
	status Status
	held   *held // nil unless live
}

// State is what a keeper is doing.
type State string

// The states of a keeper; see the package comment.
const (
	Starting State = "starting" // no window yet
	Standby  State = "standby"  // no worker is free
	Live     State = "live"     // a window is held
	Draining State = "draining" // stopping: the window is kept, not extended
	Released State = "released" // given back
)

// Status is what operators are told. Window is empty unless one is held.
type Status struct {
	State   State
	Window  generator.Window // the intersection
	Refresh time.Time        // the last successful grant
	Err     error            // what the authorities failed with when last asked
}

// Back-off of failed attempts, with full jitter.
const (
	retryFirst = 100 * time.Millisecond
	retryMost  = time.Second     // a standby takes over within that of a worker's becoming free
	callLimit  = 5 * time.Second // for one question to one authority

	triesPerRound = 16 // occupied workers, before a back-off
)

// NewKeeper returns a keeper that holds nothing yet. There must be at least one
// authority.
func NewKeeper(g *generator.Generator, log *slog.Logger, authorities ...Authority) *Keeper {
	return &Keeper{authorities: authorities, generator: g, log: log, status: Status{State: Starting}}
}

// Run acquires, extends and re-acquires until ctx ends; the window is then still
// held. It may be called once.
func (k *Keeper) Run(ctx context.Context) error {
	retry := retryFirst
	for ctx.Err() == nil {
		h, err := k.acquire(ctx)
		if err != nil {
			k.failed(ctx, err)
			pause(ctx, rand.N(retry))
			retry = min(2*retry, retryMost)
			continue
		}
		retry = retryFirst
		k.keep(ctx, h)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.status.State = Draining
	return nil
}

// noWorker says that all workers are taken.
type noWorker struct{ next int64 }

func (e noWorker) Error() string {
	if e.next == 0 {
		return "no worker is free"
	}
	return "no worker is free until " + time.UnixMilli(e.next).UTC().Format(time.RFC3339)
}

// acquire tries a few of the free workers, one after the other.
func (k *Keeper) acquire(ctx context.Context) (*held, error) {
	first := k.authorities[0]
	call, cancel := context.WithTimeout(ctx, callLimit)
	workers, next, err := first.Free(call)
	cancel()
	if err != nil {
		return nil, fmt.Errorf("lease: ask %s for free workers: %w", first.Name(), err)
	}
	for _, worker := range workers[:min(len(workers), triesPerRound)] {
		h, err := k.claim(ctx, worker)
		if errors.Is(err, ErrOccupied) {
			continue // somebody was faster
		}
		return h, err
	}
	if len(workers) > 0 {
		return nil, ErrOccupied
	}
	return nil, noWorker{next}
}

// claim asks every authority for one worker under a fresh token and starts
// issuing in the intersection. What was granted before a refusal is given back.
func (k *Keeper) claim(ctx context.Context, worker int) (*held, error) {
	h := &held{worker: worker, token: NewToken(), parts: make([]part, len(k.authorities))}
	floor := int64(0)
	for i, a := range k.authorities {
		if err := h.ask(ctx, a, i, floor); err != nil {
			return nil, errors.Join(err, k.giveBack(ctx, h, floor))
		}
		floor = max(floor, h.parts[i].grant.Window.From)
	}
	if h.window().Empty() {
		return nil, errors.Join(fmt.Errorf("lease: the authorities' windows of worker %d do not meet", worker),
			k.giveBack(ctx, h, floor))
	}
	k.generator.SetClock(h.parts[0].grant.Now)
	k.use(h)
	k.log.InfoContext(ctx, "lease acquired", "worker", worker, "epoch", h.window().Epoch, "until", time.UnixMilli(h.window().Until).UTC())
	return h, nil
}

// keep extends h until it is lost or ctx ends.
func (k *Keeper) keep(ctx context.Context, h *held) {
	retry := retryFirst
	for {
		i := h.next()
		pause(ctx, time.Until(h.parts[i].due))
		if ctx.Err() != nil {
			return
		}
		err := h.ask(ctx, k.authorities[i], i, 0)
		switch {
		case errors.Is(err, ErrLost):
			k.failed(ctx, h.err())
			return // the window stays in use until another replaces it
		case err != nil:
			k.failed(ctx, h.err())
			h.parts[i].due = time.Now().Add(rand.N(retry))
			retry = min(2*retry, retryMost)
		default:
			retry = retryFirst
			if i == 0 {
				k.generator.SetClock(h.parts[0].grant.Now)
			}
			k.use(h)
		}
	}
}

// use hands the window on, and notes it.
func (k *Keeper) use(h *held) {
	k.generator.Use(h.window())
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held = h
	k.status = Status{State: Live, Window: h.window(), Refresh: time.Now(), Err: h.err()}
}

// failed notes an error, and logs it when it is news.
func (k *Keeper) failed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	k.mu.Lock()
	news := k.status.Err == nil || k.status.Err.Error() != err.Error()
	k.status.Err = err
	if _, none := errors.AsType[noWorker](err); none && k.held == nil {
		k.status.State = Standby
	}
	k.mu.Unlock()
	if news {
		k.log.WarnContext(ctx, "lease not acquired or extended", "error", err)
	}
}

// Status is the keeper's state at this moment.
func (k *Keeper) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.status
}

// Ready returns nil when numbers can be issued, and otherwise why not.
func (k *Keeper) Ready() error {
	status, err := k.Status(), k.generator.Ready()
	switch {
	case status.State != Live && status.Err != nil:
		return fmt.Errorf("lease: %s: %w", status.State, status.Err)
	case status.State != Live:
		return fmt.Errorf("lease: %s", status.State)
	case err != nil && status.Err != nil:
		return fmt.Errorf("%w: %w", err, status.Err)
	}
	return err
}

// Release gives back what follows last, the timestamp that Generator.Close
// returned. Call it after Run has returned and the generator was closed.
func (k *Keeper) Release(ctx context.Context, last int64) error {
	k.mu.Lock()
	h := k.held
	k.held, k.status = nil, Status{State: Released}
	k.mu.Unlock()
	if h == nil {
		return nil
	}
	return k.giveBack(ctx, h, max(last+1, h.window().From)) // last is 0 when nothing was issued
}

// giveBack trims what every authority granted to until.
func (k *Keeper) giveBack(ctx context.Context, h *held, until int64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callLimit)
	defer cancel()
	var errs []error
	for i, a := range k.authorities {
		if h.parts[i].grant.Window.Empty() {
			continue
		}
		if err := a.Trim(ctx, h.worker, h.token, until); err != nil && !errors.Is(err, ErrLost) {
			errs = append(errs, fmt.Errorf("lease: give worker %d back to %s: %w", h.worker, a.Name(), err))
		}
	}
	return errors.Join(errs...)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
