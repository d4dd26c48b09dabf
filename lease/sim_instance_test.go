package lease

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"waybill/generator"
)

// instance is a process: a real core and a real generator behind a simulated
// network, with a machine's clocks of its own.
type instance struct {
	world *world
	id    int
	space string // differs for one that is configured wrongly

	life      int // counts restarts; what belongs to an earlier one is nothing now
	alive     bool
	paused    bool
	core      *core
	generator *generator.Generator
	route     int // the Redis node it talks to
	cutRedis  bool
	cutPG     bool

	wall    clock
	drift   float64       // of the monotonic clock
	slept   time.Duration // suspended: the monotonic clock stood still
	held    []event       // what came while it was paused
	waking  int
	lastID  generator.ID
	tokens  map[string]Token
	pending map[string]bool // claims whose answer was not seen yet
}

func (w *world) newInstance(id int) *instance {
	i := &instance{world: w, id: id, space: "s", drift: 1 + (w.rand.Float64()-0.5)/500}
	// Configured wrongly: Postgres remembers what is right, an emptied Redis does not.
	if id > 1 && w.rand.IntN(12) == 0 && (w.plan.authorities == ByPostgres || w.plan.authorities == ByRedis && !w.plan.forgetful) {
		i.space = "other"
	}
	i.wall.offset = w.rand.Int64N(100) - 50
	w.at(time.Duration(w.rand.IntN(3000))*time.Millisecond, i.start)
	return i
}

// monotonic is CLOCK_MONOTONIC: it drifts, and stands still in suspension.
func (i *instance) monotonic() time.Duration {
	return time.Duration(float64(i.world.now-i.slept) * i.drift)
}

// bootTime counts suspension too.
func (i *instance) bootTime() time.Duration { return i.monotonic() + i.slept }

func (i *instance) start() {
	w := i.world
	i.life++
	i.alive, i.paused, i.held, i.lastID = true, false, nil, 0
	i.route = w.primary
	i.tokens, i.pending = map[string]Token{}, map[string]bool{}
	i.generator = generator.NewElapsed(simLayout(), i.monotonic)
	var periods []time.Duration
	if w.plan.authorities != ByPostgres {
		periods = append(periods, time.Duration(w.scale.window)*time.Millisecond/10)
	}
	if w.plan.authorities != ByRedis {
		periods = append(periods, time.Duration(w.scale.claim)*time.Millisecond/6)
	}
	i.core = newCore(periods, w.rand)
	w.note("instance %d starts, life %d", i.id, i.life)
	i.step(tick{})
	i.issueLater()
}

// handle takes an event now, or when the pause is over.
func (i *instance) handle(life int, e event) {
	if !i.alive || life != i.life {
		return
	}
	if i.paused {
		i.held = append(i.held, e)
		return
	}
	i.step(e)
}

func (i *instance) step(e event) {
	for queue := []event{e}; len(queue) > 0; queue = queue[1:] {
		for _, effect := range i.core.step(i.bootTime(), queue[0]) {
			if follow := i.do(effect); follow != nil {
				queue = append(queue, follow)
			}
		}
	}
	i.waking++
	waking, life := i.waking, i.life
	wait := i.core.wake() - i.bootTime()
	if wait <= 0 {
		i.world.check.fail("liveness: instance %d has nothing to do and does not wait either: its keeper would spin", i.id)
	}
	i.world.at(max(time.Millisecond, wait), func() {
		if i.alive && life == i.life && waking == i.waking {
			i.handle(life, tick{})
		}
	})
}

