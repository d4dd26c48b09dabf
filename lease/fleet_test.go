package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The tests of the merge have a clock of their own, in milliseconds.
const fleetNow = 1_800_000_000_000

func fleetSpace() Space {
	return Space{ID: "a-space", WorkerBits: 2, Authorities: ByRedisAndPostgres}
}

func person(name string) Instance {
	return Instance{Name: name, Since: time.UnixMilli(fleetNow - 60_000).UTC()}
}

// holder is a window of so many seconds; reported is its report's age, 0 for none.
func holder(worker int, name string, held bool, seconds int64, state State, reported time.Duration) Holder {
	h := Holder{Worker: worker, From: fleetNow - 5000, Until: fleetNow + 1000*seconds, Held: held, Report: Report{State: state}}
	if name != "" {
		h.Instance = person(name)
	}
	if reported > 0 {
		h.Report.Time = time.UnixMilli(fleetNow).Add(-reported)
	}
	return h
}

func redisLook(windows ...Holder) look { return look{"redis", Holders{fleetNow, windows, nil}, nil} }

func postgresLook(windows ...Holder) look {
	return look{"postgres", Holders{fleetNow, windows, nil}, nil}
}

func standsBy(l look, names ...string) look {
	for _, name := range names {
		l.holders.Standby = append(l.holders.Standby, Holder{Instance: person(name), Report: Report{State: Standby}})
	}
	return l
}

// ownStatus is that of the instance "own"; a worker below 0 is none.
func ownStatus(worker int, state State) Status {
	s := Status{Instance: person("own"), State: state, Issued: 7, DaysLeft: 3}
	if worker >= 0 {
		w := Span{SecondsLeft: 30}
		s.Worker, s.Epoch, s.Window = &worker, 4, &w
		for _, name := range []string{"redis", "postgres"} {
			s.Authorities = append(s.Authorities, PartStatus{Name: name, Span: w, RefreshMS: 1.5})
		}
	}
	return s
}

// told is a fleet in few words: counts, then worker, name, state and windows of each.
func told(f Fleet) string {
	text := fmt.Sprintf("%d held %d free %d parked", f.Workers.Held, f.Workers.Free, f.Workers.Parked)
	for _, m := range f.Instances {
		worker := "-"
		if m.Worker != nil {
			worker = fmt.Sprint(*m.Worker)
		}
		text += fmt.Sprintf("; %s %s %s", worker, m.Name, m.State)
		for _, w := range m.Windows {
			text += fmt.Sprintf(" %s=%g", w.Name, w.SecondsLeft)
		}
	}
	return text
}

func TestAFleetIsWhatTheAuthoritiesAndTheInstanceKnow(t *testing.T) {
	away := &StoreError{"redis", errors.New("connection refused")}
	for _, c := range []struct {
		name     string
		own      Status
		looks    []look
		want     string
		problems []string
	}{
		{
			"two instances, each once, by worker", ownStatus(2, Live),
			[]look{
				redisLook(holder(2, "own", true, 50, Live, 3*time.Second), holder(0, "other", true, 40, Live, 2*time.Second)),
				postgresLook(holder(0, "other", true, 900, Starting, time.Minute), holder(2, "own", true, 800, Live, time.Minute)),
			},
			"2 held 2 free 0 parked; 0 other live redis=40 postgres=900; 2 own live redis=50 postgres=800", nil,
		},
		{
			"a crash: what only Postgres knows is parked", ownStatus(2, Live),
			[]look{redisLook(holder(2, "own", true, 50, Live, time.Second)), postgresLook(holder(0, "dead", true, 900, Live, time.Minute), holder(2, "own", true, 800, Live, time.Minute))},
			"1 held 2 free 1 parked; 0 dead parked postgres=900; 2 own live redis=50 postgres=800", nil,
		},
		{
			"given back ahead of its clock", ownStatus(2, Live),
			[]look{redisLook(holder(2, "own", true, 50, Live, time.Second), holder(1, "", false, 1, "", 0)), postgresLook(holder(2, "own", true, 800, Live, time.Minute))},
			"1 held 2 free 1 parked; 1  parked redis=1; 2 own live redis=50 postgres=800", nil,
		},
		{
			"one is acquiring: granted by the first, not yet by the second", ownStatus(2, Live),
			[]look{redisLook(holder(2, "own", true, 50, Live, time.Second), holder(3, "new", true, 60, Starting, time.Millisecond)), postgresLook(holder(2, "own", true, 800, Live, time.Minute))},
			"2 held 2 free 0 parked; 2 own live redis=50 postgres=800; 3 new starting redis=60", nil,
		},
		{
			"a report is older than its answer", ownStatus(-1, Starting),
			[]look{redisLook(holder(1, "new", true, 60, Starting, time.Second)), postgresLook(holder(1, "new", true, 900, Standby, time.Second))},
			"1 held 3 free 0 parked; 1 new live redis=60 postgres=900; - own starting", nil,
		},
		{
			"standbys, each once, and none that holds by now", ownStatus(-1, Standby),
			[]look{standsBy(redisLook(holder(1, "late", true, 60, Live, time.Second)), "own", "third", "late", "third"), postgresLook(holder(1, "late", true, 900, Live, time.Second))},
			"1 held 3 free 0 parked; 1 late live redis=60 postgres=900; - own standby; - third standby", nil,
		},
		{
			"a parked worker's instance that waits for another", ownStatus(2, Live),
			[]look{standsBy(redisLook(holder(2, "own", true, 50, Live, time.Second)), "cut off"), postgresLook(holder(2, "own", true, 800, Live, time.Minute), holder(0, "cut off", true, 900, Live, time.Minute))},
			"1 held 2 free 1 parked; 0 cut off parked postgres=900; 2 own live redis=50 postgres=800; - cut off standby", nil,
		},
		{
			"Redis is away: Postgres decides, and the instance knows its own window", ownStatus(2, Degraded),
			[]look{{name: "redis", err: away}, postgresLook(holder(0, "other", true, 900, Live, time.Minute), holder(2, "own", true, 800, Live, time.Minute))},
			"2 held 2 free 0 parked; 0 other live postgres=900; 2 own degraded redis=30 postgres=800",
			[]string{"redis: cannot be asked: connection refused"},
		},
		{
			"all are away: the instance alone", ownStatus(2, Degraded),
			[]look{{name: "redis", err: away}, {name: "postgres", err: context.DeadlineExceeded}},
			"1 held 3 free 0 parked; 2 own degraded redis=30 postgres=30",
			[]string{"redis: cannot be asked: connection refused", "postgres: cannot be asked: no answer within 2s"},
		},
		{
			"Redis was emptied: the instance still holds", ownStatus(2, Live),
			[]look{redisLook(), postgresLook(holder(2, "own", true, 800, Live, time.Minute))},
			"1 held 3 free 0 parked; 2 own live postgres=800", nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := fleetSpace().fleet(c.own, c.looks, time.UnixMilli(fleetNow))
			if got := told(f); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if len(f.Problems)+len(c.problems) > 0 && !reflect.DeepEqual(f.Problems, c.problems) {
				t.Errorf("problems %q, want %q", f.Problems, c.problems)
			}
		})
	}
}

