package lease

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A worker that Redis did not grant is given back to Redis alone: Postgres was
// never asked for it, and its part of the holding must not keep the loop awake
// for as long as Redis does not answer.
func TestAKeeperSleepsWhileAStoreThatDoesNotAnswerIsAsked(t *testing.T) {
	c := newCore([]time.Duration{6 * time.Second, 5 * time.Minute}, rand.NewPCG(1, 2))
	asked := func(effects []effect) (e effect) {
		t.Helper()
		for _, effect := range slices.Backward(effects) {
			switch effect.(type) {
			case askFree, askGrant, askTrim:
				return effect
			}
		}
		t.Fatalf("nothing is asked: %+v", effects)
		return nil
	}
	now := time.Second
	asked(c.step(now, tick{}))
	grant := asked(c.step(now, vacancy{free: Vacancy{Workers: []int{7}, Now: 1}})).(askGrant)
	now += 5 * time.Second
	trim := asked(c.step(now, answer{token: grant.claim.Token, number: 1, err: errors.New("timeout")})).(askTrim)
	if trim.authority != 0 {
		t.Fatalf("asked back first from authority %d", trim.authority)
	}
	for range 100 {
		next := c.wake()
		if next <= now {
			t.Fatalf("at %s the next step is due at %s: the loop would spin", now, next)
		}
		now = next
		if c.step(now, tick{}); c.search.asking >= 0 { // it looks further, and waits for that too
			break
		}
	}
	if next := c.wake(); next <= now {
		t.Errorf("at %s, with two questions open, the next step is due at %s", now, next)
	}
}
