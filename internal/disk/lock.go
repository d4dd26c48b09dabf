package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// ErrLocked is wrapped by Lock when another process holds the folder.
var ErrLocked = errors.New("in use")

// HolderName is the file in a locked folder that names its holder, for people.
const HolderName = "lock"

// Lock takes dir for this process until the returned file is closed or the
// process ends, however it ends. What is locked is the folder itself: no file in
// it can be deleted to get round that. The error names the process that holds it.
func Lock(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	holder := filepath.Join(dir, HolderName)
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		process, _ := os.ReadFile(holder)
		closed := f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w by process %s", ErrLocked, strings.TrimSpace(string(process)))
		}
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), closed)
	}
	if err := os.WriteFile(holder, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
