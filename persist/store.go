package persist

import (
	"context"
	"encoding/json"
	"errors"

	"waybill/generator"

	"github.com/google/uuid"
)

// Store keeps records for ever. Implementations may be called concurrently.
type Store interface {
	// Enter makes this database the given number space's, if it has none yet,
	// and returns the space that it belongs to. The definition is opaque here.
	Enter(ctx context.Context, space uuid.UUID, definition []byte) (uuid.UUID, []byte, error)

	// Progress returns the sequence number up to which a spool's records are
	// stored. A spool that the store has not seen before begins after before.
	Progress(ctx context.Context, spool uuid.UUID, before uint64) (committed uint64, err error)

	// Load stores a batch and moves its spool's progress from First-1 to Last,
	// both or neither. It fails with ErrDuplicate when an ID of the batch is
	// stored already, and with ErrProgress when the progress is not First-1. Any
	// other error leaves open whether the batch was committed: ask Progress.
	Load(ctx context.Context, b Batch) error

	// LoadApart is Load for a batch with duplicates: those are written to
	// issued_conflicts instead, and returned.
	LoadApart(ctx context.Context, b Batch) (conflicts []Conflict, err error)

	// Find returns the stored record of id, ErrNotFound, or ErrAway.
	Find(ctx context.Context, id generator.ID) (Record, error)

	Close() error
}

// What stores refuse with.
var (
	ErrDuplicate = errors.New("persist: an ID is stored already")
	ErrProgress  = errors.New("persist: the spool's progress in the database is not where this batch begins")
	ErrNotFound  = errors.New("persist: no such number")
	ErrAway      = errors.New("persist: the database cannot be asked")
)

// Conflict is an ID that was issued twice: what must never happen.
type Conflict struct {
	Entry
	FirstSpool    uuid.UUID // origin of the record that was stored first
	FirstSequence uint64
}

// The columns of tracking_numbers, in the order in which batches bring them.
const (
	numberColumns = "id, tracking_number, origin_country_id, destination_country_id, weight_grams, order_created_at, " +
		"customer_id, customer_name, customer_slug, issued_at, worker, lease_epoch, spool_id, spool_sequence"
	numberColumnCount = 14
)

// Numbers says what an ID means: stores keep what follows from it, too.
type Numbers struct {
	Layout generator.Layout
	Form   generator.Form
}

// json is the whole record for issued_conflicts.
func (n Numbers) json(e Entry) []byte {
	data, err := json.Marshal(map[string]any{
		"tracking_number": n.Form.Format(e.ID, e.Origin), "destination_country_id": e.Destination.String(),
		"weight_grams": e.Weight, "order_created_at_unix_us": e.OrderedAt, "customer_id": e.CustomerID,
		"customer_name": e.CustomerName, "customer_slug": e.CustomerSlug, "lease_epoch": e.Epoch,
	})
	if err != nil {
		panic(err) // strings and numbers
	}
	return data
}

// apart splits a batch into the entries to store and those whose IDs are known:
// stored before, by the origin that known tells, or earlier in this batch. An
// entry that is itself stored already is neither.
func apart(b Batch, known map[generator.ID]Conflict) (fresh Batch, conflicts []Conflict) {
	fresh = Batch{Spool: b.Spool, First: b.First, Last: b.Last}
	for _, e := range b.Entries {
		first, taken := known[e.ID]
		if taken && first.FirstSpool == b.Spool && first.FirstSequence == e.Sequence {
			continue
		}
		if taken {
			conflicts = append(conflicts, Conflict{Entry: e, FirstSpool: first.FirstSpool, FirstSequence: first.FirstSequence})
			continue
		}
		known[e.ID] = Conflict{FirstSpool: b.Spool, FirstSequence: e.Sequence}
		fresh.Entries = append(fresh.Entries, e)
	}
	return fresh, conflicts
}
