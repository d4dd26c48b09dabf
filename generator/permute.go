package generator

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"sync"
)

// MinSecret is the shortest secret that Opaque takes, in bytes.
const MinSecret = 16

// secret hides IDs: FF1 (NIST SP 800-38G) over the 13 base-32 numerals of an ID.
// It is a permutation of 0 to 2^65-1, so hidden IDs are as unique as plain
// ones, and three of four guesses reveal a value that is no ID at all.
type secret struct {
	ff1         *ff1
	fingerprint string
}

// Opaque returns the form whose numbers show nothing of the ID without the key,
// which is derived from secretKey (HKDF-SHA256, RFC 5869).
func Opaque(secretKey []byte) (Form, error) {
	if len(secretKey) < MinSecret {
		return Form{}, fmt.Errorf("generator: the secret key has %d bytes: use %d random ones or more", len(secretKey), MinSecret)
	}
	key, err := hkdf.Key(sha256.New, secretKey, nil, "waybill opaque form", 32)
	if err != nil {
		return Form{}, fmt.Errorf("generator: derive the key: %w", err)
	}
	fingerprint, err := hkdf.Key(sha256.New, secretKey, nil, "waybill opaque form fingerprint", 4)
	if err != nil {
		return Form{}, fmt.Errorf("generator: derive the fingerprint: %w", err)
	}
	f, err := newFF1(key, nil, 32, idLength)
	if err != nil {
		return Form{}, err
	}
	return Form{&secret{ff1: f, fingerprint: hex.EncodeToString(fingerprint)}}, nil
}

// The 13 numerals are 65 bits. FF1 splits them in 6 and 7: 30 and 35 bits.
const rightBits = 35

// hide returns the permuted ID as its top bit and the 64 bits below it.
func (s *secret) hide(id ID) (top, rest uint64) {
	a, b := s.ff1.encrypt(uint64(id)>>rightBits, uint64(id)&(1<<rightBits-1))
	return a >> (64 - rightBits), a<<rightBits | b
}

// reveal undoes hide; ok is false for a value that hide cannot have returned.
func (s *secret) reveal(top, rest uint64) (id ID, ok bool) {
	a, b := s.ff1.decrypt(top<<(64-rightBits)|rest>>rightBits, rest&(1<<rightBits-1))
	return ID(a<<rightBits | b), a <= math.MaxInt64>>rightBits
}

// ff1 is the FF1 mode for one key, tweak, radix and number of numerals, with
// both halves held as integers. It may be used concurrently.
type ff1 struct {
	block  cipher.Block
	states sync.Pool           // of *[aes.BlockSize]byte: what block.Encrypt works on would escape
	prefix [aes.BlockSize]byte // CBC-MAC state after everything that does not change
	tail   [aes.BlockSize]byte // the last block of Q, round and half not filled in
	half   int                 // bytes of the half in Q
	bound  [2]uint64           // radix^u and radix^v: what the halves stay below
}

const ff1Rounds = 10

// newFF1 prepares FF1. Both halves must be below 2^63.
func newFF1(key, tweak []byte, radix, numerals int) (*ff1, error) {
	cipherBlock, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("generator: FF1: %w", err)
	}
	u := numerals / 2
	v := numerals - u
	f := &ff1{block: cipherBlock, states: sync.Pool{New: func() any { return new([aes.BlockSize]byte) }}}
	f.bound[0], f.bound[1] = power(radix, u), power(radix, v)
	if f.bound[0] == 0 || f.bound[1] == 0 {
		return nil, errors.New("generator: FF1: half of the numerals does not fit 63 bits")
	}
	f.half = (bits.Len64(f.bound[1]-1) + 7) / 8

	p := [aes.BlockSize]byte{
		1, 2, 1, byte(radix >> 16), byte(radix >> 8), byte(radix), ff1Rounds, byte(u),
		byte(numerals >> 24), byte(numerals >> 16), byte(numerals >> 8), byte(numerals),
		byte(len(tweak) >> 24), byte(len(tweak) >> 16), byte(len(tweak) >> 8), byte(len(tweak)),
	}
	q := append([]byte{}, tweak...)
	for (len(q)+1+f.half)%aes.BlockSize != 0 {
		q = append(q, 0)
	}
	q = append(q, make([]byte, 1+f.half)...)
	f.block.Encrypt(f.prefix[:], p[:])
	for ; len(q) > aes.BlockSize; q = q[aes.BlockSize:] {
		xor(&f.prefix, q)
		f.block.Encrypt(f.prefix[:], f.prefix[:])
	}
	copy(f.tail[:], q)
	return f, nil
}

// encrypt permutes the numerals whose first half is a and whose second is b.
func (f *ff1) encrypt(a, b uint64) (uint64, uint64) {
	state := f.states.Get().(*[aes.BlockSize]byte)
	defer f.states.Put(state)
	for round := range ff1Rounds {
		m := f.bound[round&1]
		a, b = b, (a+f.round(state, round, b, m))%m
	}
	return a, b
}

// decrypt undoes encrypt.
func (f *ff1) decrypt(a, b uint64) (uint64, uint64) {
	state := f.states.Get().(*[aes.BlockSize]byte)
	defer f.states.Put(state)
	for round := ff1Rounds - 1; round >= 0; round-- {
		m := f.bound[round&1]
		a, b = (b+m-f.round(state, round, a, m))%m, a
	}
	return a, b
}

// round is the round function of half x, reduced modulo m.
func (f *ff1) round(state *[aes.BlockSize]byte, round int, x, m uint64) uint64 {
	*state = f.tail
	state[aes.BlockSize-1-f.half] = byte(round)
	for i := range f.half {
		state[aes.BlockSize-1-i] ^= byte(x >> (8 * i))
	}
	xor(state, f.prefix[:])
	f.block.Encrypt(state[:], state[:])
	// The d = 4*ceil(half/4)+4 leading bytes are a number of 8 or 12 bytes.
	var high, low uint64
	for _, c := range state[:4*((f.half+3)/4)+4] {
		high, low = high<<8|low>>56, low<<8|uint64(c)
	}
	_, r := bits.Div64(high%m, low, m)
	return r
}

func xor(dst *[aes.BlockSize]byte, src []byte) {
	for i := range dst {
		dst[i] ^= src[i]
	}
}

// power is radix^n, or 0 if it is not below 2^63.
func power(radix, n int) uint64 {
	p := uint64(1)
	for range n {
		high, low := bits.Mul64(p, uint64(radix))
		if high != 0 || low >= 1<<63 {
			return 0
		}
		p = low
	}
	return p
}
