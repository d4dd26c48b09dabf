package faults

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"waybill/generator"
	"waybill/internal/testenv"
)

// The spaces by what their leases rest on.
const (
	byRedis    = "redis"
	byPostgres = "postgres"
	byBoth     = "redis+postgres"
)

// plan is what a fleet is to be; the zero values are the usual choice.
type plan struct {
	instances int           // 2
	window    time.Duration // 2 s; 5 s where nobody is to notice that Redis is gone
	env       []string      // of every instance
	linked    bool          // each instance reaches its stores through links of its own
	flags     []string      // of go build

	redis    *testenv.RedisServer    // a new one that keeps nothing on disk
	postgres *testenv.PostgresServer // a new one
	database string                  // a new one, migrated
}

// fleet is some instances of one number space under observation.
type fleet struct {
	t       *testing.T
	space   string
	window  time.Duration
	clients clients

	redis    *testenv.RedisServer    // nil in a postgres space
	postgres *testenv.PostgresServer // nil in a redis space
	database string                  // its URL, "" in a redis space
	env      []string                // of every instance, without the stores
	flags    []string
	toxi     *testenv.ToxiproxyServer // nil unless linked

	members []*member
}

// member is one instance.
type member struct {
	*testenv.WaybillServer
	index    int
	redis    *testenv.Proxy // nil unless linked
	postgres *testenv.Proxy

	watch
}

// in runs a test in each of the spaces, beside each other.
func in(t *testing.T, spaces []string, test func(t *testing.T, space string)) {
	t.Helper()
	t.Parallel()
	for _, space := range spaces {
		t.Run(space, func(t *testing.T) {
			t.Parallel()
			test(t, space)
		})
	}
}

var withRedis = []string{byRedis, byBoth}

// unsynced is a Postgres that survives whatever happens to its processes. That of the machine is not tested here, and so
// many fleets would wait for the disk, not for the end of windows.
var unsynced = []string{"-c", "fsync=off", "-c", "max_connections=200"}

// start returns a fleet under load, of which every instance has issued numbers.
func start(t *testing.T, space string, p plan) *fleet {
	t.Helper()
	f := assemble(t, space, p)
	if p.instances == 0 {
		p.instances = 2
	}
	for range p.instances {
		f.join()
	}
	for _, m := range f.members {
		m.WaitReady(t)
	}
	f.load()
	f.issues("before the fault", probe+busy)
	return f
}

// assemble is a fleet with its stores and without an instance.
func assemble(t *testing.T, space string, p plan) *fleet {
	t.Helper()
	if p.window == 0 && space == byBoth {
		p.window = 5 * time.Second
	} else if p.window == 0 {
		p.window = 2 * time.Second
	}
	f := &fleet{t: t, space: space, window: p.window, redis: p.redis, postgres: p.postgres, database: p.database, flags: p.flags}
	// Eight workers: enough for a second one each, and so few that a worker which is not free is soon asked for.
	f.env = append([]string{"WORKER_BITS=3", "LEASE_WINDOW=" + p.window.String(), "LEASE_CLAIM=" + claim.String()}, p.env...)
	f.clients.init(layoutOf(t, f.env))
	if p.linked {
		f.toxi = testenv.Toxiproxy(t)
	}
	if space != byPostgres && f.redis == nil {
		f.redis = testenv.Redis(t)
	}
	if space != byRedis && f.postgres == nil {
		f.postgres = testenv.Postgres(t, unsynced...)
	}
	if f.postgres != nil && f.database == "" {
		f.database = migrated(t, f.postgres)
	}
	t.Cleanup(f.stop) // before the instances are killed
	return f
}

// migrated is the URL of a new database with the program's schema.
func migrated(t *testing.T, postgres *testenv.PostgresServer) string {
	t.Helper()
	url := postgres.NewDatabase(t)
	if _, stderr, code := testenv.Run(t, []string{"DATABASE_URL=" + url}, "migrate", "up"); code != 0 {
		t.Fatal(stderr)
	}
	return url
}

// join starts one more instance; env wins.
func (f *fleet) join(env ...string) *member {
	f.t.Helper()
	m := &member{index: len(f.members)}
	var stores []string
	if f.redis != nil {
		url := f.redis.URL
		if f.toxi != nil {
			m.redis = f.toxi.Proxy(f.redis.Addr)
			url = m.redis.Through(url)
		}
		stores = append(stores, "REDIS_URL="+url)
	}
	if f.postgres != nil {
		url := f.database
		if f.toxi != nil {
			m.postgres = f.toxi.Proxy(f.postgres.Addr)
			url = m.postgres.Through(url)
		}
		stores = append(stores, "DATABASE_URL="+url+"&pool_max_conns=4")
	}
	env = append(append(stores, f.env...), env...)
	m.WaybillServer = testenv.WaybillBuilt(f.t, f.flags, env...)
	f.members = append(f.members, m)
	return m
}

// layoutOf is how the numbers of an instance with this environment are read.
func layoutOf(t *testing.T, env []string) generator.Layout {
	t.Helper()
	bits := 10
	for _, entry := range env {
		if text, ok := strings.CutPrefix(entry, "WORKER_BITS="); ok {
			if _, err := fmt.Sscan(text, &bits); err != nil {
				t.Fatal(err)
			}
		}
	}
	layout, err := generator.NewLayout(bits, 12, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return layout
}

// quarantine is how long a Redis that lost its memory grants nothing.
func (f *fleet) quarantine() time.Duration {
	if f.space == byRedis {
		return f.window + quarantineMargin
	}
	return 0
}

// do asks Redis, which must answer.
func (f *fleet) do(args ...string) string {
	f.t.Helper()
	return do(f.t, f.redis, args...)
}

func do(t *testing.T, redis *testenv.RedisServer, args ...string) string {
	t.Helper()
	reply, err := redis.Do(args...)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return reply
}

// runID is the name of this life of Redis.
func (f *fleet) runID() string {
	f.t.Helper()
	id, err := f.redis.Info("run_id")
	if err != nil {
		f.t.Fatal(err)
	}
	return id
}
