package persist

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"

	"waybill/internal/disk"

	"github.com/google/uuid"
)

// Ack says when a record counts as safe, and Append returns.
type Ack string

// The modes of RECORD_ACK.
const (
	AckMemory   Ack = "memory"   // at once; as safe as AckSpool, since spools are mapped memory (ADR 5)
	AckSpool    Ack = "spool"    // with the kernel: survives kill -9
	AckFsync    Ack = "fsync"    // on the disk: survives a power cut
	AckDatabase Ack = "database" // in the database: survives the loss of the disk
)

// What Append refuses with.
var (
	ErrSpoolFull   = errors.New("persist: the spool has no room")
	ErrSpoolFailed = errors.New("persist: the spool's disk failed")
	ErrSpoolClosed = errors.New("persist: the spool is closed")
)

// Options of a spool.
type Options struct {
	Dir         string // of all spools: each has a folder of its own in it
	Space       uuid.UUID
	Layout      string // describes what an ID's bits mean; another one's spools are refused
	Ack         Ack
	Limit       int64 // bytes of all segments together, with those of Beside
	Beside      []*Spool
	SegmentSize int64 // bytes; a multiple of the page size
	Log         *slog.Logger
}

// Spool is the bounded, ordered, crash-safe log of one process's records on
// their way to the database. Its methods may be called concurrently.
type Spool struct {
	options Options
	id      uuid.UUID
	dir     string
	lock    *os.File
	layout  uint64

	mu       sync.Mutex
	segments []*segment // oldest first
	active   *segment   // the last of segments; nil in a spool that takes no more
	next     *segment   // prepared to follow it
	nextErr  error      // why there is none
	changed  chan struct{}
	sealing  []*segment // left behind by a roll, still mapped
	ordinal  int        // of the last segment made
	last     uint64     // sequence number of the last record; the first is 1
	failed   error

	synced watermark // on the disk
	loaded watermark // in the database

	wantSegment chan struct{} // each of capacity one: a note to a loop
	wantSync    chan struct{}
	appended    chan struct{}

	sync func(m disk.Mapping, from, to int64) error // disk.Mapping.Sync; a test lets it fail
}

// NewSpool begins a spool in a folder of its own. On a full disk it begins
// without a segment, refuses records, and tries again while it runs.
func NewSpool(o Options) (*Spool, error) {
	s := newSpool(o, uuid.New())
	if err := disk.MakeDir(s.dir); err != nil {
		return nil, fmt.Errorf("persist: spool: %w", err)
	}
	lock, err := disk.Lock(s.dir)
	if err != nil {
		return nil, fmt.Errorf("persist: spool %s: %w", s.dir, err)
	}
	s.lock = lock
	if s.prepareSegment() {
		s.use(s.next)
		s.next = nil
	} else if !errors.Is(s.nextErr, ErrSpoolFull) {
		return nil, errors.Join(fmt.Errorf("persist: spool: %w", s.nextErr), s.Close())
	} else {
		notify(s.wantSegment)
	}
	return s, nil
}

func newSpool(o Options, id uuid.UUID) *Spool {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(o.Layout)) // never fails
	return &Spool{
		options: o, id: id, dir: filepath.Join(o.Dir, id.String()), layout: hash.Sum64(),
		changed:     make(chan struct{}),
		wantSegment: make(chan struct{}, 1), wantSync: make(chan struct{}, 1), appended: make(chan struct{}, 1),
		sync: disk.Mapping.Sync,
	}
}

// ID names the spool for ever: a record's origin is its spool and sequence
// number.
func (s *Spool) ID() uuid.UUID { return s.id }

// Append records r, and returns when it is as safe as the spool's Ack promises.
// After an error r may or may not be recorded; it must not be answered. When
// ctx ends while waiting for the disk or the database, r stays recorded.
func (s *Spool) Append(ctx context.Context, r *Record) error {
	if len(r.CustomerName) > MaxText || len(r.CustomerSlug) > MaxText {
		return errTooLong
	}
	sequence, err := s.put(r)
	for errors.Is(err, errNoSegment) {
		if err := s.awaitSegment(ctx); err != nil {
			return err
		}
		sequence, err = s.put(r)
	}
	if err != nil {
		return err
	}
	notify(s.appended)
	switch s.options.Ack {
	case AckFsync:
		notify(s.wantSync)
		return s.synced.wait(ctx, sequence)
	case AckDatabase:
		return s.loaded.wait(ctx, sequence)
	}
	return nil
}

// errNoSegment: the active segment is full and its successor is not ready.
var errNoSegment = errors.New("persist: no segment is ready")

// put copies r's frame into the mapped segment: with that, the kernel has it.
func (s *Spool) put(r *Record) (sequence uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return 0, s.failed
	}
	defer s.caught(&err, debug.SetPanicOnFault(true))
	if s.active == nil || int64(len(s.active.mapping))-s.active.size < maxFrame {
		if s.next == nil {
			return 0, errNoSegment
		}
		if s.active != nil {
			s.sealing = append(s.sealing, s.active)
		}
		s.use(s.next)
		s.next = nil
		notify(s.wantSync)
	}
	a := s.active
	n := putFrame(a.mapping[a.size:], s.last+1, r)
	s.last++
	a.last = s.last
	a.note(a.size, r.ID)
	a.size += int64(n)
	if half := int64(len(a.mapping)) / 2; a.size > half && a.size-int64(n) <= half {
		notify(s.wantSegment)
	}
	return s.last, nil
}

// use makes a prepared segment the active one.
func (s *Spool) use(next *segment) {
	next.begin(header{space: s.options.Space, spool: s.id, layout: s.layout, first: s.last + 1})
	s.segments = append(s.segments, next)
	s.active = next
}

// awaitSegment returns when a segment may be ready, and an error when none can
// be had.
func (s *Spool) awaitSegment(ctx context.Context) error {
	s.mu.Lock()
	ready, err, changed := s.next != nil, s.nextErr, s.changed
	s.mu.Unlock()
	if ready {
		return nil
	}
	if err != nil {
		return err
	}
	notify(s.wantSegment)
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Ready returns nil while records can be appended and the next segment can be
// made; it says no before Append has to.
func (s *Spool) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.failed, s.nextErr)
}

// Last is the sequence number of the last record; 0 before the first.
func (s *Spool) Last() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// Loaded is the sequence number up to which all records are in the database.
func (s *Spool) Loaded() uint64 { return s.loaded.get() }

// notify leaves a note in a channel of capacity one.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
