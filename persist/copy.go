package persist

import (
	"encoding/binary"

	"github.com/google/uuid"
)

// copyStatement takes what appendCopy makes.
const copyStatement = "COPY tracking_numbers (" + numberColumns + ") FROM STDIN (FORMAT binary)"

// appendCopy appends a batch in COPY's binary format (PostgreSQL documentation,
// "Binary Format" of COPY). pgx's CopyFrom takes values in interfaces, and
// two to three times the processor time (ADR 6).
func (n Numbers) appendCopy(dst []byte, b Batch) []byte {
	dst = append(dst, "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	for i := range b.Entries {
		e := &b.Entries[i]
		dst = binary.BigEndian.AppendUint16(dst, numberColumnCount)
		dst = appendInt64(dst, int64(e.ID))
		dst = binary.BigEndian.AppendUint32(dst, 16)
		dst = n.Form.Append(dst, e.ID, e.Origin)
		dst = appendText(dst, string(e.Origin[:]))
		dst = appendText(dst, string(e.Destination[:]))
		dst = appendInt32(dst, int32(e.Weight))
		dst = appendInt64(dst, e.OrderedAt-postgresEpoch)
		dst = appendUUID(dst, e.CustomerID)
		dst = appendText(dst, e.CustomerName)
		dst = appendText(dst, e.CustomerSlug)
		dst = appendInt64(dst, n.Layout.UnixMilli(e.ID)*1000-postgresEpoch)
		dst = appendInt32(dst, int32(n.Layout.Worker(e.ID)))
		dst = appendInt64(dst, e.Epoch)
		dst = appendUUID(dst, b.Spool)
		dst = appendInt64(dst, int64(e.Sequence))
	}
	return binary.BigEndian.AppendUint16(dst, 0xffff) // the trailer: -1 columns
}

// postgresEpoch is 2000-01-01, where Postgres's timestamps begin, in Unix
// microseconds.
const postgresEpoch = 946_684_800_000_000

func appendInt64(dst []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, 0, 0, 0, 8), uint64(v))
}

func appendInt32(dst []byte, v int32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, 0, 0, 0, 4), uint32(v))
}

func appendText(dst []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(s))), s...)
}

func appendUUID(dst []byte, u uuid.UUID) []byte {
	return append(append(dst, 0, 0, 0, 16), u[:]...)
}
