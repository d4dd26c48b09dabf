package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"waybill/generator"
)

// Authority hands out windows of the timestamp space for workers. Its promise:
// the windows of one worker never overlap, across tokens, restarts and clocks.
// Implementations may be called concurrently.
type Authority interface {
	// Name is how logs and operators call it: file, redis, postgres.
	Name() string

	// Period is how often a held window should be extended.
	Period() time.Duration

	// Free tells which workers can be acquired now. An authority may note who
	// waits for one, for Holders.
	Free(ctx context.Context, waiting Instance) (Vacancy, error)

	// Grant acquires the claim's worker when its token is new, and extends the
	// window when the token holds it already. It fails with ErrOccupied when
	// another token's window is not past, with ErrLost when the token held the
	// worker once and does not any more, with ErrCloned when the token is used
	// twice, with a QuarantineError while nothing may be granted, with ErrSkew
	// when the clocks disagree, with ErrSpace when the number space differs. Any
	// other error leaves open whether the grant was stored; repeating the same
	// claim is harmless and answers what the first one did.
	Grant(ctx context.Context, c Claim) (Grant, error)

	// Trim gives back what follows until (Unix milliseconds) of the window that
	// the token holds. Call it only when nothing at until or later was or can
	// still be stamped; an until of 0 means that nothing was. A token that holds
	// nothing is ErrLost.
	Trim(ctx context.Context, worker int, token Token, until int64) error

	// Holders lists who holds which worker, for people.
	Holders(ctx context.Context) (Holders, error)
}

// Claim is one request for a window.
type Claim struct {
	Worker int
	Token  Token
	Number uint64 // of this request under the token: 1, 2, 3…; a repetition keeps it
	Nonce  uint64 // fresh for each number; tells a repetition from a cloned process
	Floor  int64  // a new window starts no earlier, and its authority's clock counts as this; Unix milliseconds, 0: none
	Holder Instance
	Report Report // for other operators' eyes
}

// Grant is what an authority answers and has stored.
type Grant struct {
	Window generator.Window // its Epoch grows with each acquisition of the worker
	Now    int64            // the authority's clock, Unix milliseconds
}

// Vacancy tells which workers are free. Times are Unix milliseconds by the
// authority's clock.
type Vacancy struct {
	Workers []int // in no order that matters
	Now     int64
	Next    int64 // when the first of the other windows ends; 0 when there is none
}

// What authorities refuse with.
var (
	ErrOccupied = errors.New("lease: the worker is held by another")
	ErrLost     = errors.New("lease: the worker is no longer held")
	ErrCloned   = errors.New("lease: this process exists twice: a copy of it, as a restored snapshot is, uses the same lease; both stop")
	ErrSkew     = errors.New("lease: clocks disagree")
)

// skewLimit is how far a store's clock and this machine's may be apart: more,
// and a clock has jumped. Two servers that pass at two machines whose clocks are
// right are then at most quarantineSlack apart.
const skewLimit = quarantineSlack / 2

// skewed is an ErrSkew that says by how much. Now is the store's clock.
func skewed(store string, now, wall int64) error {
	return fmt.Errorf("%w: %s's is %.1f s ahead of this machine's, more than %g s are refused; set the wrong one right",
		ErrSkew, store, float64(now-wall)/1000, skewLimit.Seconds())
}

// QuarantineError says that an authority which may have lost its memory grants
// nothing until all windows that it may have forgotten are past.
type QuarantineError struct {
	Store string
	Wait  time.Duration // from the answer
}

// Error implements error. It does not tell the exact wait: a reason that
// changes with every retry is a new line of log each time.
func (e *QuarantineError) Error() string {
	return "lease: " + e.Store + " has no memory of this number space, as it is new, was restarted, failed over or emptied: " +
		"it grants nothing until every window that it may have forgotten is past"
}

// Instance is who holds a lease, for people: nothing is decided by it.
type Instance struct {
	Name    string    `json:"instance"`
	Host    string    `json:"host"`
	Version string    `json:"version"`
	Address string    `json:"address"`
	Since   time.Time `json:"since,omitzero"` // the process's start
}

// Report is what an instance last told of itself.
type Report struct {
	State     State     `json:"state"`
	Time      time.Time `json:"reported,omitzero"`
	Issued    uint64    `json:"issued"`             // IDs by this process
	RefreshMS float64   `json:"refresh_ms"`         // how long the last refresh took
	OffsetMS  *int64    `json:"clock_offset_ms"`    // the store's clock less the instance's; nil before the first answer
	Err       string    `json:"error,omitempty"`    // of the last request to an authority
	Worker    *int      `json:"previous,omitempty"` // one that is being given back
}

// Holder is one worker's window.
type Holder struct {
	Worker      int
	From, Until int64 // Unix milliseconds
	Held        bool  // by a token that may extend it; otherwise it only has to pass
	Instance    Instance
	Report      Report
}

// Holders is who holds what at Now, the authority's clock in Unix milliseconds.
type Holders struct {
	Now     int64
	Windows []Holder
	Standby []Holder // instances that wait for a worker, where the authority knows them
}

// decode reads what an instance wrote of itself. What cannot be read is left
// out: it is for people only.
func (h *Holder) decode(instance, report string) {
	_ = json.Unmarshal([]byte(instance), &h.Instance)
	_ = json.Unmarshal([]byte(report), &h.Report)
}
