package faults

import (
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"waybill/internal/testenv"
)

func TestRedisUnreachableUntilItComesBackWithItsMemory(t *testing.T) {
	in(t, withRedis, func(t *testing.T, space string) {
		f := start(t, space, plan{window: 4 * time.Second})
		gone := time.Now()
		f.redis.Pause()
		f.liveOutTheWindow(gone)
		f.redis.Resume()
		took := f.issues("with Redis and its memory", probe+busy)
		t.Logf("%s after Redis was back with its memory all instances had served", took)
		f.finish()
	})
}

func TestRedisUnreachableUntilItComesBackEmpty(t *testing.T) {
	in(t, withRedis, func(t *testing.T, space string) {
		f := start(t, space, plan{window: 4 * time.Second})
		gone, was := time.Now(), f.runID()
		f.redis.Kill()
		f.liveOutTheWindow(gone)
		back := time.Now()
		f.redis.Start()
		took := f.issues("with a Redis that is empty", f.quarantine()+probe+busy)
		t.Logf("%s after Redis was back without its memory all instances had served", took)
		if f.runID() == was {
			t.Error("Redis is the same process")
		}
		if space == byRedis {
			ms, err := strconv.ParseInt(f.do("HGET", f.stateKey(), "mark"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			mark := time.UnixMilli(ms)
			if wait := mark.Sub(back); wait < f.quarantine() || wait > f.quarantine()+probe+busy {
				t.Errorf("the quarantine ends %s after Redis was back, want %s and what it takes to notice", wait, f.quarantine())
			}
			f.servedNobody(back, mark)
			for _, m := range f.members {
				numbers, _ := f.clients.since(mark, m.index)
				if late := numbers[len(numbers)-1].at.Sub(mark); late > probe+busy {
					t.Errorf("instance %d served %s after the quarantine", m.index, late)
				}
			}
		}
		f.finish()
	})
}

// liveOutTheWindow follows every instance from when Redis went until a second after its window is over: it serves
// everybody until then and nobody after, and says when to come back.
func (f *fleet) liveOutTheWindow(gone time.Time) {
	f.t.Helper()
	f.refuses(gone, f.window+busy)
	time.Sleep(time.Second)
	for _, m := range f.members {
		numbers, refusals := f.clients.since(gone, m.index)
		if len(numbers) < enough || len(refusals) < lanes {
			f.t.Fatalf("instance %d: %d numbers and %d refusals without Redis", m.index, len(numbers), len(refusals))
		}
		served, refused := numbers[0].at.Sub(gone), refusals[len(refusals)-1].at.Sub(gone)
		if refused < f.window/2 { // a tenth of it is the time between two refreshes
			f.t.Errorf("instance %d refused already %s after Redis went, with a window of %s", m.index, refused, f.window)
		}
		if served > f.window+busy {
			f.t.Errorf("instance %d served until %s after Redis went, with a window of %s", m.index, served, f.window)
		}
		var took []time.Duration
		for _, r := range refusals {
			took = append(took, r.took)
			if r.status != http.StatusServiceUnavailable || r.retryAfter == "" {
				f.t.Fatalf("instance %d refused with %d, Retry-After %q, %s", m.index, r.status, r.retryAfter, r.body)
			}
		}
		slices.Sort(took)
		f.t.Logf("instance %d without Redis: %d numbers in %s, then %d refusals in %s each (median)",
			m.index, len(numbers), served, len(refusals), took[len(took)/2])
		if status, _, body := f.clients.get(m.URL + "/readyz"); status != http.StatusServiceUnavailable {
			f.t.Errorf("instance %d is ready without a window: %d %s", m.index, status, body)
		}
	}
}

// A Redis that is not there when an instance starts is waited for.
func TestAnInstanceThatStartsWithoutAStoreWaitsForIt(t *testing.T) {
	in(t, withRedis, func(t *testing.T, space string) {
		f := assemble(t, space, plan{redis: testenv.Redis(t, keptOnDisk...)})
		f.redis.Kill()
		m := f.join()
		f.load()
		f.refuses(time.Now(), probe+busy)
		if status, _, body := f.clients.get(m.URL + "/readyz"); status != http.StatusServiceUnavailable {
			t.Errorf("ready without Redis: %d %s", status, body)
		}
		f.redis.Start()
		f.issues("with Redis", f.quarantine()+callLimit+probe+busy)
		f.finish()
	})
}