func (i *instance) do(e effect) event {
	w := i.world
	switch e := e.(type) {
	case askFree:
		i.call(func(err error) event { return vacancy{e.authority, Vacancy{}, err} }, func(answer func(event)) {
			i.free(e.authority, func(v Vacancy, err error) { answer(vacancy{e.authority, v, err}) })
		})
	case askGrant:
		sent, c := i.bootTime(), e.claim
		respond := func(g Grant, err error) event { return answer{c.Token, e.authority, c.Number, sent, g, err} }
		i.tokens[c.Token.String()] = c.Token
		i.call(func(err error) event { return respond(Grant{}, err) }, func(answer func(event)) {
			i.claim(e.authority, c, func(g Grant, err error) { answer(respond(g, err)) })
		})
	case askTrim:
		i.call(func(err error) event { return trimmed{e.token, e.authority, err} }, func(answer func(event)) {
			i.trim(e.authority, e.worker, e.token, e.until, func(err error) { answer(trimmed{e.token, e.authority, err}) })
		})
	case anchor:
		i.generator.SetClock(e.now)
	case use:
		if last := i.generator.Use(e.window); last > 0 {
			return replaced{last}
		}
	case halt:
		i.generator.Close()
		i.alive = false
		w.note("instance %d halts: %v", i.id, e.err)
		w.check.halted(i, e.err)
	case note:
		w.note("instance %d: %v", i.id, e.fields)
	case announce:
		w.note("instance %d: acquired %v", i.id, e.fields)
	}
	return nil
}

// call asks, and gives up after a while. A late or second answer still reaches
// the core: it must cope.
func (i *instance) call(timeout func(error) event, ask func(answer func(event))) {
	life, answered := i.life, false
	ask(func(e event) {
		answered = true
		i.handle(life, e)
	})
	i.world.at(time.Second, func() {
		if !answered {
			answered = true
			i.handle(life, timeout(errNetwork))
		}
	})
}

// redisIndex is -1 in a space without Redis.
func (w *world) isRedis(authority int) bool {
	return w.plan.authorities != ByPostgres && authority == 0
}

func (i *instance) redis() (reachable func() bool, n func() *node) {
	route := i.route
	return func() bool { return !i.cutRedis && i.world.nodes[route].up }, func() *node { return i.world.nodes[route] }
}

func (i *instance) database() bool { return !i.cutPG && !i.world.pgDown }

func (i *instance) twinCall() twinCall {
	w := i.world
	quarantine := w.scale.slack
	if w.plan.authorities == ByRedisAndPostgres {
		quarantine = 0
	}
	return twinCall{space: i.space, window: w.scale.window, quarantine: quarantine, wall: w.read(i.wall), skew: w.scale.skew}
}

// decode turns a script's reply into an error, as Redis.run does.
func decodeTwin(reply []string) error {
	switch reply[0] {
	case "OK":
		return nil
	case "LOST":
		return ErrLost
	case "BUSY":
		return ErrOccupied
	case "CLONE":
		return ErrCloned
	case "SPACE":
		return ErrSpace
	case "SKEW":
		return ErrSkew
	case "WAIT":
		ms, _ := strconv.ParseInt(reply[1], 10, 64)
		return &QuarantineError{Store: "redis", Wait: time.Duration(ms) * time.Millisecond}
	}
	return fmt.Errorf("unknown reply %v", reply)
}

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func (i *instance) free(authority int, done func(Vacancy, error)) {
	w := i.world
	if !w.isRedis(authority) {
		w.send(i.database, func() any {
			v := Vacancy{Now: w.read(w.database)}
			for worker := range simWorkers {
				if until := w.postgres.rows[worker].until; until <= v.Now {
					v.Workers = append(v.Workers, worker)
				} else if v.Next == 0 || until < v.Next {
					v.Next = until
				}
			}
			return v
		}, func(r any) { done(r.(Vacancy), nil) })
		return
	}
	reachable, node := i.redis()
	call := i.twinCall()
	w.send(reachable, func() any {
		reply := node().free(w.read(node().clock), call)
		w.replicate(i.route)
		return reply
	}, func(r any) {
		reply := r.([]string)
		if err := decodeTwin(reply); err != nil {
			done(Vacancy{}, err)
			return
		}
		v, taken := Vacancy{Now: number(reply[1])}, []int{}
		for k := 2; k < len(reply); k += 2 {
			taken = append(taken, int(number(reply[k])))
			if until := number(reply[k+1]); v.Next == 0 || until < v.Next {
				v.Next = until
			}
		}
		for worker := range simWorkers {
			if !slices.Contains(taken, worker) {
				v.Workers = append(v.Workers, worker)
			}
		}
		done(v, nil)
	})
}

