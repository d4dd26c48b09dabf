package lease

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"waybill/generator"

	"github.com/google/uuid"
)

// Space is what all instances of one number space must agree on: were they to
// differ, their numbers could collide or be misread. Every store that takes part
// keeps it and refuses an instance that differs.
type Space struct {
	ID           string    `json:"id"` // a UUID, made with the space; empty when only the rest is known
	Epoch        time.Time `json:"epoch"`
	WorkerBits   int       `json:"worker_bits"`
	SequenceBits int       `json:"sequence_bits"`
	Form         string    `json:"form"`               // generator.Form.String
	Authorities  string    `json:"authorities"`        // file, redis, postgres or redis+postgres
	Window       Duration  `json:"window,omitempty"`   // what a grant of Redis lasts, and its quarantine: LEASE_WINDOW
	Replicas     int       `json:"replicas,omitempty"` // of Redis, that confirm a grant of a redis space
}

// The sets of authorities that a space can have.
const (
	ByFile             = "file"
	ByRedis            = "redis"
	ByPostgres         = "postgres"
	ByRedisAndPostgres = "redis+postgres"
)

// Duration is a time.Duration that reads 60s in JSON.
type Duration time.Duration

// Duration is d as the standard library has it.
func (d Duration) Duration() time.Duration { return time.Duration(d) }

// String is as time.Duration's.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// ErrSpace is wrapped by Mismatch.
var ErrSpace = errors.New("another number space")

// NewSpace describes a space without an ID.
func NewSpace(l generator.Layout, f generator.Form, authorities string) Space {
	return Space{Epoch: l.Epoch(), WorkerBits: l.WorkerBits(), SequenceBits: l.SequenceBits(), Form: f.String(), Authorities: authorities}
}

// spaceNames is the namespace of IDs that follow from a space's definition.
var spaceNames = uuid.MustParse("0ccca0a4-6d1c-4b39-8f31-9ba9a6b4b4a5")

// Derived is the space with the ID that follows from what its numbers mean. A
// space that only Redis knows has such a one: it must survive Redis's memory.
func (s Space) Derived() Space {
	s.ID = ""
	meaning := s
	meaning.Window, meaning.Replicas = 0, 0 // of the protocol, not of the numbers
	s.ID = uuid.NewSHA1(spaceNames, []byte(meaning.definition())).String()
	return s
}

// Numbers is the space without what only the lease protocol needs.
func (s Space) Numbers() Space {
	s.Window, s.Replicas = 0, 0
	return s
}

// definition is the space as the stores keep and compare it.
func (s Space) definition() string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings, numbers and a time
	}
	return string(text)
}

// fenced reports whether Postgres fences whatever Redis may forget.
func (s Space) fenced() bool { return s.Authorities == ByRedisAndPostgres }

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
	compare("the lease (which of REDIS_URL and DATABASE_URL are set)", s.Authorities, configured.Authorities)
	compare("LEASE_WINDOW", s.Window, configured.Window)
	compare("REDIS_REPLICAS", s.Replicas, configured.Replicas)
	if differ == nil {
		return nil
	}
	return fmt.Errorf("%w in %s: %s; numbers of the two would collide or be misread: "+
		"configure this instance as the space is, or give it a new one", ErrSpace, place, strings.Join(differ, "; "))
}
