package lease

import "time"

// pinned is the wall clock as it was at the start, carried on by the monotonic
// one: it never steps back, and catches up with the machine's clock when that is
// ahead, as after a suspension. It counts in Unix milliseconds, not time.Time:
// two of those compare by their monotonic parts and hide a step.
type pinned struct {
	start time.Time // only its monotonic part counts
	wall  int64     // at start
}

func pin() pinned { return pinned{start: time.Now(), wall: wallClock().UnixMilli()} }

// now is the Unix millisecond.
func (p *pinned) now() int64 { return p.at(wallClock().UnixMilli(), time.Since(p.start)) }

// at is now when the machine's clock says wall, elapsed after start.
func (p *pinned) at(wall int64, elapsed time.Duration) int64 {
	carried := p.wall + elapsed.Milliseconds()
	if wall > carried {
		p.wall += wall - carried
		return wall
	}
	return carried
}
