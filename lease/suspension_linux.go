package lease

import (
	"time"

	"golang.org/x/sys/unix"
)

// clockDifference is CLOCK_BOOTTIME less CLOCK_MONOTONIC: the time that the
// machine has spent in suspension since it was booted (clock_gettime(2)).
func clockDifference() (time.Duration, bool) {
	var monotonic, boot unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &monotonic) != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil {
		return 0, false
	}
	return time.Duration(boot.Nano() - monotonic.Nano()), true
}
