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
	simSeeds = flag.Int("sim.seeds", 200, "simulated deployments")
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

// As many instances as workers, and Redis forgets everything: each instance may
// pause for a new acquisition when its window ends, and no longer, though every
// worker is claimed in Postgres for a long time to come.
func TestAnEmptiedRedisStallsNobody(t *testing.T) {
	w := &world{
		rand: rand.New(rand.NewPCG(1, 1)), plan: plan{authorities: ByRedisAndPostgres, forgetful: true},
		scale: scale{window: 2000, claim: 600_000, slack: 1000, skew: 500}, postgres: newPostgresTwin("s"), quiet: true,
	}
	w.check.init(w)
	w.nodes = [2]*node{{redisTwin: newRedisTwin("a"), up: true}, {redisTwin: newRedisTwin("b"), up: true, attached: true}}
	for i := range simWorkers {
		w.instances = append(w.instances, w.newInstance(i))
	}
	w.run(20 * time.Second)
	w.nodes[0].flush()
	away := map[int]time.Duration{}
	const look = 10 * time.Millisecond
	for w.now < 40*time.Second {
		w.run(w.now + look)
		for _, i := range w.instances {
			if i.generator.Ready() != nil {
				away[i.id] += look
			}
		}
	}
	for id, gap := range away {
		if gap > 1500*time.Millisecond {
			t.Errorf("instance %d issued nothing for %s", id, gap)
		}
	}
	if w.check.violation != "" || len(w.idle()) > 0 {
		t.Error(w.check.violation, w.idle())
	}
	t.Log(away)
}
