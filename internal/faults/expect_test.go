package faults

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// enough numbers make a test worth its name.
const enough = 20

// eventually repeats do until it reports true.
func eventually(t *testing.T, within time.Duration, what func() string, do func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !do(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", within, what())
		}
	}
}

// chosen is all members if none is named.
func (f *fleet) chosen(members []*member) []*member {
	if len(members) == 0 {
		return f.members
	}
	return members
}

// issues waits until each of the members has given enough numbers from now on, and returns how long that took.
func (f *fleet) issues(when string, within time.Duration, members ...*member) time.Duration {
	f.t.Helper()
	begin := time.Now()
	for _, m := range f.chosen(members) {
		what := func() string {
			numbers, refusals := f.clients.since(begin, m.index)
			l, _ := m.lastLease()
			return fmt.Sprintf("%s instance %d gave %d numbers and refused %d (%s); its lease is %s, %s",
				when, m.index, len(numbers), len(refusals), lastOf(refusals), l.State, l.Error)
		}
		eventually(f.t, within-time.Since(begin), what, func() bool {
			numbers, _ := f.clients.since(begin, m.index)
			return len(numbers) >= enough
		})
	}
	return time.Since(begin)
}

func lastOf(refusals []refusal) string {
	if len(refusals) == 0 {
		return "never"
	}
	return fmt.Sprintf("last %d %s", refusals[0].status, refusals[0].body)
}

// refuses waits until each of the members has refused a request that was sent after begin: its window is over.
func (f *fleet) refuses(begin time.Time, within time.Duration, members ...*member) {
	f.t.Helper()
	for _, m := range f.chosen(members) {
		what := func() string { return fmt.Sprintf("instance %d refuses", m.index) }
		eventually(f.t, within-time.Since(begin), what, func() bool {
			_, refusals := f.clients.since(begin, m.index)
			for _, r := range refusals {
				if r.status == http.StatusServiceUnavailable {
					return true
				}
			}
			return false
		})
	}
}

// renews waits until each of the members holds a window that begins after begin, by the same clock, and issues in it.
func (f *fleet) renews(begin time.Time, within time.Duration, members ...*member) {
	f.t.Helper()
	for _, m := range f.chosen(members) {
		what := func() string {
			l, read := m.lastLease()
			return fmt.Sprintf("instance %d acquires a window: it is %s, %s (read %s ago)", m.index, l.State, l.Error, time.Since(read))
		}
		eventually(f.t, within-time.Since(begin), what, func() bool {
			l, _ := m.lastLease()
			return l.Window != nil && l.Window.From.After(begin.Add(-time.Millisecond))
		})
	}
	f.issues("in its new window", probe+busy, members...)
}

// servedAll fails the test if one of the members refused anything since begin.
func (f *fleet) servedAll(begin time.Time, members ...*member) {
	f.t.Helper()
	for _, m := range f.chosen(members) {
		if _, refusals := f.clients.since(begin, m.index); len(refusals) > 0 {
			first := refusals[len(refusals)-1]
			f.t.Errorf("instance %d refused %d requests, the first %s after the fault: %d %s",
				m.index, len(refusals), first.at.Sub(begin), first.status, first.body)
		}
	}
}

// servedNobody fails the test if one of the members gave a number in between.
func (f *fleet) servedNobody(from, until time.Time, members ...*member) {
	f.t.Helper()
	for _, m := range f.chosen(members) {
		numbers, _ := f.clients.since(from, m.index)
		for _, n := range numbers {
			if n.at.Before(until) {
				f.t.Errorf("instance %d gave a number %s too early", m.index, until.Sub(n.at))
				break
			}
		}
	}
}

// recoversMemoryLoss waits until the fleet is over Redis's loss of memory at lost: in a space with Postgres nobody is
// refused anything; with Redis alone nobody is granted anything before the quarantine is over, and everybody soon after.
func (f *fleet) recoversMemoryLoss(lost time.Time) {
	f.t.Helper()
	f.renews(lost, f.window+f.quarantine()+probe+busy)
	time.Sleep(f.window / 2) // so that two who have the same worker meet
	if f.space != byRedis {
		f.servedAll(lost)
		return
	}
	f.refuses(lost, f.window+f.quarantine()+probe+busy)
	for _, m := range f.members {
		for _, a := range m.acquisitions() {
			if begin := time.UnixMilli(a.from); begin.After(lost) && begin.Before(lost.Add(f.quarantine())) {
				f.t.Errorf("instance %d was granted a window %s after the loss, before %s", m.index, begin.Sub(lost), f.quarantine())
			}
		}
	}
}
