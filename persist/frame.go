package persist

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/google/uuid"
)

// The frame of a record in a segment: integers are little-endian.
//
//	0                       4                 8                 16
//	| CRC-32C of what       | length of the   | sequence number | payload |
//	| follows               | payload         | in the spool    |         |
const (
	frameHeader = 16
	maxFrame    = frameHeader + maxPayload
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// putFrame writes a record into dst, which has room for maxFrame, and returns
// the frame's length. A crash in the middle leaves a frame whose sum is wrong.
func putFrame(dst []byte, sequence uint64, r *Record) int {
	n := r.encode(dst[frameHeader:])
	binary.LittleEndian.PutUint32(dst[4:], uint32(n))
	binary.LittleEndian.PutUint64(dst[8:], sequence)
	binary.LittleEndian.PutUint32(dst[0:], crc32.Checksum(dst[4:frameHeader+n], castagnoli))
	return frameHeader + n
}

// frame reads the frame at the beginning of data. ok is false when there is no
// whole one.
func frame(data []byte) (sequence uint64, size int, ok bool) {
	if len(data) < frameHeader+fixedPayload {
		return 0, 0, false
	}
	n := binary.LittleEndian.Uint32(data[4:])
	if n < fixedPayload || n > maxPayload || int(n) > len(data)-frameHeader {
		return 0, 0, false
	}
	size = frameHeader + int(n)
	if binary.LittleEndian.Uint32(data) != crc32.Checksum(data[4:size], castagnoli) {
		return 0, 0, false
	}
	return binary.LittleEndian.Uint64(data[8:]), size, true
}

// resync returns where in data the next whole frame begins, or len(data).
func resync(data []byte) int {
	for at := range data {
		if _, _, ok := frame(data[at:]); ok {
			return at
		}
	}
	return len(data)
}

// The header of a segment.
//
//	0         8         12        28        44          52             60
//	| magic   | version | space   | spool   | layout's  | first        | CRC-32C |
//	|         |         | (UUID)  | (UUID)  | hash      | sequence no. |         |
const (
	segmentHeader  = 64
	segmentMagic   = "waybill\n"
	segmentVersion = 1
)

// header is a segment's first 64 bytes.
type header struct {
	space, spool uuid.UUID
	layout       uint64 // hash of what an ID's bits mean
	first        uint64 // sequence number of the first record
}

func (h header) put(dst []byte) {
	copy(dst, segmentMagic)
	binary.LittleEndian.PutUint32(dst[8:], segmentVersion)
	copy(dst[12:], h.space[:])
	copy(dst[28:], h.spool[:])
	binary.LittleEndian.PutUint64(dst[44:], h.layout)
	binary.LittleEndian.PutUint64(dst[52:], h.first)
	binary.LittleEndian.PutUint32(dst[60:], crc32.Checksum(dst[:60], castagnoli))
}

func readHeader(data []byte) (h header, ok bool) {
	if len(data) < segmentHeader || string(data[:8]) != segmentMagic ||
		binary.LittleEndian.Uint32(data[8:]) != segmentVersion ||
		binary.LittleEndian.Uint32(data[60:]) != crc32.Checksum(data[:60], castagnoli) {
		return h, false
	}
	copy(h.space[:], data[12:])
	copy(h.spool[:], data[28:])
	h.layout = binary.LittleEndian.Uint64(data[44:])
	h.first = binary.LittleEndian.Uint64(data[52:])
	return h, true
}
