package lease

import (
	"log/slog"
	"time"

	"waybill/generator"
)

// What happened.
type (
	event   any
	tick    struct{} // time went by
	vacancy struct { // an authority told its free workers
		authority int
		free      Vacancy
		err       error
	}
	answer struct { // an authority answered a claim that was sent at a time
		token     Token
		authority int
		number    uint64
		sent      time.Duration
		grant     Grant
		err       error
	}
	trimmed struct { // an authority took a window back, or did not
		token     Token
		authority int
		err       error
	}
	replaced struct{ last int64 } // the generator closed the window before the one in use
	slept    struct{}             // the machine was suspended: all that was known is old
	stop     struct{}             // issue nothing new, keep what is held
)

// What to do.
type (
	effect   any
	askFree  struct{ authority int }
	askGrant struct {
		authority int
		claim     Claim
	}
	askTrim struct {
		authority, worker int
		token             Token
		until             int64
	}
	anchor   struct{ now int64 } // the generator's clock; before use
	use      struct{ window generator.Window }
	announce struct{ fields []any } // a line of log: a lease was acquired
	note     struct {               // a line of log: the state
		level  slog.Level
		fields []any
	}
	halt struct{ err error } // close the generator and stop
)
