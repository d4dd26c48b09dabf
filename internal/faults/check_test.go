package faults

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"waybill/generator"
)

// books are what a check needs of a fleet's life.
type books struct {
	layout   generator.Layout
	slack    time.Duration // what a window may have grown since it was read last
	numbers  []given
	acquired map[int][]acquisition // by member
	told     map[int]map[window]int64
}

// stamp is a point that only one process may use.
type stamp struct {
	worker int
	ms     int64
}

// process is one life of an instance.
type process struct{ member, run int }

// faults returns what is wrong, nothing if all is well.
func (b books) faults() (wrong []string) {
	fault := func(format string, args ...any) {
		if len(wrong) < 20 {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	seen := map[generator.ID]given{}
	texts := map[string]bool{}
	last := map[[2]int]given{}
	users := map[stamp]process{}
	spans := map[use]span{}
	for _, n := range b.numbers {
		if first, twice := seen[n.id]; twice || texts[n.text] {
			fault("%s was given twice: by instance %d and by instance %d, %v later", n.text, first.member, n.member, n.at.Sub(first.at))
		}
		seen[n.id], texts[n.text] = n, true

		lane := [2]int{n.member, n.lane}
		if before, ok := last[lane]; ok && before.id >= n.id {
			fault("instance %d gave %d after %d", n.member, n.id, before.id)
		}
		last[lane] = n

		point, user := stamp{b.layout.Worker(n.id), b.layout.UnixMilli(n.id)}, process{n.member, n.run}
		if other, ok := users[point]; ok && other != user {
			fault("worker %d at %d was used by %v and by %v", point.worker, point.ms, other, user)
		}
		users[point] = user
		held := b.held(n, point)
		if reason := b.outside(held, n, point); reason != "" {
			fault("instance %d stamped %d for worker %d %s", n.member, point.ms, point.worker, reason)
			continue
		}
		one, s := use{user, held.window}, span{point.ms, point.ms}
		if was, ok := spans[one]; ok {
			s = span{min(was.first, s.first), max(was.last, s.last)}
		}
		spans[one] = s
	}
	for one, s := range spans {
		for other, o := range spans {
			if one != other && one.worker == other.worker && one.from <= other.from && s.last >= o.first && o.last >= s.first {
				fault("%v and %v used worker %d at the same time: %v and %v", one.process, other.process, one.worker, s, o)
			}
		}
	}
	for member, windows := range b.told {
		for w := range windows {
			if !slices.ContainsFunc(b.acquired[member], func(a acquisition) bool { return a.window == w }) {
				fault("instance %d tells of a window of worker %d from %d that it did not log", member, w.worker, w.from)
			}
		}
	}
	return wrong
}

// use is what one process did in one window, and span the stamps that it used there. Windows of a worker are disjoint,
// so spans are: two that overlap are a fault even where no stamp is the same.
type use struct {
	process
	window
}

type span struct{ first, last int64 }

// held is the window that a stamp belongs to, nil if its instance had none.
func (b books) held(n given, s stamp) (held *acquisition) {
	for i, a := range b.acquired[n.member] {
		if a.worker == s.worker && a.from <= s.ms && (held == nil || a.from >= held.from) {
			held = &b.acquired[n.member][i]
		}
	}
	return held
}

// outside says why a stamp is in no window of its instance, "" if it is in one.
func (b books) outside(held *acquisition, n given, s stamp) string {
	if held == nil {
		return "without having acquired it"
	}
	if until := max(held.until, b.told[n.member][held.window]) + b.slack.Milliseconds(); s.ms >= until {
		return fmt.Sprintf("%d ms after the end of the window that began at %d", s.ms-until, held.from)
	}
	return ""
}

// finish ends the load and checks all that was given since the start.
func (f *fleet) finish() {
	f.t.Helper()
	f.stop()
	b := books{f.clients.layout, f.window, f.clients.numbers, map[int][]acquisition{}, map[int]map[window]int64{}}
	for _, m := range f.members {
		b.acquired[m.index], b.told[m.index] = m.acquisitions(), m.told()
	}
	for _, wrong := range b.faults() {
		f.t.Error(wrong)
	}
	for _, body := range f.clients.misread[:min(5, len(f.clients.misread))] {
		f.t.Errorf("this answer has no number: %s", body)
	}
	statuses := map[int]int{}
	for _, r := range f.clients.refusals {
		statuses[r.status]++
	}
	acquired := 0
	for _, list := range b.acquired {
		acquired += len(list)
	}
	f.t.Logf("%d numbers, %d windows acquired, refusals by status %v", len(b.numbers), acquired, statuses)
}

// What the check must find, each with books that are right but for it.
func TestTheCheckFindsWhatIsWrong(t *testing.T) {
	layout := layoutOf(t, nil)
	base := layout.Epoch().UnixMilli() + 1_000_000
	number := func(member, run, lane, worker int, ms int64, sequence int) given {
		id := layout.Join(base+ms, worker, sequence)
		return given{text: fmt.Sprint(id), id: id, member: member, run: run, lane: lane}
	}
	right := func() books {
		return books{
			layout: layout, slack: 100 * time.Millisecond,
			numbers: []given{number(0, 0, 0, 3, 10, 0), number(0, 0, 1, 3, 10, 1), number(1, 0, 0, 4, 10, 0), number(0, 0, 0, 3, 2150, 0)},
			acquired: map[int][]acquisition{
				0: {{window{3, base}, base + 2000}},
				1: {{window{4, base + 5}, base + 2000}},
			},
			told: map[int]map[window]int64{0: {window{3, base}: base + 2100}},
		}
	}
	if wrong := right().faults(); wrong != nil {
		t.Fatalf("right books: %v", wrong)
	}
	for what, spoil := range map[string]func(*books){
		"a number twice":   func(b *books) { b.numbers = append(b.numbers, number(1, 0, 1, 4, 10, 0)) },
		"an ID that falls": func(b *books) { b.numbers = append(b.numbers, number(0, 0, 0, 3, 2149, 0)) },
		"a stamp of two": func(b *books) {
			b.numbers, b.acquired[1] = append(b.numbers, number(1, 0, 1, 3, 10, 7)), append(b.acquired[1], b.acquired[0]...)
		},
		"a worker of two": func(b *books) {
			b.numbers, b.acquired[1] = append(b.numbers, number(1, 0, 1, 3, 11, 7)), append(b.acquired[1], acquisition{window{3, base + 11}, base + 2000})
		},
		"a stamp before its window":  func(b *books) { b.numbers = append(b.numbers, number(1, 0, 1, 4, 4, 0)) },
		"a stamp after its window":   func(b *books) { b.numbers = append(b.numbers, number(0, 0, 0, 3, 2200, 0)) },
		"another instance's worker":  func(b *books) { b.numbers = append(b.numbers, number(1, 0, 0, 3, 11, 0)) },
		"a window that is not known": func(b *books) { b.told[1] = map[window]int64{{4, base + 6}: base + 10} },
	} {
		b := right()
		if spoil(&b); b.faults() == nil {
			t.Errorf("%s: found %q", what, b.faults())
		}
	}
}

func TestTheLogOfTwoLivesIsRead(t *testing.T) {
	got := readLog("\n=== waybill\nnoise\n" +
		`{"msg":"lease acquired","worker":3,"epoch":1,"from":"2026-01-02T00:00:00.001Z","until":"2026-01-02T00:00:02.001Z"}` +
		"\n\n=== waybill\n" + `{"msg":"request","status":200}` + "\n" + `{"msg":"lease acquired","worker":0,"from":"2026-01-02T00:00:05Z","until":"2026-01-02T00:00:07Z"}` + "\n")
	day := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC).UnixMilli()
	want := []acquisition{{window{3, day + 1}, day + 2001}, {window{0, day + 5000}, day + 7000}}
	if !slices.Equal(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
}
