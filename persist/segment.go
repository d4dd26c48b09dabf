package persist

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"waybill/generator"
	"waybill/internal/disk"
)

// segment is one file of a spool: a header, and frames without a gap up to size.
// The file is reserved and mapped while it is written, and cut to size after.
type segment struct {
	path    string
	file    *os.File
	mapping disk.Mapping // nil when nothing is written any more

	// Guarded by the spool's mutex while the segment is written.
	size        int64
	first, last uint64 // sequence numbers; last is first-1 in an empty one
	blocks      []block
	synced      int64 // bytes known to be on the disk, kept in mode fsync
	torn        int64 // bytes after size that were written and are no frame
	damaged     bool  // and reported
}

// block is a stretch of frames: where it begins and which IDs it may hold. IDs
// of one instance almost follow each other, so few blocks hold a given one.
type block struct {
	at        int64
	low, high generator.ID
}

const blockSize = 64 << 10

// note takes the frame of id at offset at into the index.
func (s *segment) note(at int64, id generator.ID) {
	if n := len(s.blocks); n > 0 && at < s.blocks[n-1].at+blockSize {
		b := &s.blocks[n-1]
		b.low, b.high = min(b.low, id), max(b.high, id)
		return
	}
	s.blocks = append(s.blocks, block{at, id, id})
}

const segmentSuffix = ".segment"

func segmentPath(dir string, ordinal int) string {
	return filepath.Join(dir, fmt.Sprintf("%08d%s", ordinal, segmentSuffix))
}

// createSegment makes a segment of size bytes that is ready to be written.
func createSegment(dir string, ordinal int, size int64) (*segment, error) {
	path := segmentPath(dir, ordinal)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	s := &segment{path: path, file: f, size: segmentHeader}
	if err := s.prepare(dir, size); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(path))
	}
	return s, nil
}

func (s *segment) prepare(dir string, size int64) (err error) {
	if err = disk.Reserve(s.file, size); err != nil {
		return err
	}
	if err = s.file.Sync(); err != nil {
		return err
	}
	if err = disk.SyncDir(dir); err != nil {
		return err
	}
	s.mapping, err = disk.Map(s.file, size)
	return err
}

// begin writes the header of a segment that is about to take records.
func (s *segment) begin(h header) {
	h.put(s.mapping)
	s.first, s.last = h.first, h.first-1
}

// seal ends writing: the unused space goes back to the disk.
func (s *segment) seal() error {
	if s.mapping == nil {
		return nil
	}
	err := s.mapping.Unmap()
	s.mapping = nil
	return errors.Join(err, s.file.Truncate(s.size))
}

// remove deletes the segment, which must be sealed.
func (s *segment) remove() error { return errors.Join(s.file.Close(), os.Remove(s.path)) }

// damage is a part of a segment that is not what was written there.
type damage struct {
	at, bytes int64
	what      string
}

// openSegment reads a segment that a process left behind, and cuts the unused
// space off. What cannot be read before a whole frame is damage, which is passed
// over; what follows the last whole frame, and was written, is torn.
func openSegment(path string) (s *segment, h header, found []damage, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, h, nil, err
	}
	s = &segment{path: path, file: f, size: segmentHeader}
	info, err := f.Stat()
	if err != nil {
		return nil, h, nil, errors.Join(err, f.Close())
	}
	if info.Size() <= segmentHeader {
		return s, h, nil, nil
	}
	data, err := disk.Map(f, info.Size()) // not read: that would be as much memory
	if err != nil {
		return nil, h, nil, errors.Join(err, f.Close())
	}
	h, found = s.scan(data)
	if err = data.Unmap(); err == nil && s.torn == 0 {
		err = f.Truncate(s.size)
	}
	if err != nil {
		return nil, h, nil, errors.Join(err, f.Close())
	}
	return s, h, found, nil
}

// scan finds the frames of a segment's data.
func (s *segment) scan(data []byte) (h header, found []damage) {
	h, headed := readHeader(data)
	if headed {
		s.first = h.first // also when the first frames are damaged
		s.last = s.first - 1
	}
	at := segmentHeader
	for {
		passed := resync(data[at:])
		if at+passed == len(data) {
			break
		}
		if passed > 0 {
			found = append(found, damage{int64(at), int64(passed), "records that cannot be read"})
			at += passed
		}
		sequence, n, _ := frame(data[at:])
		if s.first == 0 {
			s.first = sequence
		}
		s.note(int64(at), generator.ID(binary.LittleEndian.Uint64(data[at+frameHeader:])))
		at += n
		s.size, s.last = int64(at), sequence
	}
	s.torn = int64(len(bytes.TrimRight(data[at:], "\x00")))
	if !headed && s.first != 0 {
		found = append(found, damage{0, segmentHeader, "header that cannot be read"})
	}
	return h, found
}

// empty reports whether a segment never took a record.
func (s *segment) empty() bool { return s.first == 0 || s.last < s.first }
