package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// Mapping is a file's beginning as memory: what is copied into it is the
// kernel's from that moment, and outlives the process. A failing disk, or a
// file that somebody cut short, raises a memory fault at the access
// (runtime/debug.SetPanicOnFault).
type Mapping []byte

// Map maps size bytes of f for reading and writing.
func Map(f *os.File, size int64) (Mapping, error) {
	m, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return m, os.NewSyscallError("mmap", err)
}

// Sync returns when the bytes [from, to) are on the disk. An error is
// final: the kernel may have dropped what it could not write.
func (m Mapping) Sync(from, to int64) error {
	if from >= to {
		return nil // and msync refuses an empty stretch
	}
	page := int64(os.Getpagesize())
	return os.NewSyscallError("msync", unix.Msync(m[from/page*page:to], unix.MS_SYNC))
}

// Unmap ends the mapping; it must not be touched afterwards.
func (m Mapping) Unmap() error { return os.NewSyscallError("munmap", unix.Munmap(m)) }
