//go:build !linux

package lease

import "time"

// clockDifference is not known here.
func clockDifference() (time.Duration, bool) { return 0, false }
