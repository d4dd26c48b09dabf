package lease

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"waybill/generator"

	"github.com/bsm/redislock"
	"github.com/redis/go-redis/v9"
)

// Redis is the authority of a fleet: short windows, soon free again. With it
// alone, a number space is as safe as Redis's memory, its confirmation by
// replicas and a quarantine after any doubt make it; beside Postgres, whose
// claims fence a forgetful Redis, nobody waits. It may be used concurrently.
type Redis struct {
	client  redis.UniversalClient
	locks   *redislock.Client
	period  time.Duration
	timeout time.Duration // of one answer
	space   Space
	aof     bool // the server can confirm that a write is on its disk; set by Enter
}

// RedisConfig says how to reach Redis and what is leased there.
type RedisConfig struct {
	URL    string        // redis:// or rediss://; see connect
	TLS    string        // verify (empty means it too), pin:<SHA-256 of the server's key, hex>, or insecure
	Window time.Duration // what a grant lasts
}

// quarantineSlack is what is waited beyond a window after a loss of memory: the
// largest step back between the clocks of two Redis servers.
const quarantineSlack = 5 * time.Second

//go:embed grant.lua
var grantScript string

// OpenRedis returns the authority. It does not connect yet: Enter does.
func OpenRedis(c RedisConfig) (*Redis, error) {
	timeout := max(250*time.Millisecond, min(time.Second, c.Window/10))
	client, err := connect(c.URL, c.TLS, timeout)
	if err != nil {
		return nil, err
	}
	return &Redis{client: client, locks: redislock.New(client), timeout: timeout, period: c.Window / 10}, nil
}

// Enter tells the authority which space it serves and asks the server whether
// leases can be kept on it. Call it, until it succeeds, before all else. The
// space's Window is what a grant lasts, its Replicas confirm each one.
func (r *Redis) Enter(ctx context.Context, space Space) error {
	r.space = space
	return r.check(ctx)
}

// Name is "redis".
func (r *Redis) Name() string { return "redis" }

// Period is a tenth of the window.
func (r *Redis) Period() time.Duration { return r.period }

// key names something of the space. The hash tag keeps all of it in one slot of
// a cluster. A space that Redis alone keeps is the only one in its database, so
// that an instance which differs meets the others.
func (r *Redis) key(what string) string {
	tag := r.space.ID
	if !r.space.fenced() {
		tag = ByRedis
	}
	return "waybill:{" + tag + "}:" + what
}

func (r *Redis) lockKey(worker int) string { return r.key("worker:" + strconv.Itoa(worker)) }

// standbyListed is how long an instance is listed as waiting after it asked.
const standbyListed = 3 * time.Second

// Free implements Authority.
func (r *Redis) Free(ctx context.Context, waiting Instance) (v Vacancy, err error) {
	reply, err := r.run(ctx, false, "free", r.key("standby"), identity(waiting), standbyListed.Milliseconds())
	if err != nil {
		return Vacancy{}, err
	}
	numbers, err := integers(reply)
	if err != nil || len(numbers)%2 != 1 {
		return Vacancy{}, fmt.Errorf("lease: redis: an answer that cannot be read: %v", reply)
	}
	v.Now = numbers[0]
	taken := map[int64]bool{}
	for i := 1; i < len(numbers); i += 2 {
		taken[numbers[i]] = true
		if until := numbers[i+1]; v.Next == 0 || until < v.Next {
			v.Next = until
		}
	}
	for worker := range 1 << r.space.WorkerBits {
		if !taken[int64(worker)] {
			v.Workers = append(v.Workers, worker)
		}
	}
	return v, nil
}

