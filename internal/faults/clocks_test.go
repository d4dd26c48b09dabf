package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"waybill/internal/testenv"
)

// A clock that is far from the instances' is refused: nobody gets a window by it that reaches into another hour. Until
// it is put right the fleet lives on what it holds.
func TestTheClockOfRedisSteps(t *testing.T) {
	in(t, withRedis, func(t *testing.T, space string) {
		for _, step := range []time.Duration{time.Hour, -time.Hour} {
			t.Run(step.String(), func(t *testing.T) {
				t.Parallel()
				f := start(t, space, plan{redis: testenv.RedisWithClock(t)})
				wrong := time.Now()
				f.redis.StepClock(step)
				f.refuses(wrong, f.window+busy)
				time.Sleep(f.window)
				f.redis.StepClock(-step)
				f.issues("by the right clock", probe+busy)
				f.finish()
				wantNear(t, f)
			})
		}
	})
}

func TestTheClockOfPostgresSteps(t *testing.T) {
	in(t, []string{byPostgres, byBoth}, func(t *testing.T, space string) {
		for _, step := range []time.Duration{time.Hour, -time.Hour} {
			t.Run(step.String(), func(t *testing.T) {
				t.Parallel()
				f := start(t, space, plan{postgres: testenv.PostgresWithClock(t, unsynced...)})
				wrong := time.Now()
				f.postgres.StepClock(step)
				late := f.join() // nor does a new one get a claim by it
				f.load()
				f.refuses(wrong, claim+busy)
				if numbers, _ := f.clients.since(wrong, late.index); len(numbers) > 0 {
					t.Errorf("an instance that began beside the wrong clock gave %d numbers", len(numbers))
				}
				f.postgres.StepClock(-step)
				f.issues("by the right clock", probe+busy)
				f.finish()
				wantNear(t, f)
			})
		}
	})
}

// The clock of one instance is its own affair: the others do not notice.
func TestTheClockOfOneInstanceSteps(t *testing.T) {
	in(t, allSpaces, func(t *testing.T, space string) {
		clock := filepath.Join(t.TempDir(), "offset")
		setClock(t, clock, 0)
		f := start(t, space, plan{flags: []string{"-tags=clockoffset"}})
		odd := f.join("WAYBILL_CLOCK_OFFSET=" + clock)
		f.load()
		f.issues("with a true clock", f.quarantine()+probe+busy, odd)
		begin := time.Now()
		for _, step := range []time.Duration{time.Hour, -time.Hour} {
			wrong := time.Now()
			setClock(t, clock, step)
			f.refuses(wrong, max(f.window, f.rest())+busy, odd)
			setClock(t, clock, 0)
			f.issues("after its clock was put right", probe+busy, odd)
		}
		f.servedAll(begin, f.members[:2]...)
		f.finish()
		wantNear(t, f)
	})
}

// setClock moves the clock of an instance that was built with the tag clockoffset.
func setClock(t *testing.T, path string, offset time.Duration) {
	t.Helper()
	if err := os.WriteFile(path+".next", []byte(fmt.Sprint(offset)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".next", path); err != nil {
		t.Fatal(err)
	}
}

// wantNear fails the test if a stamp is further from the time at which its number came than the fleet's clocks may be.
func wantNear(t *testing.T, f *fleet) {
	t.Helper()
	for _, n := range f.clients.numbers {
		if off := f.clients.layout.Time(n.id).Sub(n.at); off.Abs() > quarantineMargin+busy {
			t.Errorf("a stamp of instance %d is %s off", n.member, off)
			return
		}
	}
}
