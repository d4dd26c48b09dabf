package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// maker is one way to make IDs.
type maker struct {
	name  string
	note  string                      // how its IDs are ordered, and what its layout caps
	chunk int                         // IDs between two looks at the clock
	most  int                         // IDs before a fresh state is needed; 0: none is
	fresh func() (func() loop, error) // a new state, outside the measured time
}

// measureGenerators times one ID, on one goroutine and on two, and one number's
// printed form.
func measureGenerators(ctx context.Context, _ *lifetime, p plan) ([]row, error) {
	makers := append(waybillMakers(), peerMakers()...)
	var rows []row
	for _, goroutines := range []int{1, 2} {
		g := group{name: fmt.Sprintf("ID, %d goroutine%s, ns", goroutines, "s"[:goroutines-1]), time: true}
		for _, m := range makers {
			g.contestants = append(g.contestants, contestant{m.name, m.note + "; allocs %.0f", func(context.Context) (sample, error) {
				return m.measure(goroutines, p.window)
			}})
		}
		some, err := g.run(ctx, p.rounds)
		if err != nil {
			return nil, err
		}
		rows = append(rows, some...)
	}
	g := group{name: "number as text, ns", time: true}
	for _, m := range formMakers() {
		g.contestants = append(g.contestants, contestant{m.name, m.note + "; allocs %.0f", func(context.Context) (sample, error) {
			return m.measure(1, p.window)
		}})
	}
	some, err := g.run(ctx, p.rounds)
	return append(rows, some...), err
}

// measure is the time from one ID to the next over all goroutines, and the
// allocations of each.
func (m maker) measure(goroutines int, window time.Duration) (sample, error) {
	done, elapsed := 0, time.Duration(0)
	for elapsed < window {
		newLoop, err := m.fresh()
		if err != nil {
			return sample{}, err
		}
		n, took, err := drive(goroutines, m.chunk, m.most, window-elapsed, newLoop)
		if err != nil {
			return sample{}, err
		}
		done, elapsed = done+n, elapsed+took
	}
	allocations, err := m.allocations()
	return sample{float64(elapsed.Nanoseconds()) / float64(done), []float64{allocations}}, err
}

func (m maker) allocations() (float64, error) {
	newLoop, err := m.fresh()
	if err != nil {
		return 0, err
	}
	work := newLoop()
	allocations := testing.AllocsPerRun(4, func() { err = errors.Join(err, work(m.chunk)) })
	return allocations / float64(m.chunk), err
}
