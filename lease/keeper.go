package lease

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"waybill/generator"
)

// Keeper acquires a worker from all its authorities, keeps its window extended
// and hands the intersection to the generator. It is the thin loop around core:
// it asks, waits and hands on, and decides nothing.
type Keeper struct {
	authorities []Authority // the first one's clock is the generator's
	names       []string
	generator   *generator.Generator
	log         *slog.Logger
	self        Instance
	issued      func() uint64
	suspension  suspension
	start       time.Time
	space       Space
	looking     chan struct{} // holds one while Fleet asks

	mu       sync.Mutex
	core     *core
	status   Status               // of the last step
	answered map[string]time.Time // by authority: the last answer
	offset   *int64
}

// Config is what a keeper works with.
type Config struct {
	Generator   *generator.Generator
	Authorities []Authority // at least one; the first one's clock is the generator's
	Space       Space       // that they serve, for operators
	Self        Instance    // who other operators see
	Issued      func() uint64
	Log         *slog.Logger
}

// callLimit bounds one question to one authority, releaseLimit giving back at
// the end.
const (
	callLimit    = 5 * time.Second
	releaseLimit = 3 * time.Second
)

// NewKeeper returns a keeper that holds nothing yet.
func NewKeeper(c Config) *Keeper {
	k := &Keeper{
		authorities: c.Authorities, generator: c.Generator, log: c.Log, self: c.Self, issued: c.Issued,
		start: time.Now(), answered: map[string]time.Time{}, space: c.Space, looking: make(chan struct{}, 1),
	}
	var periods []time.Duration
	for _, a := range c.Authorities {
		k.names, periods = append(k.names, a.Name()), append(periods, a.Period())
	}
	k.core = newCore(periods, system{})
	k.status = k.core.status(k.names)
	return k
}

// suspensionCheck is how often the machine is asked whether it was suspended.
const suspensionCheck = 250 * time.Millisecond

// Run acquires, extends and re-acquires until ctx ends; the window is then still
// held. It fails with ErrCloned when this process exists twice. It may be called
// once.
func (k *Keeper) Run(ctx context.Context) error {
	asking, cancel := context.WithCancel(ctx)
	results := make(chan event)
	var calls sync.WaitGroup
	defer calls.Wait() // after cancel: nobody reads their results
	defer cancel()
	beside := func(call func(context.Context) event) {
		calls.Go(func() {
			select {
			case results <- call(asking):
			case <-asking.Done():
			}
		})
	}
	for queue := []event{tick{}}; ; {
		var wake time.Duration
		for ; len(queue) > 0; queue = queue[1:] {
			var effects []effect
			effects, wake = k.step(queue[0])
			for _, e := range effects {
				follow, err := k.do(ctx, e, beside)
				if err != nil {
					return err
				}
				if follow != nil {
					queue = append(queue, follow)
				}
			}
		}
		timer := time.NewTimer(min(wake, suspensionCheck))
		select {
		case e := <-results:
			queue = append(queue, e)
		case <-timer.C:
			queue = append(queue, tick{})
		case <-ctx.Done():
			timer.Stop()
			k.step(stop{})
			return nil
		}
		timer.Stop()
		if gap := k.suspension.gap(); gap > 0 {
			k.generator.SetClock(k.generator.Now() + gap.Milliseconds()) // before anything else is issued
			k.log.WarnContext(ctx, "machine was suspended", "seconds", gap.Seconds())
			queue = append(queue, slept{})
		}
	}
}

// step lets the core decide and keeps what operators may see.
func (k *Keeper) step(e event) (effects []effect, wake time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if a, ok := e.(answer); ok && a.err == nil {
		k.answered[k.names[a.authority]] = time.Now()
		if a.authority == 0 {
			offset := a.grant.Now - wallClock().UnixMilli()
			k.offset = &offset
		}
	}
	effects = k.core.step(now, e)
	k.status = k.core.status(k.names)
	return effects, k.core.wake() - now
}

// now is the core's clock.
func (k *Keeper) now() time.Duration { return time.Since(k.start) + k.suspension.total() }

// do carries out an effect. Questions are asked beside the loop; what the
// generator answers is the event to go on with.
func (k *Keeper) do(ctx context.Context, e effect, beside func(func(context.Context) event)) (event, error) {
	switch e := e.(type) {
	case askFree:
		beside(func(ctx context.Context) event { return k.ask(ctx, e) })
	case askGrant:
		beside(func(ctx context.Context) event { return k.claim(ctx, e) })
	case askTrim:
		beside(func(ctx context.Context) event { return k.trim(ctx, e) })
	case anchor:
		k.generator.SetClock(e.now)
	case use:
		if last := k.generator.Use(e.window); last > 0 {
			return replaced{last}, nil
		}
	case note:
		k.log.Log(ctx, e.level, "lease state", e.fields...)
	case announce:
		k.log.InfoContext(ctx, "lease acquired", e.fields...)
	case halt:
		k.generator.Close()
		return nil, e.err
	}
	return nil, nil
}

func (k *Keeper) ask(ctx context.Context, e askFree) event {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	a := k.authorities[e.authority]
	free, err := a.Free(ctx, k.self)
	if err != nil {
		err = fmt.Errorf("ask %s for free workers: %w", a.Name(), err)
	}
	return vacancy{e.authority, free, err}
}

func (k *Keeper) claim(ctx context.Context, e askGrant) event {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	a, sent := k.authorities[e.authority], k.now()
	e.claim.Holder, e.claim.Report = k.self, k.report(a.Name())
	grant, err := a.Grant(ctx, e.claim)
	if err != nil {
		err = fmt.Errorf("worker %d from %s: %w", e.claim.Worker, a.Name(), err)
	}
	return answer{e.claim.Token, e.authority, e.claim.Number, sent, grant, err}
}

func (k *Keeper) trim(ctx context.Context, e askTrim) event {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	a := k.authorities[e.authority]
	err := a.Trim(ctx, e.worker, e.token, e.until)
	if err != nil && !errors.Is(err, ErrLost) {
		err = fmt.Errorf("give worker %d back to %s: %w", e.worker, a.Name(), err)
	}
	return trimmed{e.token, e.authority, err}
}

// Ready returns nil when numbers can be issued, and otherwise why not, in words
// that the world may know.
func (k *Keeper) Ready() error {
	issuing, status := k.generator.Ready(), k.Status()
	if issuing == nil && status.State != Draining && status.State != Released {
		return nil
	}
	reason := string(status.State)
	if status.err != nil {
		reason += ": " + Public(status.err)
	}
	if issuing == nil {
		return fmt.Errorf("lease: %s", reason)
	}
	return fmt.Errorf("lease: %s: %w", reason, issuing)
}

// Release gives back what follows last, the timestamp that Generator.Close
// returned. Call it after Run has returned and the generator was closed.
func (k *Keeper) Release(ctx context.Context, last int64) error {
	k.mu.Lock()
	trims := k.core.release(last)
	k.status = Status{State: Released}
	k.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, releaseLimit)
	defer cancel()
	failed := make([]error, len(trims))
	var calls sync.WaitGroup
	for i, t := range trims {
		calls.Go(func() {
			if e := k.trim(ctx, t).(trimmed); !errors.Is(e.err, ErrLost) {
				failed[i] = e.err
			}
		})
	}
	calls.Wait()
	return errors.Join(failed...)
}
