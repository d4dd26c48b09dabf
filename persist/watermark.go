package persist

import (
	"context"
	"sync"
)

// watermark is a number that only rises, and that can be waited for.
type watermark struct {
	mu     sync.Mutex
	level  uint64
	failed error
	moved  chan struct{} // closed at the next change; nil while nobody waits
}

// raise lifts the mark to level, if it is not there yet.
func (w *watermark) raise(level uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if level > w.level {
		w.level = level
		w.wake()
	}
}

// fail makes every wait for a level that was not reached return err.
func (w *watermark) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == nil {
		w.failed = err
		w.wake()
	}
}

func (w *watermark) wake() {
	if w.moved != nil {
		close(w.moved)
		w.moved = nil
	}
}

// wait returns nil once the mark has reached level.
func (w *watermark) wait(ctx context.Context, level uint64) error {
	for {
		w.mu.Lock()
		reached, err := w.level >= level, w.failed
		if !reached && err == nil && w.moved == nil {
			w.moved = make(chan struct{})
		}
		moved := w.moved
		w.mu.Unlock()
		if reached {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// get is the level at this moment.
func (w *watermark) get() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.level
}
