package persist

import (
	"encoding/binary"
	"errors"
	"fmt"

	"waybill/generator"

	"github.com/google/uuid"
)

// Record is what is kept of one issued number. The tracking number, the time of
// issue and the worker follow from ID and Origin.
type Record struct {
	ID           generator.ID
	Epoch        int64 // of the lease that ID was issued under
	Origin       generator.Country
	Destination  generator.Country
	Weight       uint32 // grams
	OrderedAt    int64  // Unix microseconds
	CustomerID   uuid.UUID
	CustomerName string // at most MaxText bytes of UTF-8
	CustomerSlug string // at most MaxText bytes
}

// MaxText is the longest customer name or slug, in bytes.
const MaxText = 255

// The payload of a record in a spool: integers are little-endian.
//
//	0        8        16       24       28     30       32        48   49   50
//	| ID     | epoch  | order  | weight | from | to     | customer | n  | s  | name (n) | slug (s) |
const (
	fixedPayload = 50
	maxPayload   = fixedPayload + 2*MaxText
)

// errTooLong is a record that the format cannot hold: a caller's mistake.
var errTooLong = fmt.Errorf("persist: a customer's name or slug is longer than %d bytes", MaxText)

// encode writes r into dst, which has room for maxPayload, and returns the
// payload's length.
func (r *Record) encode(dst []byte) int {
	_ = dst[fixedPayload-1]
	binary.LittleEndian.PutUint64(dst[0:], uint64(r.ID))
	binary.LittleEndian.PutUint64(dst[8:], uint64(r.Epoch))
	binary.LittleEndian.PutUint64(dst[16:], uint64(r.OrderedAt))
	binary.LittleEndian.PutUint32(dst[24:], r.Weight)
	dst[28], dst[29] = r.Origin[0], r.Origin[1]
	dst[30], dst[31] = r.Destination[0], r.Destination[1]
	copy(dst[32:48], r.CustomerID[:])
	dst[48], dst[49] = byte(len(r.CustomerName)), byte(len(r.CustomerSlug))
	n := fixedPayload + copy(dst[fixedPayload:], r.CustomerName)
	return n + copy(dst[n:], r.CustomerSlug)
}

// errPayload is a payload that no record has: its check sum was right, so it
// was written by another program or version.
var errPayload = errors.New("persist: a spooled record has an unknown form")

// decode reads a payload. The record's texts are parts of it.
func decode(payload string) (r Record, err error) {
	if len(payload) < fixedPayload {
		return r, errPayload
	}
	text := payload[fixedPayload:]
	name, slug := int(payload[48]), int(payload[49])
	if len(text) != name+slug {
		return r, errPayload
	}
	r.ID = generator.ID(uint64At(payload, 0))
	r.Epoch = int64(uint64At(payload, 8))
	r.OrderedAt = int64(uint64At(payload, 16))
	r.Weight = uint32(uint64At(payload, 24)) // the low half
	copy(r.Origin[:], payload[28:])
	copy(r.Destination[:], payload[30:])
	copy(r.CustomerID[:], payload[32:])
	r.CustomerName, r.CustomerSlug = text[:name], text[name:]
	return r, nil
}

// uint64At is binary.LittleEndian.Uint64 of a string.
func uint64At(s string, at int) (v uint64) {
	for i := 7; i >= 0; i-- {
		v = v<<8 | uint64(s[at+i])
	}
	return v
}
