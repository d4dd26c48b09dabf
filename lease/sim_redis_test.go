package lease

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// redisTwin is grant.lua and redislock's obtain in Go, for the simulator. The
// differential test keeps it equal to the script on a real server.
type redisTwin struct {
	run    string
	second string // master_replid2: new with each promotion
	exists bool   // the state hash
	space  string
	wrote  string // run of the server that wrote last
	seen   string // its second
	gen    int64
	mark   int64
	record map[int]twinRecord
	lock   map[int]twinLock
}

type twinRecord struct {
	token             string
	from, till        int64
	number, nonce, gn int64
}

type twinLock struct {
	token   string
	expires int64
}

// twinCall is the part of a request that all operations share.
type twinCall struct {
	space              string
	window, quarantine int64
	wall, skew         int64
}

// noPromotion is the master_replid2 of a server that was never a replica.
const noPromotion = "0"

func newRedisTwin(run string) *redisTwin {
	return &redisTwin{run: run, second: noPromotion, record: map[int]twinRecord{}, lock: map[int]twinLock{}}
}

// copyFrom makes r's memory that of another server, as replication does.
func (r *redisTwin) copyFrom(o *redisTwin) {
	run, second := r.run, r.second
	*r = *o
	r.run, r.second, r.record, r.lock = run, second, maps.Clone(o.record), maps.Clone(o.lock)
}

func (r *redisTwin) clone() *redisTwin {
	c := &redisTwin{}
	c.copyFrom(r)
	c.run, c.second = r.run, r.second
	return c
}

func (r *redisTwin) flush() {
	second := r.second
	*r = *newRedisTwin(r.run)
	r.second = second
}

func (r *redisTwin) expire(now int64) {
	maps.DeleteFunc(r.lock, func(_ int, l twinLock) bool { return l.expires <= now })
}

// obtain is redislock's: a lock that is free or the caller's own.
func (r *redisTwin) obtain(now int64, worker int, token string, ttl int64) bool {
	r.expire(now)
	if l, ok := r.lock[worker]; ok && l.token != token {
		return false
	}
	r.lock[worker] = twinLock{token, now + ttl}
	return true
}

func text(n int64) string { return strconv.FormatInt(n, 10) }

// head is what every operation begins with. A reply ends it.
func (r *redisTwin) head(now int64, c twinCall) (waiting bool, reply []string) {
	r.expire(now)
	if max(now-c.wall, c.wall-now) > c.skew {
		return false, []string{"SKEW", text(now)}
	}
	if r.exists && r.space != c.space {
		return false, []string{"SPACE", r.space}
	}
	if r.wrote != r.run || r.second != noPromotion && r.seen != r.second {
		r.exists, r.space, r.wrote, r.seen = true, c.space, r.run, r.second
		r.gen++
		r.mark = max(r.mark, now+c.window+c.quarantine)
	}
	return c.quarantine > 0 && now < r.mark, nil
}

func (r *redisTwin) free(now int64, c twinCall) []string {
	waiting, reply := r.head(now, c)
	if reply != nil {
		return reply
	}
	if waiting {
		return []string{"WAIT", text(r.mark - now)}
	}
	reply = []string{"OK", text(now)}
	for _, worker := range slices.Sorted(maps.Keys(r.record)) {
		if till := r.record[worker].till; till > now {
			reply = append(reply, text(int64(worker)), text(till))
		}
	}
	return reply
}

func (r *redisTwin) trim(now int64, c twinCall, worker int, token string, until int64) []string {
	r.expire(now)
	if r.lock[worker].token == token {
		delete(r.lock, worker)
	}
	_, reply := r.head(now, c)
	if reply != nil {
		return reply
	}
	record, ok := r.record[worker]
	if !ok || record.token != token || record.gn != r.gen {
		return []string{"LOST"}
	}
	record.till = max(record.from, min(record.till, until))
	record.token = ""
	r.record[worker] = record
	return []string{"OK"}
}

func (r *redisTwin) grant(now int64, c twinCall, worker int, token string, number, nonce, floor int64) []string {
	waiting, reply := r.head(now, c)
	if reply != nil {
		return reply
	}
	if r.lock[worker].token != token {
		return []string{"LOST"}
	}
	if waiting {
		return []string{"WAIT", text(r.mark - now)}
	}
	record, known := r.record[worker]
	switch mine := known && record.token == token && record.gn == r.gen; {
	case mine && record.number >= 0 && number > record.number+1:
		return []string{"LOST"}
	case mine && number < record.number:
		return []string{"CLONE"}
	case mine && number == record.number+1 && record.number > 0:
		record.till, record.number, record.nonce = max(record.till, now+c.window), number, nonce
	case mine && (number != record.number || nonce != record.nonce):
		record.number = -1
	case mine:
	case number != 1:
		return []string{"LOST"}
	case known && record.till > now:
		return []string{"BUSY"}
	default:
		record = twinRecord{token, max(now, record.till, floor), now + c.window, 1, nonce, r.gen}
	}
	r.record[worker] = record
	if record.number < 0 {
		return []string{"CLONE"}
	}
	r.lock[worker] = twinLock{token, now + max(1, record.till-now)}
	return []string{"OK", text(record.from), text(record.till), text(now)}
}

// dump is the state as the hash has it, for comparison.
func (r *redisTwin) dump() map[string]string {
	m := map[string]string{}
	if r.exists {
		m["promoted"] = r.seen
		m["space"], m["run"], m["gen"], m["mark"] = r.space, r.wrote, text(r.gen), text(r.mark)
	}
	for worker, d := range r.record {
		m[strconv.Itoa(worker)] = fmt.Sprintf("%s %d %d %d %d %d", d.token, d.from, d.till, d.number, d.nonce, d.gn)
	}
	return m
}
