package faults

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// lease is what an instance tells operators of its lease.
type lease struct {
	Instance string `json:"instance"`
	State    string `json:"state"`
	Worker   *int   `json:"worker"`
	Window   *struct {
		From  time.Time `json:"from"`
		Until time.Time `json:"until"`
	} `json:"window"`
	Error string `json:"error"`
}

// window names an acquisition: no two of a process have the same worker and begin.
type window struct {
	worker int
	from   int64 // Unix milliseconds
}

// watch is what was seen of an instance's lease.
type watch struct {
	mu       sync.Mutex
	watched  bool
	started  int // how often it was started again
	acquired []acquisition
	last     lease            // as read last
	read     time.Time        // when
	until    map[window]int64 // the largest end that was told
	states   map[string]bool  // that were seen
}

// begin reports true once.
func (w *watch) begin() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.watched
	w.watched, w.until, w.states = true, map[window]int64{}, map[string]bool{}
	return !was
}

func (w *watch) runs() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.started
}

// again starts a member that has ended. Requests that are sent from here on are those of its new life.
func (m *member) again() {
	m.mu.Lock()
	m.started++
	m.mu.Unlock()
	m.Start()
}

// observe reads an instance's lease until the load ends.
func (f *fleet) observe(m *member) {
	every, log := time.NewTicker(readEvery), time.NewTicker(readLogEvery)
	defer every.Stop()
	defer log.Stop()
	for {
		select {
		case <-f.clients.done:
			return
		case <-every.C:
			if l, ok := f.lease(m); ok {
				m.note(l)
			}
		case <-log.C:
			m.acquisitions()
		}
	}
}

func (f *fleet) lease(m *member) (l lease, ok bool) {
	status, _, body := f.clients.get(m.OpsURL + "/lease")
	return l, status == 200 && json.Unmarshal(body, &l) == nil
}

func (w *watch) note(l lease) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last, w.read = l, time.Now()
	w.states[l.State] = true
	if l.Worker == nil || l.Window == nil {
		return
	}
	key := window{*l.Worker, l.Window.From.UnixMilli()}
	w.until[key] = max(w.until[key], l.Window.Until.UnixMilli())
}

// lastLease is what was read last, the zero lease before.
func (w *watch) lastLease() (lease, time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last, w.read
}

// told is the largest end of each window that was read.
func (w *watch) told() map[window]int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.until)
}

// acquisition is one "lease acquired" in the log.
type acquisition struct {
	window
	until int64 // as granted first
}

// acquisitions returns those of all lives of a member so far. The log that is kept of a process is not long: requests
// are in it too, so it is read from time to time.
func (m *member) acquisitions() []acquisition {
	log := m.Output()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range readLog(log) {
		if !slices.Contains(m.acquired, a) {
			m.acquired = append(m.acquired, a)
		}
	}
	return slices.Clone(m.acquired)
}

// readLog passes over what it cannot read: the first line that was kept may be torn.
func readLog(log string) (list []acquisition) {
	for line := range strings.Lines(log) {
		var entry struct {
			Worker      *int
			From, Until time.Time
		}
		if strings.Contains(line, `"msg":"lease acquired"`) && json.Unmarshal([]byte(line), &entry) == nil && entry.Worker != nil {
			list = append(list, acquisition{window{*entry.Worker, entry.From.UnixMilli()}, entry.Until.UnixMilli()})
		}
	}
	return list
}
