package lease

import (
	cryptorand "crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/rand/v2"

	"github.com/google/uuid"
)

// Token names one acquisition. It is fresh for each, never derived from a host
// or process: a restarted container must not pass for its dead self.
type Token [16]byte

// NewToken returns a random token.
func NewToken() Token { return drawToken(rand.New(system{})) }

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

func drawToken(r *rand.Rand) (t Token) {
	binary.NativeEndian.PutUint64(t[:8], r.Uint64())
	binary.NativeEndian.PutUint64(t[8:], r.Uint64())
	return t
}

// system is the operating system's randomness as a rand.Source. Nothing is kept
// in the process: a copy of it must not draw the same nonces.
type system struct{}

// Uint64 implements rand.Source.
func (system) Uint64() uint64 {
	var b [8]byte
	_, _ = cryptorand.Read(b[:]) // never fails (crypto/rand)
	return binary.NativeEndian.Uint64(b[:])
}

// uuid is the token as Postgres keeps it.
func (t Token) uuid() string { return uuid.UUID(t).String() }
