package lease

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// lockFile opens path and locks it for this process until it is closed or the
// process ends, however it ends. The error names the process that holds it.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(path)
		closed := f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("in use by process %s: stop it, or give this one a DATA_DIR of its own", strings.TrimSpace(string(holder)))
		}
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), closed)
	}
	if err := f.Truncate(0); err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// replaceFile makes data the content of path, whole and on the disk when it
// returns nil; otherwise the old content stands, or the new one.
func replaceFile(path string, data []byte) error {
	temporary := path + ".new"
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// pinned is the wall clock as it was at the start, carried on by the monotonic
// one: it never steps back, and catches up with the machine's clock when that is
// ahead, as after a suspension.
type pinned struct{ start, wall time.Time }

func pin() pinned { return pinned{start: time.Now(), wall: wallClock()} }

// now is the Unix millisecond.
func (p *pinned) now() int64 {
	carried := p.wall.Add(time.Since(p.start))
	if wall := wallClock(); wall.After(carried) {
		*p = pin()
		return p.wall.UnixMilli()
	}
	return carried.UnixMilli()
}
