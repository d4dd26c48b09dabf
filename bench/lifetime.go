package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
)

// lifetime is what the servers of package testenv belong to: a stretch of the
// benchmark in the place of a test. What is registered with Cleanup is undone
// at its end, last first.
type lifetime struct {
	testing.TB // nil: it lends its unexported method. Package testenv uses only what is defined below.

	undo []func()
	errs []error
}

// fatal is what Fatal panics with, to leave the stretch.
type fatal struct{ error }

// within runs do in a lifetime of its own.
func within[T any](do func(*lifetime) (T, error)) (result T, err error) {
	t := &lifetime{}
	defer func() {
		if p := recover(); p != nil {
			f, ok := p.(fatal)
			if !ok {
				t.end()
				panic(p)
			}
			err = f
		}
		err = errors.Join(append([]error{err}, t.end()...)...)
	}()
	return do(t)
}

func (t *lifetime) end() []error {
	for _, undo := range slices.Backward(t.undo) {
		undo()
	}
	t.undo = nil
	return t.errs
}

// Helper does nothing.
func (t *lifetime) Helper() {}

// Cleanup calls undo at the end.
func (t *lifetime) Cleanup(undo func()) { t.undo = append(t.undo, undo) }

// Fatal ends the stretch.
func (t *lifetime) Fatal(args ...any) { panic(fatal{errors.New(fmt.Sprint(args...))}) }

// Fatalf ends the stretch.
func (t *lifetime) Fatalf(format string, args ...any) { panic(fatal{fmt.Errorf(format, args...)}) }

// Errorf lets the stretch fail at its end.
func (t *lifetime) Errorf(format string, args ...any) {
	t.errs = append(t.errs, fmt.Errorf(format, args...))
}

// Failed reports whether the stretch is known to have failed.
func (t *lifetime) Failed() bool { return len(t.errs) > 0 }

// Logf writes to stderr.
func (t *lifetime) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// TempDir makes a folder that is removed at the end.
func (t *lifetime) TempDir() string {
	dir, err := os.MkdirTemp("", "waybill-bench-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove a folder: %v", err)
		}
	})
	return dir
}