// Grant implements Authority. A first claim obtains the worker's lock before its
// window; an extension refreshes both in one step.
func (r *Redis) Grant(ctx context.Context, c Claim) (Grant, error) {
	if c.Number == 1 {
		if err := r.register(ctx); err != nil { // anew: Redis may have been emptied
			return Grant{}, err
		}
		_, err := r.locks.Obtain(ctx, r.lockKey(c.Worker), r.space.Window.Duration(),
			&redislock.Options{Token: c.Token.String(), Metadata: identity(c.Holder)})
		if errors.Is(err, redislock.ErrNotObtained) && ctx.Err() == nil {
			return Grant{}, ErrOccupied
		}
		if err != nil {
			return Grant{}, &StoreError{"redis", err}
		}
	}
	report, err := json.Marshal(c.Report)
	if err != nil {
		return Grant{}, fmt.Errorf("lease: %w", err)
	}
	reply, err := r.run(ctx, true, "grant", r.lockKey(c.Worker), c.Worker, c.Token.String(),
		c.Number, c.Nonce, c.Floor, report)
	if err != nil {
		return Grant{}, err
	}
	numbers, err := integers(reply)
	if err != nil || len(numbers) != 3 {
		return Grant{}, fmt.Errorf("lease: redis: an answer that cannot be read: %v", reply)
	}
	w := generator.Window{Worker: c.Worker, From: numbers[0], Until: numbers[1], Epoch: numbers[0]} // grows: windows are disjoint
	return Grant{Window: w, Now: numbers[2]}, nil
}

// Trim implements Authority. It releases the worker's lock too.
func (r *Redis) Trim(ctx context.Context, worker int, token Token, until int64) error {
	_, err := r.run(ctx, false, "trim", r.lockKey(worker), worker, token.String(), until)
	return err
}

// run executes the script, confirms a write where the space asks for that, and
// turns refusals into errors.
func (r *Redis) run(ctx context.Context, confirm bool, op, key string, args ...any) ([]any, error) {
	s := r.space
	quarantine := quarantineSlack.Milliseconds()
	if s.fenced() {
		quarantine = 0
	}
	head := []any{op, s.definition(), s.Window.Duration().Milliseconds(), quarantine, wallClock().UnixMilli(), skewLimit.Milliseconds()}
	reply, err := r.eval(ctx, confirm && !s.fenced(), []string{r.key("state"), key, r.key("reports")}, append(head, args...))
	if err != nil {
		return nil, err
	}
	if len(reply) == 0 {
		return nil, errors.New("lease: redis: an empty answer")
	}
	switch reply[0] {
	case "OK":
		return reply[1:], nil
	case "LOST":
		return nil, ErrLost
	case "BUSY":
		return nil, ErrOccupied
	case "CLONE":
		return nil, ErrCloned
	case "SPACE":
		return nil, r.mismatch(reply[1])
	}
	numbers, err := integers(reply[1:])
	switch {
	case err == nil && reply[0] == "WAIT":
		return nil, &QuarantineError{Store: "redis", Wait: time.Duration(numbers[0]) * time.Millisecond}
	case err == nil && reply[0] == "SKEW":
		return nil, skewed("redis", numbers[0], wallClock().UnixMilli())
	}
	return nil, fmt.Errorf("lease: redis: an answer that cannot be read: %v", reply)
}

// mismatch says in what this instance differs from the space in Redis.
func (r *Redis) mismatch(stored any) error {
	var there Space
	if text, ok := stored.(string); !ok || json.Unmarshal([]byte(text), &there) != nil {
		return fmt.Errorf("%w in redis, of a version that this program does not know", ErrSpace)
	}
	if err := there.Mismatch(r.space, "redis"); err != nil {
		return err
	}
	return fmt.Errorf("%w in redis: %v", ErrSpace, stored)
}

// Close closes all connections.
func (r *Redis) Close() error { return r.client.Close() }

// identity is an instance as the lock shows it.
func identity(i Instance) string {
	text, err := json.Marshal(i)
	if err != nil {
		panic(err) // strings and a time
	}
	return string(text)
}

// integers reads the script's numbers, which it sends as text.
func integers(reply []any) (numbers []int64, err error) {
	for _, item := range reply {
		text, _ := item.(string)
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}