func (i *instance) claim(authority int, c Claim, done func(Grant, error)) {
	w, token, call := i.world, c.Token.String(), i.twinCall()
	type result struct {
		grant Grant
		err   error
	}
	reply := func(r any) { done(r.(result).grant, r.(result).err) }
	if !w.isRedis(authority) {
		w.send(i.database, func() any {
			now := w.read(w.database)
			row, ok := w.postgres.claim(now, i.space, c.Worker, token, int64(c.Number), int64(c.Nonce), c.Floor, w.scale.claim, call.wall, w.scale.skew)
			switch {
			case !ok && i.space != w.postgres.space:
				return result{err: ErrSpace}
			case !ok && max(now-call.wall, call.wall-now) > w.scale.skew:
				return result{err: ErrSkew}
			case !ok && c.Number > 1:
				return result{err: ErrLost}
			case !ok:
				return result{err: ErrOccupied}
			case row.number != int64(c.Number):
				return result{err: ErrCloned}
			}
			g := Grant{generator.Window{Worker: c.Worker, From: row.from, Until: row.until, Epoch: row.epoch}, now}
			w.check.granted("postgres", i, token, g, true, w.scale.claim)
			return result{grant: g}
		}, reply)
		return
	}
	reachable, node := i.redis()
	route := i.route
	grant := func() {
		w.send(reachable, func() any {
			now := w.read(node().clock)
			answer := node().grant(now, call, c.Worker, token, int64(c.Number), int64(c.Nonce), c.Floor)
			if err := decodeTwin(answer); err != nil {
				w.replicate(route)
				return result{err: err}
			}
			confirmed := w.confirm(route)
			g := Grant{generator.Window{Worker: c.Worker, From: number(answer[1]), Until: number(answer[2]), Epoch: number(answer[1])}, now}
			w.check.granted("redis", i, token, g, confirmed, w.scale.window)
			if !confirmed {
				return result{err: errors.New("not confirmed")}
			}
			return result{grant: g}
		}, reply)
	}
	if c.Number > 1 {
		grant()
		return
	}
	w.send(reachable, func() any {
		return node().obtain(w.read(node().clock), c.Worker, token, w.scale.window)
	}, func(r any) {
		if !r.(bool) {
			done(Grant{}, ErrOccupied)
			return
		}
		grant()
	})
}

// confirm replicates at once where the space asks for that.
func (w *world) confirm(from int) bool {
	if w.plan.replicas == 0 {
		w.replicate(from)
		return true
	}
	other := w.nodes[1-from]
	if !other.attached || !other.up || w.primary != from || w.lost() {
		return false
	}
	other.copyFrom(w.nodes[from].redisTwin)
	return true
}

func (i *instance) trim(authority, worker int, token Token, until int64, done func(error)) {
	w := i.world
	reply := func(r any) {
		err, _ := r.(error)
		done(err)
	}
	if !w.isRedis(authority) {
		w.send(i.database, func() any {
			if !w.postgres.trim(worker, token.String(), until) {
				return ErrLost
			}
			w.check.trimmed("postgres", worker, token.String(), until)
			return nil
		}, reply)
		return
	}
	reachable, node := i.redis()
	call, route := i.twinCall(), i.route
	w.send(reachable, func() any {
		answer := node().trim(w.read(node().clock), call, worker, token.String(), until)
		w.replicate(route)
		if err := decodeTwin(answer); err != nil {
			return err
		}
		w.check.trimmed("redis", worker, token.String(), until)
		return nil
	}, reply)
}

// issueLater issues a few IDs now and then, at any time the machine may run.
func (i *instance) issueLater() {
	life := i.life
	i.world.at(time.Duration(i.world.rand.IntN(120))*time.Millisecond, func() {
		if !i.alive || life != i.life {
			return
		}
		if !i.paused {
			i.issue()
		}
		i.issueLater()
	})
}

var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

func (i *instance) issue() {
	burst := 1
	if i.world.rand.IntN(20) == 0 {
		burst = 6000 // runs ahead of the clock
	}
	ids := make([]generator.ID, burst)
	if i.generator.NextN(ended, ids) != nil {
		return
	}
	for k, step := 0, max(1, burst/3); k < burst; k += step {
		i.world.check.issued(i, ids[k])
	}
}
