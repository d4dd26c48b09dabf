package lease

import (
	"sync"
	"time"
)

// suspension notices that the machine was suspended. Go's monotonic clock stands
// still meanwhile, so that everything measured by it seems younger than it is.
type suspension struct {
	mu   sync.Mutex
	seen bool
	last time.Duration // the clock that counts suspension less the one that does not
	sum  time.Duration
}

// suspensionSlack is what the two clocks may drift apart between checks.
const suspensionSlack = 50 * time.Millisecond

// gap is how long the machine was suspended since the last call.
func (s *suspension) gap() time.Duration {
	difference, ok := clockDifference()
	if !ok {
		return 0
	}
	return s.observe(difference)
}

func (s *suspension) observe(difference time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	gap := difference - s.last
	if s.seen && gap < suspensionSlack {
		return 0
	}
	first := !s.seen
	s.seen, s.last = true, difference
	if first {
		return 0
	}
	s.sum += gap
	return gap
}

// total is the time in suspension since the first call of gap.
func (s *suspension) total() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sum
}
