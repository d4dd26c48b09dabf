package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// probeScript tries every command that leases need, on a key of its own, and
// returns those that the user may not run.
const probeScript = `
local refused = {}
local function try(name, ...)
  local reply = redis.pcall(name, ...)
  if type(reply) == 'table' and reply.err and (string.find(reply.err, 'NOPERM') or string.find(reply.err, "can't run this command")
      or string.find(reply.err, 'permissions')) then refused[#refused + 1] = name end
end
local key = KEYS[1]
try('time') try('info', 'server') try('msetnx', key, '1') try('mset', key, '1') try('mget', key) try('getrange', key, 0, 0)
try('pexpire', key, 1000) try('del', key)
try('hset', key, 'a', '1') try('hget', key, 'a') try('hmget', key, 'a') try('hgetall', key) try('hdel', key, 'a') try('del', key)
try('zadd', key, 1, 'a') try('zremrangebyscore', key, '-inf', 1) try('zrange', key, 0, -1) try('del', key)
return refused`

// leastRights is what the user of leases must be allowed, as in
//
//	ACL SETUSER waybill on ><password> -@all ~waybill:* +eval ...
//
// Another database than 0 takes +select too, a cluster +cluster|slots +command,
// and Redis 7.2 and later +waitaof and, for CLIENT LIST, +client|setinfo.
const leastRights = "~waybill:* +eval +evalsha +time +info +wait +mget +mset +msetnx +getrange +del +pexpire " +
	"+hset +hget +hmget +hgetall +hdel +zadd +zrange +zremrangebyscore"

// check asks the server whether leases can be kept on it: it must never evict a
// key, and its user must have leastRights. The error says what to change.
func (r *Redis) check(ctx context.Context) error {
	node, err := r.node(ctx, r.key("state"))
	if err != nil {
		return refusal(err)
	}
	refused, err := node.Eval(ctx, probeScript, []string{r.key("probe")}).StringSlice()
	if err != nil {
		return refusal(err)
	}
	for _, c := range []struct {
		name string
		run  func() error
	}{
		{"info", func() error { return node.Info(ctx, "memory").Err() }},
		{"wait", func() error { return node.Do(ctx, "wait", 0, 1).Err() }},
		{"evalsha", func() error { return node.EvalSha(ctx, strings.Repeat("0", 40), nil).Err() }},
	} {
		if err := c.run(); isRefusal(err) {
			refused = append(refused, c.name)
		}
	}
	if len(refused) > 0 {
		sort.Strings(refused)
		return fmt.Errorf("lease: redis: its user may not run %s: grant them, as in: ACL SETUSER <user> %s",
			strings.Join(refused, ", "), "+"+strings.Join(refused, " +"))
	}
	info, err := node.Info(ctx).Result()
	if err != nil {
		return &StoreError{"redis", err}
	}
	facts := facts(info)
	if policy := facts["maxmemory_policy"]; policy != "noeviction" && facts["maxmemory"] != "0" {
		return fmt.Errorf("lease: redis: maxmemory-policy is %s: leases could be evicted; set it to noeviction", policy)
	}
	if attached, err := strconv.Atoi(facts["connected_slaves"]); err == nil && attached < r.space.Replicas && !r.space.fenced() {
		return fmt.Errorf("lease: redis: %d replicas are connected and REDIS_REPLICAS=%d must confirm every grant", attached, r.space.Replicas)
	}
	if err := r.register(ctx); err != nil {
		return err
	}
	r.aof = facts["aof_enabled"] == "1" && atLeast(facts["redis_version"], 7, 2)
	return nil
}

func isRefusal(err error) bool { return err != nil && strings.Contains(err.Error(), "NOPERM") }

// refusal says which right is missing where err is about one.
func refusal(err error) error {
	if !isRefusal(err) {
		return &StoreError{"redis", err}
	}
	if _, command, ok := strings.Cut(err.Error(), "'"); ok {
		command, _, _ = strings.Cut(command, "'")
		return fmt.Errorf("lease: redis: its user may not run %s: grant it, as in: ACL SETUSER <user> +%s", command, command)
	}
	return fmt.Errorf("lease: redis: its user may not use the keys waybill:*: grant them, as in: ACL SETUSER <user> ~waybill:* (%w)", err)
}

