package lease

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"waybill/generator"
)

// Space is what all instances of one number space must agree on: were they to
// differ, their numbers could collide or be misread. Every store that takes part
// keeps it and refuses an instance that differs.
type Space struct {
	ID           string    `json:"id"` // a UUID, made with the space; empty when only the rest is known
	Epoch        time.Time `json:"epoch"`
	WorkerBits   int       `json:"worker_bits"`
	SequenceBits int       `json:"sequence_bits"`
	Form         string    `json:"form"`        // generator.Form.String
	Authorities  string    `json:"authorities"` // file, redis, postgres or redis+postgres
}

// ErrSpace is wrapped by Mismatch.
var ErrSpace = errors.New("another number space")

// NewSpace describes a space without an ID.
func NewSpace(l generator.Layout, f generator.Form, authorities string) Space {
	return Space{Epoch: l.Epoch(), WorkerBits: l.WorkerBits(), SequenceBits: l.SequenceBits(), Form: f.String(), Authorities: authorities}
}

// Mismatch returns an error that names everything in which an instance's
// configuration, configured, differs from the space s as it is stored in the
// named place; nil when they agree. IDs are compared when both are known.
func (s Space) Mismatch(configured Space, place string) error {
	var differ []string
	compare := func(what string, stored, configured any) {
		if stored != configured {
			differ = append(differ, fmt.Sprintf("%s is %v there and %v here", what, stored, configured))
		}
	}
	if s.ID != "" && configured.ID != "" {
		compare("the space's id", s.ID, configured.ID)
	}
	compare("NUMBER_EPOCH", s.Epoch.UTC().Format(time.RFC3339Nano), configured.Epoch.UTC().Format(time.RFC3339Nano))
	compare("WORKER_BITS", s.WorkerBits, configured.WorkerBits)
	compare("SEQUENCE_BITS", s.SequenceBits, configured.SequenceBits)
	compare("the form (SECRET_KEY)", s.Form, configured.Form)
	compare("the lease", s.Authorities, configured.Authorities)
	if differ == nil {
		return nil
	}
	return fmt.Errorf("%w in %s: %s; numbers of the two would collide or be misread: "+
		"configure this instance as the space is, or give it a new one", ErrSpace, place, strings.Join(differ, "; "))
}
