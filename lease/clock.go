//go:build !clockoffset

package lease

import "time"

// wallClock is the machine's clock.
func wallClock() time.Time { return time.Now() }
