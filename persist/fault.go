package persist

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"syscall"
)

// caught turns a memory fault, which is how a mapped file reports a failing
// disk, into the spool's failure.
func (s *Spool) caught(err *error, old bool) {
	debug.SetPanicOnFault(old)
	switch p := recover().(type) {
	case nil:
	case interface {
		runtime.Error
		Addr() uintptr
	}:
		s.fail(fmt.Errorf("%w: %w", ErrSpoolFailed, p))
		*err = s.failed
	default:
		panic(p)
	}
}

// fail is final: what the disk did not take may be gone. The mutex is held.
func (s *Spool) fail(err error) {
	if s.failed == nil {
		s.failed = err
		s.synced.fail(err)
		s.options.Log.Error("spool failed", "spool", s.id, "error", err)
	}
}

// refusal is ErrSpoolFull when err is a disk without room, and ErrSpoolFailed
// otherwise.
func refusal(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrSpoolFull, err)
	}
	return fmt.Errorf("%w: %w", ErrSpoolFailed, err)
}
