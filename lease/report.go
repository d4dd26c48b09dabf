package lease

import "time"

// Status is the keeper's state at this moment.
func (k *Keeper) Status() Status {
	k.mu.Lock()
	s := k.status
	s.OffsetMS = k.offset
	s.Authorities = append([]PartStatus(nil), s.Authorities...)
	for i := range s.Authorities {
		s.Authorities[i].Refreshed = k.answered[s.Authorities[i].Name]
	}
	k.mu.Unlock()

	now := k.generator.Now()
	for i := range s.Authorities {
		s.Authorities[i].at(now)
	}
	if s.Window != nil {
		w := *s.Window // the snapshot's own stays as it is
		w.at(now)
		s.Window = &w
	}
	s.Instance, s.Issued = k.self, k.issued()
	s.DaysLeft = daysLeft(k.generator.Layout())
	return s
}

// report is what goes to the others with a refresh.
func (k *Keeper) report(authority string) Report {
	s := k.Status()
	r := Report{State: s.State, Time: time.Now().UTC().Truncate(time.Millisecond), Issued: s.Issued, OffsetMS: s.OffsetMS, Err: s.Error}
	for _, p := range s.Authorities {
		if p.Name == authority {
			r.RefreshMS = p.RefreshMS
		}
	}
	return r
}
