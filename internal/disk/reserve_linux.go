package disk

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Reserve gives f size bytes of disk space, so that writing them cannot fail
// for want of space. File systems that cannot reserve get a file of that size.
func Reserve(f *os.File, size int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, 0, size)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EOPNOTSUPP):
			return f.Truncate(size)
		}
		return os.NewSyscallError("fallocate", err)
	}
}
