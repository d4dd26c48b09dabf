package lease

import (
	"fmt"
	"time"

	"waybill/generator"
)

// checks are the invariants of the protocol, asserted after every event.
type checks struct {
	world     *world
	violation string
	layout    generator.Layout

	used     map[[2]int64]string // I1: worker, millisecond -> token
	windows  map[[2]string]*truth
	byWorker map[string]map[int][]*truth
	newest   map[string]int64 // by token: the last stamp
	lossAt   time.Duration    // the last loss of Redis's memory
	lossSeen bool
	ids      int
}

// truth is what an authority really granted a token.
type truth struct {
	worker      int
	token       string
	from, until int64
	trimmed     bool
	at          time.Duration
}

func (c *checks) init(w *world) {
	c.world, c.layout = w, simLayout()
	c.used, c.windows, c.newest = map[[2]int64]string{}, map[[2]string]*truth{}, map[string]int64{}
	c.byWorker = map[string]map[int][]*truth{"redis": {}, "postgres": {}}
}

func (c *checks) fail(format string, args ...any) {
	if c.violation == "" {
		c.violation = fmt.Sprintf(format, args...)
		c.world.note("VIOLATION %s", c.violation)
	}
}

// granted is called when a store has stored a grant. One that was not confirmed
// is not a promise.
func (c *checks) granted(store string, i *instance, token string, g Grant, confirmed bool, length int64) {
	w := g.Window
	c.world.note("%s grants worker %d to %d (%s): %d to %d at %d, confirmed %t", store, w.Worker, i.id, token[:6], w.From-simStart, w.Until-simStart, g.Now-simStart, confirmed)
	if w.Until > max(g.Now, w.From)+length && c.windows[[2]string{store, token}] == nil {
		c.fail("I6: %s granted until %d at %d, more than %d ahead", store, w.Until, g.Now, length)
	}
	if i.space != "s" {
		c.fail("I11: %s granted to an instance of another space", store)
	}
	if !confirmed {
		return
	}
	if store == "redis" && c.world.plan.authorities == ByRedis && c.lossSeen && !c.world.plan.redisClocks &&
		c.world.now-c.lossAt < time.Duration(c.world.scale.window)*time.Millisecond {
		c.fail("I8: a grant %s after a loss of memory", c.world.now-c.lossAt)
	}
	key := [2]string{store, token}
	t := c.windows[key]
	if t == nil {
		t = &truth{worker: w.Worker, token: token, from: w.From, until: w.Until, at: c.world.now}
		c.windows[key] = t
		c.byWorker[store][w.Worker] = append(c.byWorker[store][w.Worker], t)
	}
	if !t.trimmed {
		t.until = max(t.until, w.Until)
	}
	if store == "postgres" && c.world.plan.restores || store == "redis" && c.world.plan.authorities == ByRedisAndPostgres && (c.world.plan.forgetful || c.world.plan.redisClocks) {
		return // this store may break its word here
	}
	for _, o := range c.byWorker[store][w.Worker] {
		if o != t && o.from < t.until && t.from < o.until {
			c.fail("I3: %s granted worker %d to %s from %d to %d and to %s from %d to %d", store, w.Worker,
				o.token[:6], o.from-simStart, o.until-simStart, token[:6], t.from-simStart, t.until-simStart)
		}
	}
}

func (c *checks) trimmed(store string, worker int, token string, until int64) {
	c.world.note("%s takes worker %d back from %s at %d", store, worker, token[:6], until-simStart)
	if last, ok := c.newest[token]; ok && until <= last {
		c.fail("I7: trimmed to %d, stamped %d", until-simStart, last-simStart)
	}
	if t := c.windows[[2]string{store, token}]; t != nil {
		t.until, t.trimmed = max(t.from, min(t.until, until)), true
	}
}

func (c *checks) issued(i *instance, id generator.ID) {
	c.ids++
	worker, stamp, token := c.layout.Worker(id), c.layout.UnixMilli(id), i.core.using.token.String()
	if other, ok := c.used[[2]int64{int64(worker), stamp}]; ok && other != token {
		c.fail("I1: worker %d at %d is stamped by %s and by %s of instance %d", worker, stamp-simStart, other[:6], token[:6], i.id)
	}
	c.used[[2]int64{int64(worker), stamp}] = token
	c.newest[token] = max(c.newest[token], stamp)
	stores := []string{"redis", "postgres"}
	switch c.world.plan.authorities {
	case ByRedis:
		stores = stores[:1]
	case ByPostgres:
		stores = stores[1:]
	}
	for _, store := range stores {
		t := c.windows[[2]string{store, token}]
		if t == nil || worker != t.worker || stamp < t.from || stamp >= t.until {
			c.fail("I2: instance %d stamped worker %d at %d outside the window of %s: %+v", i.id, worker, stamp-simStart, store, t)
		}
	}
	if id <= i.lastID {
		c.fail("I9: instance %d issued %d after %d", i.id, id, i.lastID)
	}
	i.lastID = id
	// I10: with a right clock of its own, no store can make an instance stamp the future.
	if ahead := stamp - c.world.read(clock{}); !c.world.plan.machineClock && ahead > generator.Lead+c.world.scale.skew+200 {
		c.fail("I10: instance %d stamps %d ms ahead of time", i.id, ahead)
	}
}

// halted is called when an instance believes that it was cloned: here none is.
func (c *checks) halted(i *instance, err error) {
	c.fail("instance %d halted without a clone: %v", i.id, err)
}
