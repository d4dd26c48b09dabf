package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
)

// group is a set of contestants that do the same; the first is the reference.
type group struct {
	name        string
	time        bool // figures are times, less is faster; otherwise they are rates
	contestants []contestant
}

// contestant is one way of doing it.
type contestant struct {
	name    string
	note    string // a fmt format with one verb for each of the sample's extras
	measure func(context.Context) (sample, error)
}

// sample is what one contestant showed in one round.
type sample struct {
	figure float64
	extras []float64
}

// row is one contestant's line of the table.
type row struct {
	group, name string
	figures     []float64 // one a round
	ratios      []float64 // speed over the reference's, one a round
	reference   bool
	note        string // with the medians of the extras
}

// run measures each contestant once a round, in an order shuffled anew.
func (g group) run(ctx context.Context, rounds int) ([]row, error) {
	samples := make([][]sample, len(g.contestants)) // of each contestant, by round
	for round := range rounds {
		for _, i := range rand.Perm(len(g.contestants)) {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			c := g.contestants[i]
			fmt.Fprintf(os.Stderr, "round %d of %d: %s: %s\n", round+1, rounds, g.name, c.name)
			s, err := c.measure(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", g.name, c.name, err)
			}
			samples[i] = append(samples[i], s)
		}
	}
	rows := make([]row, 0, len(g.contestants))
	for i, c := range g.contestants {
		rows = append(rows, g.row(c, samples[i], samples[0], i == 0))
	}
	return rows, nil
}

// row sums up one contestant's samples against the reference's.
func (g group) row(c contestant, own, reference []sample, isReference bool) row {
	r := row{group: g.name, name: c.name, reference: isReference}
	extras := make([][]float64, len(own[0].extras))
	for round, s := range own {
		r.figures = append(r.figures, s.figure)
		ratio := s.figure / reference[round].figure
		if g.time {
			ratio = 1 / ratio
		}
		r.ratios = append(r.ratios, ratio)
		for i, extra := range s.extras {
			extras[i] = append(extras[i], extra)
		}
	}
	medians := make([]any, len(extras))
	for i := range extras {
		medians[i] = median(extras[i])
	}
	r.note = fmt.Sprintf(c.note, medians...)
	return r
}

// median is the middle one, or the mean of the two in the middle.
func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
