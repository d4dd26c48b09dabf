package lease

import "errors"

// StoreError is a failure of a store itself: it could not be asked, or did not
// answer. Whether what was asked took place is open.
type StoreError struct {
	Store string // redis or postgres
	Err   error
}

// Error implements error; it may tell addresses.
func (e *StoreError) Error() string { return "lease: " + e.Store + ": " + e.Err.Error() }

// Unwrap implements the interface of errors.Is and As.
func (e *StoreError) Unwrap() error { return e.Err }

// Public is what the world may know of an error: not where a store is.
func Public(err error) string {
	if e, ok := errors.AsType[*StoreError](err); ok {
		return e.Store + " cannot be reached"
	}
	return err.Error()
}
