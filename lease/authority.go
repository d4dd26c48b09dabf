package lease

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
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

	// Free lists workers that can be acquired now, best first. When there is
	// none, next is the Unix millisecond at which the first window ends, or 0
	// when that is not known.
	Free(ctx context.Context) (workers []int, next int64, err error)

	// Grant acquires the claim's worker when its token is new, and extends the
	// window when the token holds it already. It fails with ErrOccupied when
	// another token's window is not past, with ErrLost when the token held the
	// worker once and does not any more. Any other error leaves open whether
	// the grant was stored; repeating the same claim is harmless.
	Grant(ctx context.Context, c Claim) (Grant, error)

	// Trim gives back what follows until (Unix milliseconds) of the window that
	// the token holds. Call it only when nothing at until or later was or can
	// still be stamped. A token that holds nothing is ErrLost.
	Trim(ctx context.Context, worker int, token Token, until int64) error
}

// Claim is one request for a window.
type Claim struct {
	Worker int
	Token  Token
	Number uint64 // of this request under the token: 1, 2, 3…; a repetition keeps it
	Floor  int64  // a new window starts no earlier; Unix milliseconds
}

// Grant is what an authority answers and has stored.
type Grant struct {
	Window generator.Window // its Epoch counts the acquisitions of the worker
	Now    int64            // the authority's clock, Unix milliseconds
}

// What an authority refuses with.
var (
	ErrOccupied = errors.New("lease: the worker is held by another")
	ErrLost     = errors.New("lease: the worker is no longer held")
)

// Token names one acquisition. It is fresh for each, never derived from a host
// or process: a restarted container must not pass for its dead self.
type Token [16]byte

// NewToken returns a random token.
func NewToken() (t Token) {
	rand.Read(t[:]) // never fails (crypto/rand)
	return t
}

// String is the token in hexadecimal.
func (t Token) String() string { return hex.EncodeToString(t[:]) }

// MarshalText and UnmarshalText write and read the hexadecimal form.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (t *Token) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(t)) {
		return errors.New("lease: a token has 32 hexadecimal digits")
	}
	_, err := hex.Decode(t[:], text)
	return err
}
