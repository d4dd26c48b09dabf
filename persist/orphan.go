package persist

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"waybill/internal/disk"

	"github.com/google/uuid"
)

// Orphans returns the spools in o.Dir that no process holds any more: what a
// crash, or a stop while the database was away, left behind. They take no
// records; a [Loader] empties them. Those it cannot open are in the error, by
// name; they are left as they are.
func Orphans(o Options) (orphans []*Spool, err error) {
	entries, err := os.ReadDir(o.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("persist: spools: %w", err)
	}
	var errs []error
	for _, entry := range entries {
		id, err := uuid.Parse(entry.Name())
		if err != nil || !entry.IsDir() {
			continue
		}
		s := newSpool(o, id)
		switch err := s.adopt(); {
		case errors.Is(err, disk.ErrLocked):
		case err != nil:
			errs = append(errs, fmt.Errorf("persist: spool %s: %w", s.dir, err))
		default:
			orphans = append(orphans, s)
		}
	}
	return orphans, errors.Join(errs...)
}

// adopt locks the spool's folder and reads its segments.
func (s *Spool) adopt() (err error) {
	if s.lock, err = disk.Lock(s.dir); err != nil {
		return err
	}
	s.failed = ErrSpoolClosed
	entries, err := os.ReadDir(s.dir) // sorted, and so in order
	if err != nil {
		return errors.Join(err, s.lock.Close())
	}
	var paths []string
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), segmentSuffix) {
			paths = append(paths, filepath.Join(s.dir, entry.Name()))
		}
	}
	for i, path := range paths {
		last := i == len(paths)-1 || i == len(paths)-2 && unused(paths[i+1])
		if err := s.adoptSegment(path, last); err != nil {
			for _, segment := range s.segments {
				err = errors.Join(err, segment.file.Close())
			}
			return errors.Join(err, s.lock.Close())
		}
	}
	return nil
}

// adoptSegment reads one segment. What cannot be read in it is reported, and the
// segment is set aside; the rest is kept. Only the last one that was
// begun can be torn.
func (s *Spool) adoptSegment(path string, last bool) error {
	segment, h, found, err := openSegment(path)
	if err != nil {
		return err
	}
	if segment.torn > 0 && !last {
		found = append(found, damage{segment.size, segment.torn, "an end that cannot be read"})
	} else if segment.torn > 0 {
		s.options.Log.Warn("spool torn at its end", "spool", s.id, "file", path, "at", segment.size, "bytes", segment.torn)
	}
	if segment.empty() {
		return errors.Join(s.report(segment, found), segment.remove()) // damage has a second name by now
	}
	if h != (header{}) && (h.space != s.options.Space || h.layout != s.layout) {
		return errors.Join(fmt.Errorf("%s belongs to number space %s, this one is %s: load it where it belongs", path, h.space, s.options.Space),
			segment.file.Close())
	}
	if expected := s.last + 1; segment.first != expected && s.last != 0 {
		found = append(found, damage{0, 0, fmt.Sprintf("records %d to %d are missing before it", expected, segment.first-1)})
	}
	if err := s.report(segment, found); err != nil {
		return errors.Join(err, segment.file.Close())
	}
	s.segments = append(s.segments, segment)
	s.last = segment.last
	return nil
}

// unused reports whether the segment at path was prepared and never begun.
func unused(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // it was only read
	var start [len(segmentMagic)]byte
	_, err = io.ReadFull(f, start[:])
	return err != nil || start == [len(segmentMagic)]byte{}
}

// report tells of a segment's damage, once, and sets the segment aside.
func (s *Spool) report(segment *segment, found []damage) error {
	if found == nil || segment.damaged {
		return nil
	}
	segment.damaged = true
	for _, d := range found {
		s.options.Log.Error("spool damaged", "spool", s.id, "file", segment.path, "at", d.at, "bytes", d.bytes, "what", d.what)
	}
	return setAside(segment.path, filepath.Join(s.options.Dir, "damaged"), s.id)
}

// setAside gives a damaged segment a second name, which outlives its loading.
func setAside(path, dir string, spool uuid.UUID) error {
	if err := disk.MakeDir(dir); err != nil {
		return err
	}
	err := os.Link(path, filepath.Join(dir, spool.String()+"-"+filepath.Base(path)))
	if err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return disk.SyncDir(dir)
}
