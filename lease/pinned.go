package lease

import "time"

// pinned is the wall clock as it was at the start, carried on by the monotonic
// one: it never steps back, and catches up with the machine's clock when that is
// ahead, as after a suspension.
type pinned struct{ start, wall time.Time }

func pin() pinned { return pinned{start: time.Now(), wall: wallClock()} }

// now is the Unix millisecond.
func (p *pinned) now() int64 {
	carried := p.wall.Add(time.Since(p.start))
	if wall := wallClock(); wall.After(carried) {
		*p = pin()
		return p.wall.UnixMilli()
	}
	return carried.UnixMilli()
}
