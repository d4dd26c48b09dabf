package persist

import (
	"fmt"

	"waybill/generator"

	"github.com/google/uuid"
)

// Batch is a stretch of a spool: all that is left of its records First to Last.
type Batch struct {
	Spool       uuid.UUID
	First, Last uint64
	Entries     []Entry
}

// after is what is left of b when everything up to a sequence number is stored.
func (b Batch) after(committed uint64) Batch {
	for len(b.Entries) > 0 && b.Entries[0].Sequence <= committed {
		b.Entries = b.Entries[1:]
	}
	b.First = committed + 1
	return b
}

// Entry is a record and its sequence number in the spool.
type Entry struct {
	Sequence uint64
	Record
}

// readSize is how much of a segment is read at once.
const readSize = 1 << 20

// cursor reads a spool's records in order. It is used by one goroutine.
type cursor struct {
	spool   *Spool
	next    uint64 // sequence number of the record to read next
	segment *segment
	at      int64 // in the segment
	buffer  []byte
}

// newCursor returns a cursor that reads what follows sequence number after.
func newCursor(s *Spool, after uint64) *cursor {
	return &cursor{spool: s, next: after + 1, buffer: make([]byte, readSize)}
}

// read returns the next records, at most most of them; there must be one.
// Entries share memory; they may be kept as long as the caller likes.
func (c *cursor) read(most int) (Batch, error) {
	b := Batch{Spool: c.spool.id, First: c.next}
	for len(b.Entries) == 0 {
		if err := c.readSome(&b, most); err != nil {
			return Batch{}, err
		}
	}
	return b, nil
}

// readSome reads from one place of one segment, possibly nothing.
func (c *cursor) readSome(b *Batch, most int) error {
	size, err := c.place()
	if err != nil {
		return err
	}
	n := int(min(int64(len(c.buffer)), size-c.at))
	if _, err := c.segment.file.ReadAt(c.buffer[:n], c.at); err != nil {
		return fmt.Errorf("persist: read %s at %d: %w", c.segment.path, c.at, err)
	}
	text := string(c.buffer[:n]) // the entries' texts are parts of it
	at := 0
	for at < n && len(b.Entries) < most {
		sequence, length, ok := frame(c.buffer[at:n])
		if !ok {
			if n-at < maxFrame && c.at+int64(n) < size {
				break // the rest of the frame is in the next piece
			}
			passed := 1 + resync(c.buffer[at+1:n])
			if at+passed == n && c.at+int64(n) < size {
				passed = n - at - maxFrame + 1 // a whole frame may begin in what is left
			}
			if err := c.spool.report(c.segment, []damage{{c.at + int64(at), int64(passed), "records that cannot be read any more"}}); err != nil {
				return err
			}
			at += passed
			continue
		}
		if sequence >= c.next {
			r, err := decode(text[at+frameHeader : at+length])
			if err != nil {
				return fmt.Errorf("%w: %s at %d", err, c.segment.path, c.at+int64(at))
			}
			b.Entries = append(b.Entries, Entry{sequence, r})
			b.Last, c.next = sequence, sequence+1
		}
		at += length
	}
	c.at += int64(at)
	return nil
}

// place finds the segment to read from, and returns how much of it there is.
func (c *cursor) place() (size int64, err error) {
	c.spool.mu.Lock()
	defer c.spool.mu.Unlock()
	if c.segment != nil && c.at < c.segment.size && c.next <= c.segment.last {
		return c.segment.size, nil
	}
	for _, s := range c.spool.segments {
		if s.last >= c.next {
			if s != c.segment {
				c.segment, c.at = s, segmentHeader
			}
			if c.at < s.size {
				return s.size, nil
			}
		}
	}
	return 0, fmt.Errorf("persist: spool %s has no record %d", c.spool.id, c.next)
}

// find looks for the record of id among those that are not yet in the database.
func (s *Spool) find(id generator.ID) (found Record, ok bool, err error) {
	type place struct {
		segment  *segment
		from, to int64
	}
	var places []place
	loaded := s.loaded.get()
	s.mu.Lock()
	for _, segment := range s.segments {
		if segment.last <= loaded {
			continue
		}
		for i, b := range segment.blocks {
			if id < b.low || id > b.high {
				continue
			}
			to := segment.size
			if i+1 < len(segment.blocks) {
				to = segment.blocks[i+1].at
			}
			places = append(places, place{segment, b.at, to})
		}
	}
	s.mu.Unlock()
	for _, p := range places {
		data := make([]byte, p.to-p.from)
		if _, err := p.segment.file.ReadAt(data, p.from); err != nil {
			if s.Loaded() >= p.segment.last {
				continue // loaded and deleted meanwhile
			}
			return Record{}, false, fmt.Errorf("persist: read %s: %w", p.segment.path, err)
		}
		for at := 0; at < len(data); {
			sequence, length, ok := frame(data[at:])
			if !ok {
				at += 1 + resync(data[at+1:])
				continue
			}
			payload := data[at+frameHeader : at+length]
			if sequence > loaded {
				if r, err := decode(string(payload)); err == nil && r.ID == id {
					return r, true, nil
				}
			}
			at += length
		}
	}
	return Record{}, false, nil
}

// before is the sequence number before the spool's first record that is still
// there.
func (s *Spool) before() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.segments) == 0 {
		return s.last
	}
	return s.segments[0].first - 1
}