// facts reads an answer to INFO.
func facts(info string) map[string]string {
	m := map[string]string{}
	for line := range strings.SplitSeq(info, "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			m[name] = value
		}
	}
	return m
}

func atLeast(version string, major, minor int) bool {
	var a, b int
	if _, err := fmt.Sscanf(version, "%d.%d", &a, &b); err != nil {
		return false
	}
	return a > major || a == major && b >= minor
}

// spacesKey lists the number spaces of a Redis database: id to authorities.
const spacesKey = "waybill:spaces"

// registerScript enters a space in the list, or returns another that has other
// authorities. It is one step: of two that enter at once, one is refused.
const registerScript = `
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if all[i + 1] ~= ARGV[2] then return {all[i], all[i + 1]} end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return {}`

// register enters the space in the list. It refuses a space without Postgres
// beside one with it: most likely an instance of the second was started without
// its DATABASE_URL, and the two would issue the same numbers.
func (r *Redis) register(ctx context.Context) error {
	other, err := r.client.Eval(ctx, registerScript, []string{spacesKey}, r.space.ID, r.space.Authorities).StringSlice()
	if err != nil {
		return &StoreError{"redis", err}
	}
	if len(other) != 2 {
		return nil
	}
	return fmt.Errorf("%w in redis: its lease (which of REDIS_URL and DATABASE_URL are set) is %s there and %s here: "+
		"set what this instance lacks, or use another Redis database (redis://host:port/1); if that space %s is gone for good: HDEL %s %s",
		ErrSpace, other[1], r.space.Authorities, other[0], spacesKey, other[0])
}

// Holders implements Authority.
func (r *Redis) Holders(ctx context.Context) (h Holders, err error) {
	pipe := r.client.Pipeline()
	clock, all, told := pipe.Time(ctx), pipe.HGetAll(ctx, r.key("state")), pipe.HGetAll(ctx, r.key("reports"))
	waiting := pipe.ZRangeWithScores(ctx, r.key("standby"), 0, -1)
	if _, err := pipe.Exec(ctx); err != nil {
		return Holders{}, &StoreError{"redis", err}
	}
	h.Now = clock.Val().UnixMilli()
	state, tokens, locks := all.Val(), []string{}, []string{}
	for field, text := range state {
		worker, err := strconv.Atoi(field)
		if err != nil {
			continue
		}
		parts := strings.Split(text, " ")
		if len(parts) != 6 {
			continue
		}
		from, fromErr := strconv.ParseInt(parts[1], 10, 64)
		until, untilErr := strconv.ParseInt(parts[2], 10, 64)
		if errors.Join(fromErr, untilErr) != nil || until <= h.Now {
			continue
		}
		h.Windows = append(h.Windows, Holder{Worker: worker, From: from, Until: until})
		tokens, locks = append(tokens, parts[0]), append(locks, r.lockKey(worker))
	}
	if len(locks) > 0 {
		values, err := r.client.MGet(ctx, locks...).Result()
		if err != nil {
			return Holders{}, &StoreError{"redis", err}
		}
		for i, value := range values {
			text, _ := value.(string)
			instance, held := strings.CutPrefix(text, tokens[i])
			w := &h.Windows[i]
			w.Held = held && tokens[i] != ""
			w.decode(instance, told.Val()[strconv.Itoa(w.Worker)])
		}
	}
	h.Standby = standbys(waiting.Val(), h.Now)
	return h, nil
}

func standbys(entries []redis.Z, now int64) (list []Holder) {
	for _, entry := range entries {
		text, _ := entry.Member.(string)
		var w Holder
		if int64(entry.Score) > now && json.Unmarshal([]byte(text), &w.Instance) == nil {
			w.Report.State = Standby
			list = append(list, w)
		}
	}
	return list
}
