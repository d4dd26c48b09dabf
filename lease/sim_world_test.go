package lease

import (
	"container/heap"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"waybill/generator"
)

// world is one simulated deployment: instances with real cores and real
// generators, two Redis nodes, Postgres, and a network, on one virtual clock.
// Everything that happens follows from its seed.
type world struct {
	rand  *rand.Rand
	plan  plan
	now   time.Duration // true time since the start
	queue queue
	order int

	nodes      [2]*node
	primary    int
	promotions int
	postgres   *postgresTwin
	backup     *postgresTwin
	database   clock
	pgDown     bool
	outages    int

	instances []*instance
	check     checks
	trace     []string
	quiet     bool // the faults are over
	scale     scale
}

// plan is what a seed is about: the space's authorities, and who may break its
// word. Uniqueness is promised as long as one of two stores keeps it, or, in a
// space of Redis alone, under the assumptions of the guarantees page.
type plan struct {
	authorities  string // ByRedis or ByRedisAndPostgres or ByPostgres
	replicas     int    // that confirm, in a redis space
	splitBrain   bool   // the old primary goes on beside the new one
	forgetful    bool   // Redis loses memory, fails over
	redisClocks  bool   // large steps of Redis's clocks
	restores     bool   // Postgres comes back from an old backup
	networkLoss  float64
	pauses       bool
	machineClock bool // large steps of the instances' clocks
}

// scale is the protocol's lengths, in milliseconds.
type scale struct{ window, claim, slack, skew int64 }

const (
	simWorkers = 1 << simWorkerBits
	// few workers, so that instances meet
	simWorkerBits = 2
	simEpoch      = int64(1_767_225_600_000)
	simStart      = simEpoch + 30*24*3600_000
)

var errNetwork = errors.New("no answer in time")

func newWorld(seed uint64) *world {
	w := &world{rand: rand.New(rand.NewPCG(seed, 1)), scale: scale{window: 2000, claim: 12_000, slack: 1000, skew: 500}}
	w.plan = choosePlan(w.rand)
	w.check.init(w)
	for i := range w.nodes {
		w.nodes[i] = &node{redisTwin: newRedisTwin(fmt.Sprintf("run%d.0", i)), up: true, attached: i == 1}
		w.nodes[i].exists, w.nodes[i].space = true, "s"
		w.nodes[i].offset = w.rand.Int64N(w.scale.slack/2) - w.scale.slack/4
	}
	w.postgres = newPostgresTwin("s")
	w.backup = w.postgres.clone()
	w.database.offset = w.rand.Int64N(200) - 100
	for i := range 2 + w.rand.IntN(5) {
		w.instances = append(w.instances, w.newInstance(i))
	}
	return w
}

func choosePlan(r *rand.Rand) plan {
	p := plan{
		networkLoss:  []float64{0, 0.02, 0.1, 0.3}[r.IntN(4)],
		pauses:       r.IntN(2) == 0,
		machineClock: r.IntN(3) == 0,
		forgetful:    r.IntN(4) > 0,
		redisClocks:  r.IntN(3) == 0,
	}
	switch r.IntN(5) {
	case 0, 1:
		p.authorities = ByRedis
		p.splitBrain = p.forgetful && r.IntN(2) == 0
		if p.splitBrain {
			p.replicas = 1
		}
	case 4:
		p.authorities = ByPostgres
	default:
		p.authorities = ByRedisAndPostgres
		p.splitBrain = p.forgetful && r.IntN(2) == 0
		if r.IntN(3) == 0 { // then Redis has to keep its word, and its quarantine is not there to help
			p.restores, p.forgetful, p.splitBrain, p.redisClocks = true, false, false, false
		}
	}
	return p
}

// clock is a wall clock that is off by offset milliseconds and may step.
type clock struct{ offset int64 }

func (w *world) read(c clock) int64 { return simStart + w.now.Milliseconds() + c.offset }

// node is a Redis server.
type node struct {
	*redisTwin
	clock
	up       bool
	attached bool // replicates the other node
	runs     int
}

// at runs do at a time after now.
func (w *world) at(after time.Duration, do func()) {
	w.order++
	heap.Push(&w.queue, item{w.now + max(0, after), w.order, do})
}

// run lets the virtual clock go on to end.
func (w *world) run(end time.Duration) {
	for len(w.queue) > 0 && w.queue[0].at <= end && w.check.violation == "" {
		next := heap.Pop(&w.queue).(item)
		w.now = next.at
		next.do()
	}
	w.now = end
}

func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%9s ", w.now)+fmt.Sprintf(format, args...))
	if len(w.trace) > 400 {
		w.trace = w.trace[200:]
	}
}

// latency is how long a message takes.
func (w *world) latency() time.Duration {
	if !w.quiet && w.rand.IntN(50) == 0 {
		return time.Duration(w.rand.IntN(1500)) * time.Millisecond
	}
	return time.Duration(100+w.rand.IntN(3000)) * time.Microsecond
}

// lost reports whether a message is dropped.
func (w *world) lost() bool { return !w.quiet && w.rand.Float64() < w.plan.networkLoss }

// send delivers a request and its answer, each of which may be lost, late or
// double. reply is called once for each answer that comes.
func (w *world) send(reachable func() bool, serve func() any, reply func(any)) {
	deliver := func() {
		w.at(w.latency(), func() {
			if !reachable() {
				return
			}
			result := serve()
			if w.lost() {
				return
			}
			back := func() { w.at(w.latency(), func() { reply(result) }) }
			back()
			if !w.quiet && w.rand.IntN(30) == 0 {
				back()
			}
		})
	}
	if w.lost() {
		return
	}
	deliver()
	if !w.quiet && w.rand.IntN(30) == 0 {
		deliver()
	}
}

// replicate takes the primary's memory to the other node, some time later.
func (w *world) replicate(from int) {
	other := w.nodes[1-from]
	if !other.attached || !w.nodes[from].up || !other.up {
		return
	}
	memory := w.nodes[from].clone()
	w.at(time.Duration(w.rand.IntN(400))*time.Millisecond, func() {
		if other.attached && other.up && w.primary == from {
			other.copyFrom(memory)
		}
	})
}

type item struct {
	at    time.Duration
	order int
	do    func()
}

type queue []item

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(item)) }
func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

func simLayout() generator.Layout {
	l, err := generator.NewLayout(simWorkerBits, 12, time.UnixMilli(simEpoch))
	if err != nil {
		panic(err)
	}
	return l
}
