//go:build clockoffset

package lease

import (
	"os"
	"time"
)

// wallClock is the machine's clock moved by what the file that
// WAYBILL_CLOCK_OFFSET names has in it, such as -1h. Only tests build with this
// tag: a Go program reads the clock without the C library, so libfaketime cannot
// move it.
func wallClock() time.Time {
	text, err := os.ReadFile(os.Getenv("WAYBILL_CLOCK_OFFSET"))
	if err != nil {
		return time.Now()
	}
	offset, err := time.ParseDuration(string(text))
	if err != nil {
		return time.Now()
	}
	return time.Now().Add(offset)
}
