//go:build clockoffset

package lease

import (
	"os"
	"time"
)

// wallClock is the machine's clock moved by WAYBILL_CLOCK_OFFSET. Only tests
// build with this tag: a Go program reads the clock without the C library, so
// libfaketime cannot move it.
func wallClock() time.Time {
	offset, err := time.ParseDuration(os.Getenv("WAYBILL_CLOCK_OFFSET"))
	if err != nil {
		return time.Now()
	}
	return time.Now().Add(offset)
}
