package faults

import (
	"slices"
	"strings"
	"testing"
	"time"

	"waybill/internal/testenv"
)

// keptOnDisk makes a Redis that survives kill -9 with all that it acknowledged, though not a power cut.
var keptOnDisk = []string{"--appendonly", "yes", "--appendfsync", "no"}

func TestAFlushedRedis(t *testing.T) {
	in(t, withRedis, func(t *testing.T, space string) {
		f := start(t, space, plan{instances: 3})
		lost := time.Now()
		f.do("FLUSHALL")
		f.recoversMemoryLoss(lost)
		f.finish()
	})
}

func TestEachKeyOfTheSpaceDeleted(t *testing.T) {
	in(t, withRedis, func(t *testing.T, space string) {
		f := start(t, space, plan{})
		begin, state := time.Now(), 0
		for key := range strings.SplitSeq(f.do("KEYS", "*"), "\n") {
			lost := time.Now()
			if f.do("DEL", key) != "1" {
				continue // it went by itself meanwhile
			}
			if strings.HasSuffix(key, ":state") {
				state++
				f.recoversMemoryLoss(lost)
				continue
			}
			time.Sleep(f.window / 2) // beyond a refresh
			f.issues("without "+key, probe+busy)
			f.servedAll(lost)
		}
		if state != 1 {
			t.Errorf("%d keys are the space's state", state)
		}
		if space == byBoth {
			f.servedAll(begin)
		}
		f.finish()
	})
}

func TestRedisKilledAndBackWithoutItsMemory(t *testing.T) {
	in(t, withRedis, func(t *testing.T, space string) {
		f := start(t, space, plan{})
		was, lost := f.runID(), time.Now()
		f.redis.Kill()
		f.redis.Start()
		if f.runID() == was {
			t.Error("Redis is the same process")
		}
		f.recoversMemoryLoss(lost)
		f.finish()
	})
}

// The same by the rules: a Redis that restarted may have lost what it acknowledged last, whatever it wrote to disk.
func TestRedisBackFromAnOldAppendOnlyFile(t *testing.T) {
	in(t, withRedis, func(t *testing.T, space string) {
		f := start(t, space, plan{redis: testenv.Redis(t, keptOnDisk...)})
		saved := f.redis.SaveFiles()
		f.issues("after the backup", probe+busy)
		time.Sleep(time.Second) // windows have grown beyond those in the backup
		late := f.join()
		late.WaitReady(t) // its worker is free in the backup
		f.load()
		f.issues("after the backup", probe+busy, late)
		lost := time.Now()
		f.redis.Kill()
		f.redis.RestoreFiles(saved)
		f.redis.Start()
		if f.do("EXISTS", f.stateKey()) != "1" {
			t.Error("the old file was not read")
		}
		f.recoversMemoryLoss(lost)
		f.finish()
	})
}

func TestAStaleReplicaPromoted(t *testing.T) {
	in(t, withRedis, func(t *testing.T, space string) {
		primary := testenv.Redis(t)
		f := start(t, space, plan{redis: primary, linked: true})
		replication := f.toxi.Proxy(primary.Addr)
		replica := testenv.RedisReplica(t, replication.Addr)
		replication.Cut()
		time.Sleep(time.Second)
		late := f.join()
		late.WaitReady(t) // its worker is free in the replica
		f.load()
		f.issues("that the replica does not know", probe+busy, late)
		if old, now := state(t, replica), state(t, primary); slices.Equal(old, now) {
			t.Fatal("the replica is not stale")
		}
		lost := time.Now()
		primary.Kill()
		replica.Promote()
		for _, m := range f.members {
			m.redis.Lead(replica.Addr)
		}
		f.recoversMemoryLoss(lost)
		f.finish()
	})
}

// Half of the fleet still sees the old primary, which takes writes; the other half sees the new one.
func TestTwoPrimariesAtTheSameTime(t *testing.T) {
	in(t, withRedis, func(t *testing.T, space string) {
		primary := testenv.Redis(t)
		f := assemble(t, space, plan{redis: primary, linked: true, env: []string{"REDIS_REPLICAS=1"}})
		replication := f.toxi.Proxy(primary.Addr)
		next, second := testenv.RedisReplica(t, replication.Addr), testenv.RedisReplica(t, replication.Addr)
		for range 4 {
			f.join()
		}
		for _, m := range f.members {
			m.WaitReady(t)
		}
		f.load()
		f.issues("before the fault", probe+busy)
		old, moved := f.members[:2], f.members[2:]

		lost := time.Now()
		replication.Cut()
		next.Promote()
		host, port, _ := strings.Cut(next.Addr, ":")
		do(t, second, "REPLICAOF", host, port)
		for _, m := range moved {
			m.redis.Lead(next.Addr)
		}
		f.renews(lost, f.window+f.quarantine()+probe+busy, moved...)
		if space == byBoth {
			f.issues("at the old primary", probe+busy, old...)
			f.servedAll(lost)
		} else { // no replica confirms what the old primary grants
			f.refuses(lost, f.window+busy, old...)
			begin := time.Now()
			f.issues("at the new primary", f.quarantine()+busy, moved...)
			time.Sleep(f.window)
			f.servedNobody(begin, time.Now(), old...)
		}
		if do(t, primary, "SET", "writable", "1") != "OK" {
			t.Error("the old primary takes no writes")
		}
		joined := time.Now()
		for _, m := range old {
			m.redis.Lead(next.Addr)
		}
		f.renews(joined, f.window+probe+busy, old...)
		f.finish()
	})
}

// stateKey is the key of all that Redis knows of the space but its locks.
func (f *fleet) stateKey() string {
	f.t.Helper()
	keys := f.do("KEYS", "*:state")
	if keys == "" || strings.Contains(keys, "\n") {
		f.t.Fatalf("the state of one space: %q", keys)
	}
	return keys
}

// state is what a Redis knows of the space, in no order.
func state(t *testing.T, redis *testenv.RedisServer) []string {
	t.Helper()
	lines := strings.Split(do(t, redis, "HGETALL", do(t, redis, "KEYS", "*:state")), "\n")
	slices.Sort(lines)
	return lines
}
