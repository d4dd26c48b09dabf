package main

import (
	"context"
	"time"

	"waybill/generator"
)

// epoch is the one that waybill has by default.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// waybillMakers are waybill's own ways. A generator may stamp one second ahead
// of the clock: within that lead the figure is the work of one ID, and beyond
// it the layout's rate. A fresh generator has all of its lead.
func waybillMakers() []maker {
	const batch = 4096
	narrow, wide := [2]int{10, 12}, [2]int{8, 16} // bits of worker and sequence
	const narrowLead, wideLead = 4_000_000, 60_000_000
	return []maker{
		{"waybill Next", "by ms; in its lead of 1 s (4.1 million IDs)", 1024, narrowLead, newGenerator(narrow, false, next)},
		{"waybill Next, 16 sequence bits", "by ms; cap 65,536/ms = 15.3 ns", 1024, wideLead, newGenerator(wide, false, next)},
		{"waybill Next, lead spent", "by ms; cap 4,096/ms = 244 ns", 256, 0, newGenerator(narrow, true, next)},
		{"waybill NextN of 4,096", "by ms; in its lead of 1 s", batch, narrowLead, newGenerator(narrow, false, nextN)},
		{"waybill NextN of 4,096, 16 sequence bits", "by ms; in its lead of 1 s", batch, wideLead, newGenerator(wide, false, nextN)},
	}
}

// newGenerator returns what makes generators with a window of an hour, and
// loops that draw from them.
func newGenerator(bits [2]int, spent bool, draw func(*generator.Generator) loop) func() (func() loop, error) {
	return func() (func() loop, error) {
		layout, err := generator.NewLayout(bits[0], bits[1], epoch)
		if err != nil {
			return nil, err
		}
		g := generator.New(layout)
		now := time.Now().UnixMilli()
		g.SetClock(now)
		g.Use(generator.Window{Worker: 1, From: now, Until: now + 3_600_000})
		if spent {
			if err := spendLead(g); err != nil {
				return nil, err
			}
		}
		return func() loop { return draw(g) }, nil
	}
}

// spendLead draws IDs until the generator is a second ahead of the clock.
func spendLead(g *generator.Generator) error {
	dst := make([]generator.ID, 4096)
	for last := int64(0); last < g.Now()+generator.Lead-1; last = g.Layout().UnixMilli(dst[len(dst)-1]) {
		if err := g.NextN(context.Background(), dst); err != nil {
			return err
		}
	}
	return nil
}

func next(g *generator.Generator) loop {
	ctx := context.Background()
	return repeat(func() error { _, err := g.Next(ctx); return err })
}

// nextN is for loops whose n never changes.
func nextN(g *generator.Generator) loop {
	var dst []generator.ID
	return func(n int) error {
		if dst == nil {
			dst = make([]generator.ID, n)
		}
		return g.NextN(context.Background(), dst)
	}
}

// formMakers time the printed form of one number, and reading it back.
func formMakers() []maker {
	secret := []byte("only for this benchmark, and public")
	plain := func() (generator.Form, error) { return generator.Form{}, nil }
	opaque := func() (generator.Form, error) { return generator.Opaque(secret) }
	return []maker{
		{"waybill Format", "16 characters, plain", 1024, 0, newForm(plain, format)},
		{"waybill Format, opaque", "16 characters, FF1 with a key", 1024, 0, newForm(opaque, format)},
		{"waybill Parse", "check character, ID, country", 1024, 0, newForm(plain, parse)},
		{"waybill Parse, opaque", "the same with a key", 1024, 0, newForm(opaque, parse)},
	}
}

func newForm(form func() (generator.Form, error), use func(generator.Form) loop) func() (func() loop, error) {
	return func() (func() loop, error) {
		f, err := form()
		return func() loop { return use(f) }, err
	}
}

const someID = generator.ID(117915852988239909)

func format(f generator.Form) loop {
	kept := new(string) // on the heap, so that the text is too
	origin := generator.Country{'M', 'Y'}
	return repeat(func() error { *kept = f.Format(someID, origin); return nil })
}

func parse(f generator.Form) loop {
	number := f.Format(someID, generator.Country{'M', 'Y'})
	return repeat(func() error { _, _, err := f.Parse(number); return err })
}
