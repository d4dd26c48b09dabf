package lease

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	simSeeds = flag.Int("sim.seeds", 300, "simulated deployments")
	simSeed  = flag.Uint64("sim.seed", 0, "simulate this one seed, with its story")
	simFrom  = flag.Uint64("sim.from", 0, "the first seed; 0: a random one")
)

// The simulated times: faults, and the peace in which everybody must recover.
const (
	simFaults = 60 * time.Second
	simPeace  = 40 * time.Second
)

// simulate runs one deployment and returns what went wrong, "" if nothing.
func simulate(seed uint64) (w *world, violation string) {
	w = newWorld(seed)
	w.at(time.Second, w.misfortune)
	w.run(simFaults)
	w.peace()
	w.run(simFaults + simPeace)
	if w.check.violation != "" {
		return w, w.check.violation
	}
	return w, w.idle()
}

// idle returns who should hold a worker after the peace and does not.
func (w *world) idle() string {
	live, able, states := 0, 0, []string{}
	for _, i := range w.instances {
		if i.space != "s" {
			continue
		}
		able++
		state, err := i.core.current()
		if i.alive && i.generator.Ready() == nil {
			live++
		}
		states = append(states, fmt.Sprintf("instance %d: alive %t, %s, %v, generator: %v", i.id, i.alive, state, err, i.generator.Ready()))
	}
	if live < min(able, simWorkers) {
		return fmt.Sprintf("liveness: %d of %d are live:\n%s", live, min(able, simWorkers), strings.Join(states, "\n"))
	}
	return ""
}

func TestSimulation(t *testing.T) {
	if *simSeed != 0 {
		w, violation := simulate(*simSeed)
		t.Logf("plan %+v\n%s", w.plan, strings.Join(w.trace, "\n"))
		if violation != "" {
			t.Error(violation)
		}
		return
	}
	first := *simFrom
	if first == 0 {
		first = rand.Uint64N(1 << 40)
	}
	var next, ids atomic.Int64
	var mu sync.Mutex
	failed := 0
	plans := map[string]int{}
	var workers sync.WaitGroup
	start := time.Now()
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for {
				n := next.Add(1) - 1
				if n >= int64(*simSeeds) {
					return
				}
				seed := first + uint64(n)
				w, violation := simulate(seed)
				ids.Add(int64(w.check.ids))
				mu.Lock()
				plans[w.plan.authorities]++
				if violation != "" {
					if failed++; failed <= 3 {
						t.Errorf("seed %d (go test ./lease -run TestSimulation -sim.seed=%d): %s\nplan %+v", seed, seed, violation, w.plan)
					}
					next.Store(int64(*simSeeds)) // enough is known
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	t.Logf("seeds %d to %d in %s: %d stamps looked at, spaces %v", first, first+uint64(*simSeeds)-1, time.Since(start).Round(time.Second), ids.Load(), plans)
	if failed == 0 && ids.Load() < int64(*simSeeds)*100 {
		t.Errorf("only %d stamps: nothing was simulated", ids.Load())
	}
}
