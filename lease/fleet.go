package lease

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"waybill/generator"
)

// Fleet is who holds what in a number space, as the authorities know it and the
// instance that was asked.
type Fleet struct {
	Space       string    `json:"space"`
	Authorities string    `json:"authorities"`
	Time        time.Time `json:"time"`
	DaysLeft    float64   `json:"days_left"` // until the layout's last timestamp
	Workers     Workers   `json:"workers"`
	Instances   []Member  `json:"instances"` // by worker, and after them those without one
	Problems    []string  `json:"problems"`  // what could not be found out
}

// Workers counts the worker IDs of a space. The first authority that answered
// decides who holds: nobody can issue, or extend, without its part.
type Workers struct {
	Total  int `json:"total"`
	Held   int `json:"held"`
	Free   int `json:"free"`
	Parked int `json:"parked"` // see the state
}

// Member is an instance, or a worker that is parked. Instance is empty when
// nobody knows whose the worker was.
type Member struct {
	Instance
	Worker  *int         `json:"worker,omitempty"`
	Epoch   int64        `json:"epoch,omitempty"` // of the instance that was asked
	Windows []MemberPart `json:"windows"`
	Report

	held bool
}

// MemberPart is one authority's window.
type MemberPart struct {
	Name string `json:"name"`
	Span
}

// lookLimit bounds Fleet.
const lookLimit = 2 * time.Second

// Fleet asks all authorities who holds what. An authority that cannot be asked is
// a problem, and the rest is told all the same.
func (k *Keeper) Fleet(ctx context.Context) Fleet {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	select {
	case k.looking <- struct{}{}: // one at a time: those who look must not crowd out refreshes
		defer func() { <-k.looking }()
	case <-ctx.Done():
	}
	looks := make([]look, len(k.authorities))
	var asking sync.WaitGroup
	for i, a := range k.authorities {
		asking.Go(func() {
			holders, err := a.Holders(ctx)
			looks[i] = look{a.Name(), holders, err}
		})
	}
	asking.Wait()
	return k.space.fleet(k.Status(), looks, time.Now())
}

// look is what an authority answered.
type look struct {
	name    string
	holders Holders
	err     error
}

func (l look) problem() string {
	err := l.err
	if errors.Is(err, context.DeadlineExceeded) {
		return l.name + ": cannot be asked: no answer within " + lookLimit.String()
	}
	if failed, ok := errors.AsType[*StoreError](err); ok {
		err = failed.Err
	}
	return l.name + ": cannot be asked: " + err.Error()
}

// fleet puts together what the authorities told and what the instance that was
// asked knows of itself.
func (s Space) fleet(own Status, looks []look, now time.Time) Fleet {
	f := Fleet{
		Space: s.ID, Authorities: s.Authorities, Time: now.UTC().Truncate(time.Millisecond),
		DaysLeft: own.DaysLeft, Workers: Workers{Total: 1 << s.WorkerBits}, Problems: []string{},
	}
	workers := members{}
	answers := 0
	for _, l := range looks {
		if l.err != nil {
			f.Problems = append(f.Problems, l.problem())
			workers.remember(own, l.name)
			continue
		}
		for _, h := range l.holders.Windows {
			workers.of(h.Worker).add(l.name, h, l.holders.Now, answers == 0)
		}
		answers++
	}
	if own.holds() {
		workers.of(*own.Worker).become(own)
	}
	for _, m := range workers {
		m.settle(answers)
		if m.held {
			f.Workers.Held++
		} else {
			f.Workers.Parked++
		}
		f.Instances = append(f.Instances, *m)
	}
	f.Workers.Free = f.Workers.Total - f.Workers.Held - f.Workers.Parked
	f.Instances = append(f.Instances, waiting(f.Instances, own, looks)...)
	slices.SortStableFunc(f.Instances, byWorker)
	return f
}

// waiting lists the instances without a worker, each once.
func waiting(holding []Member, own Status, looks []look) (list []Member) {
	type name struct {
		instance string
		since    int64
	}
	seen := map[name]bool{}
	isNew := func(i Instance) bool {
		n := name{i.Name, i.Since.UnixMilli()}
		was := seen[n]
		seen[n] = true
		return !was
	}
	for _, m := range holding {
		if m.held {
			isNew(m.Instance)
		}
	}
	if !own.holds() && isNew(own.Instance) {
		list = append(list, Member{Instance: own.Instance, Windows: []MemberPart{}, Report: own.report()})
	}
	for _, l := range looks {
		for _, h := range l.holders.Standby {
			if isNew(h.Instance) {
				list = append(list, Member{Instance: h.Instance, Windows: []MemberPart{}, Report: h.Report})
			}
		}
	}
	return list
}

func byWorker(a, b Member) int {
	switch {
	case a.Worker != nil && b.Worker != nil:
		return cmp.Compare(*a.Worker, *b.Worker)
	case a.Worker != nil:
		return -1
	case b.Worker != nil:
		return 1
	}
	return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Name, b.Name))
}

// members are the workers with a window that is not past.
type members map[int]*Member

func (m members) of(worker int) *Member {
	if m[worker] == nil {
		m[worker] = &Member{Worker: &worker, Windows: []MemberPart{}}
	}
	return m[worker]
}

// remember adds what the instance itself knows of an authority that cannot be
// asked.
func (m members) remember(own Status, authority string) {
	if !own.holds() {
		return
	}
	for _, p := range own.Authorities {
		if p.Name == authority && p.SecondsLeft > 0 {
			w := m.of(*own.Worker)
			w.Windows = append(w.Windows, MemberPart{p.Name, p.Span})
		}
	}
}

// add notes what an authority, whose clock is at now, knows of the worker.
func (m *Member) add(authority string, h Holder, now int64, decides bool) {
	w := span(generator.Window{From: h.From, Until: h.Until})
	w.at(now)
	m.Windows = append(m.Windows, MemberPart{authority, w})
	m.held = m.held || decides && h.Held
	if m.Name == "" {
		m.Instance = h.Instance
	}
	if m.Name == h.Instance.Name && m.Since.Equal(h.Instance.Since) && h.Report.Time.After(m.Time) {
		m.Report = h.Report
	}
}

// become puts what the instance knows of itself in place of its last report.
func (m *Member) become(own Status) {
	m.Instance, m.Epoch, m.Report, m.held = own.Instance, own.Epoch, own.report(), true
}

// settle decides the state: an instance reports it before its request is
// answered, and a dead one not at all.
func (m *Member) settle(answers int) {
	switch {
	case !m.held:
		m.State, m.Err = Parked, ""
	case (m.State == Starting || m.State == Standby) && len(m.Windows) == answers:
		m.State, m.Err = Live, ""
	}
}
