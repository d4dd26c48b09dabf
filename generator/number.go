package generator

import (
	"errors"
	"fmt"
	"math"
)

// A tracking number has NumberLength characters: the ID, the origin, the check
// character.
const (
	NumberLength = 16
	idLength     = 13
	checkAt      = NumberLength - 1
)

// What can be wrong with a tracking number. Parse wraps exactly one of them.
var (
	ErrNumberLength    = errors.New("a tracking number has 16 characters")
	ErrNumberCharacter = errors.New("a character that no tracking number has in that place")
	ErrNumberCountry   = errors.New("characters 14 and 15 are not an ISO 3166-1 alpha-2 country code")
	ErrNumberCheck     = errors.New("the check character does not match the others")
	ErrNumberRange     = errors.New("no ID has this text")
)

// crockford is Crockford's base 32: no I, L, O, U.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// crockfordValue reads what people mistype too: I and L as 1, O as 0.
var crockfordValue = func() [256]uint8 {
	v := inverse(crockford)
	v['I'], v['L'], v['O'] = 1, 1, 0
	return v
}()

// Form turns IDs into tracking numbers and back. The zero Form is the plain
// one, whose first 13 characters are the ID; [Opaque] makes the other. A Form
// is a property of a number space. It may be used concurrently.
type Form struct {
	secret *secret // nil in the plain form
}

// String names the form and, of an opaque one, the fingerprint of its key.
func (f Form) String() string {
	if f.secret == nil {
		return "plain"
	}
	return "opaque-" + f.secret.fingerprint
}

// Append appends the 16 characters of id, issued for origin, to dst.
func (f Form) Append(dst []byte, id ID, origin Country) []byte {
	hidden := uint64(id)
	lead := uint64(0) // the top 1 of 65 bits, which only a permuted ID uses
	if f.secret != nil {
		lead, hidden = f.secret.hide(id)
	}
	var n [NumberLength]byte
	for i := idLength - 1; i > 0; i-- {
		n[i] = crockford[hidden&31]
		hidden >>= 5
	}
	n[0] = crockford[(lead<<4|hidden)&31]
	n[13], n[14] = origin[0], origin[1]
	n[checkAt] = check(n[:checkAt])
	return append(dst, n[:]...)
}

// Format is Append into a new string.
func (f Form) Format(id ID, origin Country) string {
	var n [NumberLength]byte
	return string(f.Append(n[:0], id, origin))
}

// Parse returns the ID and the origin of a tracking number. It accepts lower
// case, spaces and hyphens; in the ID, I and L for 1 and O for 0; in the last
// place 0/O and 1/I/L for each other. Anything else is an error that wraps one
// of the ErrNumber values.
func (f Form) Parse(s string) (ID, Country, error) {
	var n [NumberLength]byte
	length := 0
	for i := range len(s) {
		c := s[i]
		switch {
		case c == ' ' || c == '-':
			continue
		case 'a' <= c && c <= 'z':
			c -= 'a' - 'A'
		}
		if length == NumberLength {
			return 0, Country{}, fmt.Errorf("%w, this one has more", ErrNumberLength)
		}
		if checkValue[c] == 255 || length < idLength && crockfordValue[c] == 255 {
			return 0, Country{}, fmt.Errorf("%w: %q in place %d", ErrNumberCharacter, c, length+1)
		}
		if length < idLength {
			c = crockford[crockfordValue[c]]
		}
		n[length] = c
		length++
	}
	if length < NumberLength {
		return 0, Country{}, fmt.Errorf("%w, this one has %d", ErrNumberLength, length)
	}
	if fold(check(n[:checkAt])) != fold(n[checkAt]) {
		return 0, Country{}, ErrNumberCheck
	}
	origin := Country{n[13], n[14]}
	if !origin.Assigned() {
		return 0, Country{}, fmt.Errorf("%w: %s", ErrNumberCountry, origin)
	}
	id, ok := f.unhide(&n)
	if !ok {
		return 0, Country{}, ErrNumberRange
	}
	return id, origin, nil
}

// unhide reads the ID of 13 characters that are known to be Crockford's.
func (f Form) unhide(n *[NumberLength]byte) (ID, bool) {
	var low uint64 // the last 12 characters: 60 bits
	for _, c := range n[1:idLength] {
		low = low<<5 | uint64(crockfordValue[c])
	}
	first := uint64(crockfordValue[n[0]])
	lead, low := first>>4, first<<60|low
	if f.secret != nil {
		return f.secret.reveal(lead, low)
	}
	return ID(low), lead == 0 && low <= math.MaxInt64
}

// fold makes one character of those that look alike in the check place.
func fold(c byte) byte {
	switch c {
	case 'O':
		return '0'
	case 'I', 'L':
		return '1'
	}
	return c
}
