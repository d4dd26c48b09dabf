package persist

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"waybill/internal/disk"
)

// segmentRetry is the pause after a segment could not be made.
const segmentRetry = time.Second

// Run does a spool's work beside Append: it prepares the next segment before
// the active one is full, syncs, and seals segments left behind. It returns when
// ctx ends; Append fails from then on.
func (s *Spool) Run(ctx context.Context) error {
	var work sync.WaitGroup
	work.Go(func() { s.prepareSegments(ctx) })
	work.Go(func() { s.syncSegments(ctx) })
	work.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = ErrSpoolClosed
		s.synced.fail(ErrSpoolClosed)
	}
	s.wakeWaiting()
	return nil
}

// wakeWaiting makes appends that wait for a segment look again. The mutex is
// held.
func (s *Spool) wakeWaiting() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// prepareSegments keeps a segment ready once it is asked for.
func (s *Spool) prepareSegments(ctx context.Context) {
	for {
		select {
		case <-s.wantSegment:
		case <-ctx.Done():
			return
		}
		for !s.prepareSegment() {
			select {
			case <-time.After(segmentRetry):
			case <-ctx.Done():
				return
			}
		}
	}
}

// prepareSegment makes the next segment if there is none. It reports whether
// there is one now.
func (s *Spool) prepareSegment() bool {
	s.mu.Lock()
	ready, ordinal := s.next != nil, s.ordinal+1
	s.mu.Unlock()
	if ready {
		return true
	}
	bytes := s.Bytes()
	for _, other := range s.options.Beside {
		bytes += other.Bytes()
	}
	var next *segment
	var err error
	if bytes+s.options.SegmentSize > s.options.Limit {
		err = fmt.Errorf("%w: %d MiB wait for the database, SPOOL_LIMIT is %d MiB", ErrSpoolFull, bytes>>20, s.options.Limit>>20)
	} else if next, err = createSegment(s.dir, ordinal, s.options.SegmentSize); err != nil {
		err = refusal(err)
	}
	s.mu.Lock()
	news := err != nil && s.nextErr == nil
	if err == nil {
		s.ordinal = ordinal
	}
	s.next, s.nextErr = next, err
	s.wakeWaiting()
	s.mu.Unlock()
	if news {
		s.options.Log.Error("spool cannot grow", "spool", s.id, "error", err)
	}
	return err == nil
}

// Bytes is the disk space of the segments that hold records.
func (s *Spool) Bytes() (sum int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, segment := range s.segments {
		sum += max(segment.size, int64(len(segment.mapping)))
	}
	return sum
}

// syncSegments syncs when asked, and seals what was left behind.
func (s *Spool) syncSegments(ctx context.Context) {
	for {
		select {
		case <-s.wantSync:
			s.syncNow()
		case <-ctx.Done():
			s.syncNow() // appenders that still wait get their answer
			return
		}
	}
}

// syncNow puts on the disk what was appended so far, in mode fsync, and tells
// those who wait for it.
func (s *Spool) syncNow() {
	type stretch struct {
		segment  *segment
		from, to int64
	}
	var dirty []stretch
	s.mu.Lock()
	sealing, last := s.sealing, s.last
	s.sealing = nil
	for _, segment := range append(slices.Clip(sealing), s.active) {
		if segment != nil {
			dirty = append(dirty, stretch{segment, segment.synced, segment.size})
		}
	}
	failed := s.failed
	s.mu.Unlock()
	if failed != nil && !errors.Is(failed, ErrSpoolClosed) {
		return
	}

	if s.options.Ack == AckFsync {
		for _, d := range dirty {
			if err := s.sync(d.segment.mapping, d.from, d.to); err != nil {
				s.mu.Lock()
				s.fail(fmt.Errorf("%w: %w", ErrSpoolFailed, err))
				s.mu.Unlock()
				return
			}
			d.segment.synced = d.to // only this goroutine uses it
		}
		s.synced.raise(last)
	}
	for _, segment := range sealing { // nobody writes to these any more
		err := errors.Join(segment.mapping.Unmap(), segment.file.Truncate(segment.size))
		s.mu.Lock()
		segment.mapping = nil // from here on setLoaded may delete it
		s.mu.Unlock()
		if err != nil {
			s.options.Log.Error("spool segment not sealed", "spool", s.id, "error", err)
		}
	}
}

// setLoaded notes that all records up to sequence are in the database, and
// deletes the segments that held only those.
func (s *Spool) setLoaded(sequence uint64) {
	s.loaded.raise(sequence)
	for {
		s.mu.Lock()
		if len(s.segments) == 0 || s.segments[0] == s.active || s.segments[0].mapping != nil || s.segments[0].last > sequence {
			s.mu.Unlock()
			return
		}
		oldest := s.segments[0]
		s.segments = s.segments[1:]
		s.mu.Unlock()
		if err := oldest.remove(); err != nil {
			s.options.Log.Error("spool segment not deleted", "spool", s.id, "error", err)
		}
	}
}

// Close gives the spool up, after Run has returned: without a trace when all of
// it is in the database, and otherwise for the next process to adopt. A second
// Close does nothing.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock == nil {
		return nil
	}
	if s.failed == nil {
		s.failed = ErrSpoolClosed
	}
	segments := s.segments
	if s.next != nil {
		segments = append(segments, s.next)
	}
	done := s.last <= s.loaded.get()
	var errs []error
	for _, segment := range segments {
		errs = append(errs, segment.seal())
		if done {
			errs = append(errs, segment.remove())
		} else {
			errs = append(errs, segment.file.Close())
		}
	}
	if done {
		errs = append(errs, os.Remove(filepath.Join(s.dir, disk.HolderName)), os.Remove(s.dir))
	}
	errs = append(errs, s.lock.Close())
	s.segments, s.active, s.next, s.lock = nil, nil, nil, nil
	return errors.Join(errs...)
}
