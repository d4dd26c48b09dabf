package persist

import (
	"context"
	"errors"

	"waybill/generator"
)

// State tells how far a record has come.
type State string

// The states of a record.
const (
	Recorded State = "recorded" // in the database
	Pending  State = "pending"  // in a spool on its way there
)

// Lookup finds records wherever they are.
type Lookup struct {
	store  Store
	spools []*Spool
}

// NewLookup looks in the given spools, and then in the store.
func NewLookup(store Store, spools ...*Spool) *Lookup { return &Lookup{store, spools} }

// Find returns the record of id and its state, or ErrNotFound. The spools are
// asked first: a record leaves its spool only once it is in the store.
func (l *Lookup) Find(ctx context.Context, id generator.ID) (Record, State, error) {
	var errs []error
	for _, s := range l.spools {
		r, found, err := s.find(id)
		if found {
			return r, Pending, nil
		}
		errs = append(errs, err)
	}
	r, err := l.store.Find(ctx, id)
	if err == nil {
		return r, Recorded, nil
	}
	if unread := errors.Join(errs...); unread != nil && errors.Is(err, ErrNotFound) {
		err = unread // it may be in what could not be read: that is not "not found"
	}
	return Record{}, "", err
}
