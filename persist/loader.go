package persist

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Loader moves a spool's records into the store, each exactly once.
type Loader struct {
	store Store
	log   *slog.Logger

	mu    sync.Mutex
	stats LoaderStats
}

// LoaderStats counts a loader's work.
type LoaderStats struct {
	Records   uint64 // stored
	Batches   uint64
	Conflicts uint64 // IDs that were issued twice: must be 0
	Err       error  // why the last attempt failed; nil after a success
}

// How batches grow and failures wait.
const (
	batchMost  = 10_000                // records
	gatherTime = 40 * time.Millisecond // what arrives in this time is loaded together
	retryFirst = 50 * time.Millisecond // back-off, doubled with each failure, with jitter
	retryMost  = 5 * time.Second
	storeLimit = 30 * time.Second // for one batch
)

// ErrProgressLost means that the store's progress contradicts the spool: it was
// restored from a backup, or two spools share a name. Loading stops.
var ErrProgressLost = errors.New("persist: the database's progress of a spool is not one that this spool can have")

// NewLoader returns a loader into a store.
func NewLoader(store Store, log *slog.Logger) *Loader { return &Loader{store: store, log: log} }

// Run loads what s holds and what is appended to it, until ctx ends. Failures of
// the store are retried for ever; any error returned is final.
func (l *Loader) Run(ctx context.Context, s *Spool) error {
	c, err := l.begin(ctx, s)
	for err == nil {
		if c.next > s.Last() {
			select {
			case <-s.appended:
			case <-ctx.Done():
				return nil
			}
			l.gather(ctx, s, c)
			continue
		}
		err = l.loadNext(ctx, c)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// Drain loads what s holds. It returns an error when ctx ends before.
func (l *Loader) Drain(ctx context.Context, s *Spool) error {
	c, err := l.begin(ctx, s)
	for err == nil && c.next <= s.Last() {
		err = l.loadNext(ctx, c)
	}
	return err
}

// Adopt empties orphans, one after the other, and removes those it emptied. One
// that cannot be loaded is reported and left for an operator.
func (l *Loader) Adopt(ctx context.Context, orphans []*Spool) {
	for _, s := range orphans {
		if err := l.Drain(ctx, s); ctx.Err() != nil {
			return
		} else if err != nil {
			l.log.ErrorContext(ctx, "spool not adopted", "spool", s.ID(), "error", err)
			continue
		}
		l.log.InfoContext(ctx, "spool adopted", "spool", s.ID(), "records", s.Last())
		if err := s.Close(); err != nil {
			l.log.ErrorContext(ctx, "adopted spool not removed", "spool", s.ID(), "error", err)
		}
	}
}

// begin asks the store how far the spool is loaded.
func (l *Loader) begin(ctx context.Context, s *Spool) (c *cursor, err error) {
	err = l.retry(ctx, func(ctx context.Context) error {
		committed, err := l.store.Progress(ctx, s.ID(), s.before())
		if err != nil {
			return err
		}
		if committed < s.before() {
			return fmt.Errorf("%w: spool %s begins at %d, the database has up to %d", ErrProgressLost, s.ID(), s.before()+1, committed)
		}
		s.setLoaded(committed)
		c = newCursor(s, committed)
		return nil
	})
	return c, err
}

// gather waits for more records to arrive, unless somebody waits for these.
func (l *Loader) gather(ctx context.Context, s *Spool, c *cursor) {
	if s.options.Ack == AckDatabase || s.Last()-c.next >= batchMost {
		return
	}
	timer := time.NewTimer(gatherTime)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// loadNext loads one batch.
func (l *Loader) loadNext(ctx context.Context, c *cursor) error {
	b, err := c.read(batchMost)
	if err != nil {
		return err
	}
	uncertain := false // whether an attempt may have been committed
	err = l.retry(ctx, func(ctx context.Context) error {
		if uncertain {
			committed, err := l.store.Progress(ctx, b.Spool, 0) // the row is there, unless the database lost it
			switch {
			case err != nil:
				return err
			case committed == b.Last:
				return nil
			case committed >= b.First && committed < b.Last:
				b = b.after(committed) // an earlier process's last batch was committed late
			case committed != b.First-1:
				return fmt.Errorf("%w: spool %s, batch %d to %d, the database has up to %d", ErrProgressLost, b.Spool, b.First, b.Last, committed)
			}
		}
		uncertain = true
		return l.load(ctx, b)
	})
	if err != nil {
		return err
	}
	c.spool.setLoaded(b.Last)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Records += uint64(len(b.Entries))
	l.stats.Batches++
	return nil
}

// load stores a batch, and reports what was issued twice.
func (l *Loader) load(ctx context.Context, b Batch) error {
	err := l.store.Load(ctx, b)
	if !errors.Is(err, ErrDuplicate) {
		return err
	}
	conflicts, err := l.store.LoadApart(ctx, b)
	if err != nil {
		return err
	}
	for _, c := range conflicts {
		l.log.ErrorContext(ctx, "number issued twice", "id", c.ID, "spool", b.Spool, "sequence", c.Sequence,
			"first_spool", c.FirstSpool, "first_sequence", c.FirstSequence)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Conflicts += uint64(len(conflicts))
	return nil
}

// retry repeats do until it succeeds, ctx ends, or it fails for good.
func (l *Loader) retry(ctx context.Context, do func(context.Context) error) error {
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		call, cancel := context.WithTimeout(ctx, storeLimit)
		err := do(call)
		cancel()
		l.mu.Lock()
		l.stats.Err = err
		l.mu.Unlock()
		if err == nil || errors.Is(err, ErrProgressLost) {
			return err
		}
		if wait == retryFirst && ctx.Err() == nil { // once an outage
			l.log.WarnContext(ctx, "records not loaded, retrying", "error", err)
		}
		timer := time.NewTimer(wait/2 + rand.N(wait/2))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}

// Stats is a copy of the counters.
func (l *Loader) Stats() LoaderStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats
}
