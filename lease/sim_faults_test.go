package lease

import (
	"fmt"
	"time"
)

// somewhere is a duration up to most.
func (w *world) somewhere(most time.Duration) time.Duration {
	return time.Duration(w.rand.Int64N(int64(most)))
}

func (w *world) one() *instance { return w.instances[w.rand.IntN(len(w.instances))] }

// large is a step of a clock that no bound holds for.
func (w *world) large() int64 {
	step := 10_000 + w.rand.Int64N(3_600_000)
	if w.rand.IntN(2) == 0 {
		return -step
	}
	return step
}

// misfortune does one thing that goes wrong, and has the next one follow.
func (w *world) misfortune() {
	if w.quiet {
		return
	}
	w.at(w.somewhere(1500*time.Millisecond), w.misfortune)
	switch i := w.one(); w.rand.IntN(16) {
	case 0:
		w.note("instance %d is cut from Redis", i.id)
		i.cutRedis = true
		w.at(w.somewhere(6*time.Second), func() { i.cutRedis = false })
	case 1:
		w.note("instance %d is cut from Postgres", i.id)
		i.cutPG = true
		w.at(w.somewhere(10*time.Second), func() { i.cutPG = false })
	case 2:
		i.crash()
	case 3:
		i.stop()
	case 4, 5:
		if w.plan.pauses {
			i.pause(w.rand.IntN(2) == 0)
		}
	case 6:
		if w.plan.machineClock {
			i.wall.offset = w.large()
			w.note("instance %d: clock steps by %d", i.id, i.wall.offset)
			w.at(w.somewhere(8*time.Second), func() { i.wall.offset = 0 })
		}
	case 7:
		w.note("Postgres is down")
		w.pgDown = true
		w.outages++
		outage := w.outages
		w.at(w.somewhere(25*time.Second), func() { w.pgDown = w.pgDown && outage != w.outages })
	case 8:
		if w.plan.authorities != ByPostgres || w.rand.IntN(3) == 0 {
			w.database.offset = w.large()
			w.note("Postgres: clock steps by %d", w.database.offset)
			w.at(w.somewhere(5*time.Second), func() { w.database.offset = 0 })
		}
	case 9:
		if w.plan.restores {
			w.note("Postgres is restored")
			w.postgres = w.backup.clone()
		}
	case 10:
		w.backup = w.postgres.clone()
	default:
		if w.plan.authorities != ByPostgres {
			w.hurtRedis()
		}
	}
}

func (w *world) hurtRedis() {
	primary := w.primary
	n := w.nodes[primary]
	if w.plan.redisClocks && w.rand.IntN(4) == 0 {
		n.offset = w.large()
		w.note("Redis %d: clock steps by %d", primary, n.offset)
		w.at(w.somewhere(5*time.Second), func() { n.offset = 0 })
		return
	}
	if !w.plan.forgetful {
		w.note("Redis %d is out of reach", primary)
		n.up = false
		w.at(w.somewhere(5*time.Second), func() { n.up = true })
		return
	}
	switch w.rand.IntN(7) {
	case 0:
		w.note("Redis %d is emptied", primary)
		n.flush()
		w.loss()
	case 1:
		for worker := range simWorkers {
			if w.rand.IntN(2) == 0 {
				delete(n.lock, worker)
			}
		}
		w.note("Redis %d: locks are deleted", primary)
	case 2:
		w.restart(n, n.clone(), "as it was")
	case 3:
		w.restart(n, newRedisTwin(n.run), "empty")
		w.loss()
	case 4:
		old := n.clone()
		w.at(w.somewhere(5*time.Second), func() {
			if !w.quiet && w.primary == primary {
				w.restart(n, old, "from an old file")
				w.loss()
			}
		})
	case 5, 6:
		w.failOver()
	}
}

func (w *world) loss() { w.check.lossAt, w.check.lossSeen = w.now, true }

// restart gives a node a new identity and a memory.
func (w *world) restart(n *node, memory *redisTwin, how string) {
	n.runs++
	run := fmt.Sprintf("%s.%d", n.run, n.runs)
	n.copyFrom(memory)
	n.run, n.second = run, noPromotion
	w.note("Redis is restarted %s, now %s", how, run)
}

// failOver promotes the other node with whatever it has. The old primary goes
// away, or goes on beside the new one for a while.
func (w *world) failOver() {
	from, to := w.primary, 1-w.primary
	if !w.nodes[to].attached || !w.nodes[to].up {
		return
	}
	w.note("Redis fails over from %d to %d", from, to)
	w.nodes[to].attached = false
	w.primary = to
	w.promotions++
	w.nodes[to].second = fmt.Sprintf("promotion%d", w.promotions)
	w.loss()
	if w.plan.splitBrain {
		for _, i := range w.instances {
			w.at(w.somewhere(5*time.Second), func() { i.route = w.primary })
		}
	} else {
		w.nodes[from].up = false
		for _, i := range w.instances {
			i.route = to
		}
	}
	w.at(6*time.Second+w.somewhere(4*time.Second), func() { w.attach(from) })
}

// attach makes a node the primary's replica.
func (w *world) attach(index int) {
	if index == w.primary {
		return
	}
	n := w.nodes[index]
	n.up, n.attached, n.second = true, true, noPromotion
	n.copyFrom(w.nodes[w.primary].redisTwin)
	for _, i := range w.instances {
		i.route = w.primary
	}
}

func (i *instance) crash() {
	if !i.alive {
		return
	}
	i.world.note("instance %d crashes", i.id)
	i.alive = false
	i.world.at(i.world.somewhere(5*time.Second), i.start)
}

// stop is the clean end: closed, then trimmed.
func (i *instance) stop() {
	if !i.alive || i.paused {
		return
	}
	i.world.note("instance %d stops", i.id)
	i.alive = false
	for _, t := range i.core.release(i.generator.Close()) {
		i.trim(t.authority, t.worker, t.token, t.until, func(error) {})
	}
	i.world.at(i.world.somewhere(5*time.Second), i.start)
}

// pause stops the process, or suspends the machine with its monotonic clock.
func (i *instance) pause(suspend bool) {
	if !i.alive || i.paused {
		return
	}
	i.paused = true
	length := i.world.somewhere(20 * time.Second)
	if i.world.rand.IntN(2) == 0 {
		length = i.world.somewhere(2 * time.Second)
	}
	i.world.note("instance %d is paused for %s, suspended %t", i.id, length, suspend)
	began, life := i.world.now, i.life
	i.world.at(length, func() {
		if !i.alive || life != i.life {
			return
		}
		i.paused = false
		if gap := i.world.now - began; suspend {
			i.slept += gap
			i.issue() // before anybody noticed
			i.generator.SetClock(i.generator.Now() + gap.Milliseconds())
			i.step(slept{})
		}
		held := i.held
		i.held = nil
		for _, e := range held {
			if i.alive {
				i.step(e)
			}
		}
	})
}

// peace ends all faults.
func (w *world) peace() {
	w.quiet = true
	w.pgDown = false
	w.database.offset = 0
	for index, n := range w.nodes {
		n.up, n.offset = true, 0
		if index != w.primary {
			w.attach(index)
		}
	}
	for _, i := range w.instances {
		i.cutRedis, i.cutPG, i.wall.offset, i.route = false, false, 0, w.primary
	}
}
