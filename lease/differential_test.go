package lease

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"waybill/internal/testenv"

	"github.com/bsm/redislock"
	"github.com/redis/go-redis/v9"
)

// replaceOnce changes the script in one place, or fails.
func replaceOnce(t *testing.T, script, old, new string) string {
	t.Helper()
	if strings.Count(script, old) != 1 {
		t.Fatalf("the script has %d times %q", strings.Count(script, old), old)
	}
	return strings.Replace(script, old, new, 1)
}

var differentialSteps = flag.Int("differential.steps", 20_000, "commands of the differential test")

// The script as it is, but for its clock and its server's identity, which the
// test sets, and its twin are given the same random commands. Every reply and
// the whole state must agree.
func TestTheScriptAndItsTwinAgree(t *testing.T) {
	server := testenv.Redis(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr})
	defer client.Close()
	ctx := context.Background()
	script := replaceOnce(t, grantScript, "redis.call('TIME')", "redis.call('MGET', 'seconds', 'micros')")
	script = replaceOnce(t, script, "string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')", "redis.call('GET', 'run')")
	script = replaceOnce(t, script, "string.match(redis.call('INFO', 'replication'), 'master_replid2:(%x+)')", "redis.call('GET', 'second')")
	locks := redislock.New(client)

	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	const state, standby, workers = "waybill:{x}:state", "waybill:{x}:standby", 3
	const window = 600_000 // the real locks must not expire by themselves
	lockKey := func(worker int) string { return "waybill:{x}:worker:" + strconv.Itoa(worker) }
	twin := newRedisTwin("a0")
	now, runs := int64(1_800_000_000_000), 0
	tokens := make([]Token, 6)
	for i := range tokens {
		tokens[i] = drawToken(r)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	identify := func() { must(client.MSet(ctx, "run", twin.run, "second", twin.second).Err()) }
	identify()
	counts := map[string]int{}
	for step := range *differentialSteps {
		twin.expire(now)
		for worker := range workers { // in place of Redis's own clock
			if _, held := twin.lock[worker]; !held {
				must(client.Del(ctx, lockKey(worker)).Err())
			}
		}
		must(client.MSet(ctx, "seconds", now/1000, "micros", now%1000*1000+r.Int64N(1000)).Err())
		call := twinCall{space: "s1", window: window, quarantine: 5000, wall: now + r.Int64N(4000) - 2000, skew: 2500}
		if r.IntN(4) == 0 {
			call.quarantine = 0
		}
		if r.IntN(40) == 0 {
			call.space = "s2"
		}
		if r.IntN(40) == 0 {
			call.wall += 3_600_000
		}
		worker, token := r.IntN(workers), tokens[r.IntN(len(tokens))]
		if l, held := twin.lock[worker]; held && r.IntN(10) > 0 { // mostly who has a chance
			for _, t := range tokens {
				if t.String() == l.token {
					token = t
				}
			}
		}
		number := twin.record[worker].number + 1
		if twin.record[worker].token != token.String() {
			number = 1
		}
		switch r.IntN(16) {
		case 0:
			number += int64(r.IntN(3))
		case 1, 2:
			number = max(1, number-1)
		case 3:
			number = 1
		}
		nonce, floor := number, int64(0)
		if r.IntN(20) == 0 {
			nonce++
		}
		if r.IntN(5) == 0 {
			floor = now + r.Int64N(10_000) - 5000
		}
		args := []any{"", call.space, call.window, call.quarantine, call.wall, call.skew}
		var want []string
		var description string
		eval := func(key string, more ...any) {
			args[0] = more[0]
			reply, err := client.Eval(ctx, script, []string{state, key, "waybill:{x}:reports"}, append(args, more[1:]...)...).StringSlice()
			must(err)
			if more[0] == "free" && reply[0] == "OK" {
				sortPairs(reply[2:])
			}
			counts[fmt.Sprint(more[0], " ", want[0])]++
			if !reflect.DeepEqual(reply, want) {
				t.Fatalf("seed %d, step %d: %s: the script says %v, the twin %v", seed, step, description, reply, want)
			}
		}
		description = fmt.Sprintf("now %d %+v worker %d token %s number %d nonce %d floor %d", now, call, worker, token, number, nonce, floor)
		switch action := r.IntN(100); {
		case action < 30:
			_, err := locks.Obtain(ctx, lockKey(worker), window*time.Millisecond, &redislock.Options{Token: token.String(), Metadata: `{"instance":"a"}`})
			obtained := twin.obtain(now, worker, token.String(), window)
			if (err == nil) != obtained || err != nil && !errors.Is(err, redislock.ErrNotObtained) {
				t.Fatalf("seed %d, step %d: %s: obtain says %v, the twin %t", seed, step, description, err, obtained)
			}
		case action < 75:
			want = twin.grant(now, call, worker, token.String(), number, nonce, floor)
			eval(lockKey(worker), "grant", worker, token.String(), number, nonce, floor, "{}")
		case action < 82:
			until := now + r.Int64N(20_000) - 10_000
			want = twin.trim(now, call, worker, token.String(), until)
			eval(lockKey(worker), "trim", worker, token.String(), until)
		case action < 90:
			want = twin.free(now, call)
			eval(standby, "free", "me", 1000)
		case action < 91 && r.IntN(4) == 0:
			runs++
			switch r.IntN(3) {
			case 0:
				twin.run, twin.second = fmt.Sprintf("a%d", runs), noPromotion
			case 1:
				twin.second = fmt.Sprintf("b%d", runs)
			case 2:
				twin.second = noPromotion
			}
			identify()
		case action < 92 && r.IntN(4) == 0:
			twin.flush()
			must(client.FlushAll(ctx).Err())
			identify()
		case action < 93:
			delete(twin.lock, worker)
			must(client.Del(ctx, lockKey(worker)).Err())
		case action < 94:
			now += r.Int64N(4000) - 2000
		default:
			now += r.Int64N(window / 8)
		}
		got, err := client.HGetAll(ctx, state).Result()
		must(err)
		if dump := twin.dump(); len(got)+len(dump) > 0 && !reflect.DeepEqual(got, dump) {
			t.Fatalf("seed %d, step %d: %s: Redis has\n%v, the twin\n%v", seed, step, description, got, dump)
		}
	}
	for _, seen := range []string{"grant OK", "grant LOST", "grant BUSY", "grant WAIT", "grant CLONE", "grant SKEW", "grant SPACE", "trim OK", "trim LOST", "free OK", "free WAIT"} {
		if counts[seen] == 0 {
			t.Errorf("never seen: %s", seen)
		}
	}
	t.Log(counts)
}

// sortPairs sorts worker, until, worker, until… by worker.
func sortPairs(pairs []string) {
	type pair struct{ worker, until string }
	var all []pair
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, pair{pairs[i], pairs[i+1]})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].worker < all[j].worker })
	for i, p := range all {
		pairs[2*i], pairs[2*i+1] = p.worker, p.until
	}
}
