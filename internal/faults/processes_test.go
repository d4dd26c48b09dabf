package faults

import (
	"fmt"
	"testing"
	"time"
)

var allSpaces = []string{byRedis, byPostgres, byBoth}

func TestInstancesKilledAndRestarted(t *testing.T) {
	in(t, allSpaces, func(t *testing.T, space string) {
		f := start(t, space, plan{instances: 3})
		for round := range 4 {
			m := f.members[round%2]
			killed := time.Now()
			m.Kill()
			m.again()
			// Not its old worker, which rests until its window is over, but another.
			f.renews(killed, begins+probe+busy, m)
		}
		f.servedAll(time.Now().Add(-time.Minute), f.members[2])
		f.finish()
		if n := len(f.members[0].acquisitions()); n < 3 {
			t.Errorf("three lives acquired %d windows", n)
		}
	})
}

// An instance that slept beyond its window and its claim wakes up with a window that is over, and whose worker may be
// another's: with two workers for two others it is.
func TestAnInstanceThatSleptBeyondItsWindow(t *testing.T) {
	in(t, allSpaces, func(t *testing.T, space string) {
		f := start(t, space, plan{instances: 2, env: []string{"WORKER_BITS=1"}})
		sleeper := f.members[0]
		heir := f.join()
		f.load()
		asleep := time.Now()
		lease, _ := sleeper.lastLease()
		sleeper.Pause()
		rest := f.rest()
		f.renews(asleep, rest+probe+busy, heir)
		if l, _ := heir.lastLease(); lease.Worker == nil || l.Worker == nil || *lease.Worker != *l.Worker {
			t.Errorf("the heir has the lease %+v after %+v", l, lease)
		}
		time.Sleep(time.Until(asleep.Add(max(rest, claim) + time.Second)))
		awake := time.Now()
		sleeper.Resume()
		time.Sleep(probe)
		f.refuses(awake, probe+busy, sleeper) // it has no worker now
		gone := time.Now()
		heir.Kill()
		f.renews(gone, rest+probe+busy, sleeper)
		f.finish()
	})
}

// rest is how long a crashed instance's worker is nobody's.
func (f *fleet) rest() time.Duration {
	if f.space == byRedis {
		return f.window
	}
	return claim
}

func TestTwoInstancesOfTheSameName(t *testing.T) {
	in(t, allSpaces, func(t *testing.T, space string) {
		f := start(t, space, plan{instances: 2, env: []string{"INSTANCE=twin"}})
		time.Sleep(2 * f.window)
		f.issues("under one name", probe+busy)
		f.servedAll(time.Now().Add(-time.Minute))
		var workers []int
		for _, m := range f.members {
			l, _ := m.lastLease()
			if l.Instance != "twin" || l.Worker == nil {
				t.Fatalf("its lease is %+v", l)
			}
			workers = append(workers, *l.Worker)
		}
		if workers[0] == workers[1] {
			t.Errorf("both have worker %d", workers[0])
		}
		f.finish()
	})
}

// Four workers for six instances.
func TestStandbysTakeOver(t *testing.T) {
	in(t, allSpaces, func(t *testing.T, space string) {
		f := assemble(t, space, plan{env: []string{"WORKER_BITS=2"}})
		for range 6 {
			f.join()
		}
		f.load()
		f.untilLive(4, 2, begins+f.quarantine()+probe+busy)
		live, standby := f.split()
		for _, m := range standby {
			status, _, body := f.clients.get(m.URL + "/readyz")
			if l, _ := m.lastLease(); status != 503 || l.State != "standby" {
				t.Errorf("a standby's lease is %s and it is ready: %d %s", l.State, status, body)
			}
			if numbers, _ := f.clients.since(time.Now().Add(-time.Minute), m.index); len(numbers) > 0 {
				t.Errorf("standby %d gave %d numbers", m.index, len(numbers))
			}
		}

		killed := time.Now()
		live[0].Kill()
		took := f.heir(killed, f.rest()+probe+busy, standby)
		t.Logf("%s after kill -9 a standby served", took)

		f.untilLive(4, 1, probe+busy)
		live, standby = f.split()
		if state := live[0].Stop(); !state.Success() {
			t.Errorf("SIGTERM ended it with %v", state)
		}
		took = f.heir(time.Now(), time.Second+busy, standby)
		t.Logf("%s after a clean stop a standby served", took)
		f.finish()
	})
}

// untilLive waits until so many members hold a worker and so many stand by.
func (f *fleet) untilLive(holding, waiting int, within time.Duration) {
	f.t.Helper()
	what := func() string {
		live, standby := f.split()
		return fmt.Sprintf("%d live and %d standing by: %d and %d", holding, waiting, len(live), len(standby))
	}
	eventually(f.t, within, what, func() bool {
		live, standby := f.split()
		return len(live) == holding && len(standby) == waiting
	})
}

// split tells members that hold a worker from those that stand by; the dead are neither.
func (f *fleet) split() (live, standby []*member) {
	for _, m := range f.members {
		l, ok := f.lease(m)
		switch {
		case !ok:
		case l.Worker != nil:
			live = append(live, m)
		case l.State == "standby":
			standby = append(standby, m)
		}
	}
	return live, standby
}

// heir waits until one of the standbys serves and returns how long after begin.
func (f *fleet) heir(begin time.Time, within time.Duration, standby []*member) (took time.Duration) {
	f.t.Helper()
	what := func() string { return "a standby serves" }
	eventually(f.t, within-time.Since(begin), what, func() bool {
		for _, m := range standby {
			if numbers, _ := f.clients.since(begin, m.index); len(numbers) > 0 {
				took = numbers[len(numbers)-1].at.Sub(begin)
				return true
			}
		}
		return false
	})
	return took
}

func TestEightInstancesUnderLoad(t *testing.T) {
	in(t, allSpaces, func(t *testing.T, space string) {
		f := start(t, space, plan{instances: 8, env: []string{"WORKER_BITS=4"}})
		begin, lasts := time.Now(), 10*time.Second
		if *long {
			lasts = time.Minute
		}
		time.Sleep(lasts)
		f.issues("at the end", probe+busy)
		f.servedAll(begin)
		f.finish()
	})
}
