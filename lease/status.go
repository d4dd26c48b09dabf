package lease

import (
	"cmp"
	"log/slog"
	"time"

	"waybill/generator"
)

// State is what a keeper is doing.
type State string

// The states of a keeper; see the package comment.
const (
	Starting State = "starting" // no window yet
	Standby  State = "standby"  // no worker is free
	Live     State = "live"     // a window is held and extended
	Degraded State = "degraded" // a window is held, but an authority does not extend it
	Lost     State = "lost"     // the window ended before it was extended or replaced
	Draining State = "draining" // stopping: the window is kept, not extended
	Released State = "released" // given back

	// Parked is a worker's, not a keeper's: its window is not past, and nobody
	// extends it. Its instance crashed, or gave it back ahead of its clock.
	Parked State = "parked"
)

// Status is what an instance tells operators of its lease. Worker, Window and
// Authorities are empty while none is held.
type Status struct {
	Instance
	State       State        `json:"state"`
	Worker      *int         `json:"worker,omitempty"`
	Epoch       int64        `json:"epoch,omitempty"`
	Window      *Span        `json:"window,omitempty"` // the intersection: what may be issued
	Authorities []PartStatus `json:"authorities,omitempty"`
	Error       string       `json:"error,omitempty"` // why it is not live, or what the last request failed with
	Issued      uint64       `json:"issued"`          // IDs by this process
	OffsetMS    *int64       `json:"clock_offset_ms"` // the first authority's clock less this machine's; nil before its first answer
	DaysLeft    float64      `json:"days_left"`       // until the layout's last timestamp

	err error // what Error says
}

// Span is a window for people: from, not including until.
type Span struct {
	From        string  `json:"from"` // RFC 3339, UTC, milliseconds
	Until       string  `json:"until"`
	SecondsLeft float64 `json:"seconds_left"`

	from, until int64
}

// PartStatus is one authority's part of the lease.
type PartStatus struct {
	Name string `json:"name"`
	Span
	Refreshed time.Time `json:"refreshed"`  // the last answer
	RefreshMS float64   `json:"refresh_ms"` // how long it took
	Error     string    `json:"error,omitempty"`
}

func span(w generator.Window) Span {
	return Span{From: stamp(w.From), Until: stamp(w.Until), from: w.From, until: w.Until}
}

// Waiting is the status of an instance that its stores have not admitted yet, for
// the reason given: it has no keeper.
func Waiting(self Instance, l generator.Layout, reason error) Status {
	return Status{Instance: self, State: Starting, Error: reason.Error(), DaysLeft: daysLeft(l)}
}

func daysLeft(l generator.Layout) float64 {
	return float64(l.End()-time.Now().UnixMilli()) / float64((24 * time.Hour).Milliseconds())
}

// holds reports whether there is a window in use that has not ended.
func (s *Status) holds() bool {
	return s.Worker != nil && s.Window != nil && s.Window.SecondsLeft > 0
}

// report is the status as others would be told of it.
func (s *Status) report() Report {
	r := Report{State: s.State, Issued: s.Issued, OffsetMS: s.OffsetMS, Err: s.Error}
	for i, p := range s.Authorities {
		if i == 0 {
			r.RefreshMS = p.RefreshMS
		}
		if p.Refreshed.After(r.Time) {
			r.Time = p.Refreshed.UTC().Truncate(time.Millisecond)
		}
	}
	return r
}

// at fills in what is left at now, by the generator's clock.
func (s *Span) at(now int64) { s.SecondsLeft = float64(max(0, s.until-max(now, s.from))) / 1000 }

// current is the state that follows from what is held.
func (c *core) current() (State, error) {
	switch held := c.using; {
	case c.failed != nil:
		return Lost, c.failed
	case c.stopping:
		return Draining, nil
	case held != nil && !held.over(c.now) && !held.lost && held.err() == nil:
		return Live, nil
	case held != nil && !held.over(c.now):
		return Degraded, cmp.Or(held.err(), c.search.err)
	case c.search.full:
		return Standby, errNoWorker
	case c.had:
		return Lost, c.search.err
	}
	return Starting, c.search.err
}

// observe notes changes of the state: one line for each, and one a minute while a
// state without a window lasts.
func (c *core) observe() {
	state, err := c.current()
	reason := ""
	if err != nil {
		reason = err.Error()
	}
	before := c.state
	c.state = state
	news := reason != c.notedErr && (c.notedErr == "" || c.now >= c.notedAt+quietTime)
	if state == before && (reason == "" || !news) {
		return
	}
	c.notedErr, c.notedAt = reason, c.now
	level := slog.LevelInfo
	fields := []any{"state", state, "before", before}
	if c.using != nil {
		fields = append(fields, "worker", c.using.worker)
	}
	if reason != "" {
		fields = append(fields, "error", reason)
		if state != Standby {
			level = slog.LevelWarn
		}
	}
	c.do(note{level, fields})
}

// status is a snapshot, for the keeper to complete.
func (c *core) status(names []string) (s Status) {
	state, err := c.current()
	s.State = state
	if err != nil {
		s.Error, s.err = err.Error(), err
	}
	if c.using == nil {
		return s
	}
	w := c.using.window()
	whole := span(w)
	s.Worker, s.Epoch, s.Window = &c.using.worker, w.Epoch, &whole
	for i, p := range c.using.parts {
		part := PartStatus{Name: names[i], Span: span(p.grant.Window), RefreshMS: float64(p.took.Microseconds()) / 1000}
		if p.err != nil {
			part.Error = p.err.Error()
		}
		s.Authorities = append(s.Authorities, part)
	}
	return s
}