func TestTheNewestReportIsTold(t *testing.T) {
	newest, old := holder(0, "other", true, 40, Live, time.Second), holder(0, "other", true, 900, Starting, time.Minute)
	newest.Report.Issued, newest.Report.RefreshMS, old.Report.Issued = 70, 0.5, 3
	before := holder(0, "other", true, 900, Live, time.Millisecond)
	before.Instance.Since = before.Instance.Since.Add(-time.Hour)
	another := holder(0, "before it", true, 900, Live, time.Millisecond)
	for _, looks := range [][]look{
		{redisLook(newest), postgresLook(old)},
		{{"redis", Holders{fleetNow, []Holder{old}, nil}, nil}, postgresLook(newest)},
		{redisLook(newest), postgresLook(another)}, // another's report is not its own
		{redisLook(newest), postgresLook(before)},  // nor is that of its life before
	} {
		m := fleetSpace().fleet(ownStatus(-1, Starting), looks, time.UnixMilli(fleetNow)).Instances[0]
		if m.Name != "other" || m.Issued != 70 || m.RefreshMS != 0.5 || !m.Time.Equal(newest.Report.Time) {
			t.Errorf("%+v", m)
		}
	}
}

// What is not known is left out, and lists are lists.
func TestAFleetInJSON(t *testing.T) {
	f := fleetSpace().fleet(ownStatus(-1, Standby), []look{redisLook(), postgresLook()}, time.UnixMilli(fleetNow))
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"space":"a-space","authorities":"redis+postgres","time":"2027-01-15T08:00:00Z","days_left":3,` +
		`"workers":{"total":4,"held":0,"free":4,"parked":0},"instances":[{"instance":"own","host":"","version":"","address":"","since":"2027-01-15T07:59:00Z",` +
		`"windows":[],"state":"standby","issued":7,"refresh_ms":0,"clock_offset_ms":null}],"problems":[]}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}

// hung is an authority that does not answer those who look.
type hung struct{ second }

func (h *hung) Holders(ctx context.Context) (Holders, error) {
	<-ctx.Done()
	return Holders{}, ctx.Err()
}

func TestAHungAuthorityIsNotWaitedForLongAndTheRestIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, _, stop := keep(t, 2, openFile(t, t.TempDir(), 2), &hung{second{length: time.Minute}})
		defer stop()
		start := time.Now()
		done := make(chan Fleet)
		for range 5 {
			go func() { done <- k.Fleet(t.Context()) }()
		}
		for range 5 {
			f := <-done
			if took := time.Since(start); took > lookLimit {
				t.Errorf("an answer after %s", took)
			}
			if len(f.Problems) == 0 || !strings.HasPrefix(f.Problems[len(f.Problems)-1], "second: cannot be asked: ") || f.Instances[0].State != Live {
				t.Errorf("%+v", f)
			}
		}
	})
}

// counted counts those who look at the same time.
type counted struct {
	second
	now, most int
}

func (c *counted) Holders(context.Context) (Holders, error) {
	c.mu.Lock()
	c.now++
	c.most = max(c.most, c.now)
	c.mu.Unlock()
	time.Sleep(10 * time.Millisecond)
	c.mu.Lock()
	c.now--
	c.mu.Unlock()
	return Holders{Now: time.Now().UnixMilli()}, nil
}

func TestThoseWhoLookTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &counted{second: second{length: time.Minute}}
		k, _, stop := keep(t, 2, openFile(t, t.TempDir(), 2), a)
		defer stop()
		done := make(chan Fleet)
		for range 20 {
			go func() { done <- k.Fleet(t.Context()) }()
		}
		for range 20 {
			if f := <-done; len(f.Problems) != 0 || f.Workers != (Workers{Total: 4, Held: 1, Free: 3}) {
				t.Errorf("%+v", f)
			}
		}
		if a.most != 1 {
			t.Errorf("%d looked at once", a.most)
		}
	})
}
