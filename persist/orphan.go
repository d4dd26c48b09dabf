package persist

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"

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
	paths, err := filepath.Glob(filepath.Join(s.dir, "*.segment"))
	if err != nil {
		return errors.Join(err, s.lock.Close())
	}
	sort.Strings(paths)
	for i, path := range paths {
		if err := s.adoptSegment(path, i+1); err != nil {
			for _, segment := range s.segments {
				err = errors.Join(err, segment.file.Close())
			}
			return errors.Join(err, s.lock.Close())
		}
	}
	return nil
}

// adoptSegment reads one segment. What cannot be read in it is reported, and a
// copy of the segment is set aside; the rest is kept.
func (s *Spool) adoptSegment(path string, ordinal int) error {
	segment, h, found, err := openSegment(path, ordinal)
	if err != nil {
		return err
	}
	if segment.empty() {
		return segment.remove()
	}
	if h != (header{}) && (h.space != s.options.Space || h.layout != s.layout) {
		return errors.Join(fmt.Errorf("%s belongs to number space %s, this one is %s: load it where it belongs", path, h.space, s.options.Space),
			segment.file.Close())
	}
	if expected := s.last + 1; segment.first != expected && s.last != 0 {
		found = append(found, damage{path, 0, 0, fmt.Sprintf("records %d to %d are missing before it", expected, segment.first-1)})
	}
	for _, d := range found {
		s.options.Log.Error("spool damaged", "spool", s.id, "file", d.path, "at", d.at, "bytes", d.bytes, "what", d.what)
	}
	if found != nil {
		if err := setAside(path, filepath.Join(s.options.Dir, "damaged"), s.id); err != nil {
			return errors.Join(err, segment.file.Close())
		}
	}
	s.segments = append(s.segments, segment)
	s.last = segment.last
	return nil
}

// setAside gives a damaged segment a second name, which outlives its loading.
func setAside(path, dir string, spool uuid.UUID) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	err := os.Link(path, filepath.Join(dir, spool.String()+"-"+filepath.Base(path)))
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return err
}
