package main

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// loop does its thing n times, on one goroutine.
type loop func(n int) error

// drive runs a loop of its own on each of some goroutines, chunk times between
// two looks at the clock, until the window is over or most things were done in
// all (0: no bound). It returns how many were done, and in which time.
func drive(goroutines, chunk, most int, window time.Duration, newLoop func() loop) (done int, elapsed time.Duration, err error) {
	if most == 0 {
		most = 1 << 62
	}
	var claimed atomic.Int64
	var wait sync.WaitGroup
	errs := make([]error, goroutines)
	counts := make([]int, goroutines)
	gate := make(chan struct{})
	var start time.Time
	for g := range goroutines {
		work := newLoop()
		wait.Go(func() {
			<-gate
			n := 0
			for time.Since(start) < window && claimed.Add(int64(chunk)) <= int64(most) {
				if errs[g] = work(chunk); errs[g] != nil {
					return
				}
				n += chunk
			}
			counts[g] = n
		})
	}
	start = time.Now()
	close(gate)
	wait.Wait()
	elapsed = time.Since(start)
	for _, n := range counts {
		done += n
	}
	return done, elapsed, errors.Join(errs...)
}
