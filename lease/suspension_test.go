package lease

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestASuspensionIsWhatTheTwoClocksMoveApart(t *testing.T) {
	var s suspension
	for _, step := range []struct{ difference, gap, total time.Duration }{
		{time.Hour, 0, 0}, // since the machine was booted: before our time
		{time.Hour + 10*time.Millisecond, 0, 0},
		{time.Hour + 3*time.Minute, 3 * time.Minute, 3 * time.Minute},
		{time.Hour + 3*time.Minute, 0, 3 * time.Minute},
		{time.Hour + 4*time.Minute, time.Minute, 4 * time.Minute},
	} {
		if gap := s.observe(step.difference); gap != step.gap || s.total() != step.total {
			t.Errorf("at %s: %s, in all %s; want %s, %s", step.difference, gap, s.total(), step.gap, step.total)
		}
	}
}

// After a suspension everything is old: the core asks at once, and does not
// believe that its window lasts as long as the sleeping clock says.
func TestAfterASuspensionTheLeaseIsRefreshedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &second{length: time.Minute}
		k, g, stop := keep(t, 10, openFile(t, t.TempDir(), 10), s)
		defer stop()
		time.Sleep(time.Second)
		before := len(s.asked)
		k.mu.Lock()
		effects := k.core.step(k.now()+2*time.Minute, slept{})
		k.mu.Unlock()
		grants, retired := 0, false
		for _, e := range effects {
			switch e := e.(type) {
			case askFree:
				grants++
			case use:
				retired = e.window.Empty()
			}
		}
		if grants == 0 || !retired {
			t.Errorf("two minutes later in a window of one: %+v (asked %d times before, window %+v)", effects, before, g.Window())
		}
	})
}
