package lease

import (
	"context"
	"flag"
	"log/slog"
	"sync"
	"testing"
	"time"

	"waybill/generator"
	"waybill/internal/testenv"
)

var (
	cycles    = flag.Int("lease.cycles", 100, "acquire and stop cycles")
	instances = flag.Int("lease.instances", fleetAtOnce, "instances that start at once, at most 1,024")
)

// bothStores are a Redis and a Postgres of one space.
func bothStores(t testing.TB) (*Redis, *Postgres) {
	t.Helper()
	url := testenv.Postgres(t, "-c", "fsync=off").NewDatabase(t)
	s := postgresSpace(t, url, ByRedisAndPostgres)
	return openRedis(t, testenv.Redis(t).URL, s), openPostgres(t, url, s)
}

// running is a keeper with its generator.
type running struct {
	keeper    *Keeper
	generator *generator.Generator
	stop      func()
}

func runKeeper(t testing.TB, authorities ...Authority) running {
	t.Helper()
	l, err := generator.NewLayout(10, 12, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	r := running{generator: generator.New(l)}
	r.keeper = NewKeeper(Config{Generator: r.generator, Authorities: authorities, Issued: func() uint64 { return 0 }, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := r.keeper.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	r.stop = sync.OnceFunc(func() { cancel(); done.Wait() })
	t.Cleanup(r.stop)
	return r
}

// live waits for a window.
func (r running) live(t testing.TB, within time.Duration) {
	t.Helper()
	for begin := time.Now(); r.keeper.Ready() != nil; time.Sleep(200 * time.Microsecond) {
		if time.Since(begin) > within {
			t.Fatalf("not live after %s: %v, %v", within, r.keeper.Ready(), r.keeper.Status().Error)
		}
	}
}

// everyWorker waits until all are free in a store, which takes as long as the
// stamps that ran ahead of the clock.
func everyWorker(t *testing.T, a Authority) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		v, err := a.Free(context.Background(), Instance{})
		if err != nil {
			t.Fatal(err)
		}
		if len(v.Workers) == 1024 {
			return
		}
		if time.Since(begin) > time.Second {
			t.Fatalf("%s: %d of 1,024 workers are free", a.Name(), len(v.Workers))
		}
	}
}

func TestCyclesOfStartAndStopLeakNoWorker(t *testing.T) {
	r, p := bothStores(t)
	begin := time.Now()
	for range *cycles {
		k := runKeeper(t, r, p)
		k.live(t, 5*time.Second)
		if _, err := k.generator.Next(context.Background()); err != nil {
			t.Fatal(err)
		}
		k.stop()
		if err := k.keeper.Release(context.Background(), k.generator.Close()); err != nil {
			t.Fatal(err)
		}
	}
	took := time.Since(begin)
	everyWorker(t, r)
	everyWorker(t, p)
	t.Logf("%d cycles in %s", *cycles, took.Round(time.Millisecond))
}

// Each instance of a fleet takes a worker of its own, and gives it back.
func TestAFleetThatStartsAtOnceGetsAWorkerEach(t *testing.T) {
	server := testenv.Redis(t)
	url := testenv.Postgres(t, "-c", "fsync=off").NewDatabase(t)
	s := postgresSpace(t, url, ByRedisAndPostgres)
	s.Window = Duration(time.Minute)
	execute(t, url, "UPDATE number_space SET definition = $1", s.definition())
	claims := make([]*Postgres, min(*instances, 16)) // shared: Postgres has a hundred connections for all
	for i := range claims {
		claims[i] = openClaims(t, url, s, 30*time.Minute) // as configured by default: a fleet of a thousand would spend its time on shorter ones
	}
	entering := time.Now()
	clients := make([]*Redis, *instances)
	for i := range clients {
		clients[i] = openRedis(t, server.URL, s)
	}
	t.Logf("%d clients entered after %s", *instances, time.Since(entering).Round(time.Millisecond))
	begin := time.Now()
	fleet := make([]running, *instances)
	for i := range fleet {
		fleet[i] = runKeeper(t, clients[i], claims[i%len(claims)])
	}
	for _, k := range fleet {
		k.live(t, 30*time.Second)
	}
	t.Logf("%d instances live after %s", *instances, time.Since(begin).Round(time.Millisecond))
	workers, numbers := map[int]bool{}, map[uint64]bool{}
	for _, k := range fleet {
		id, err := k.generator.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		workers[k.generator.Window().Worker], numbers[uint64(id)] = true, true
	}
	if len(workers) != *instances || len(numbers) != *instances {
		t.Errorf("%d instances hold %d workers and issued %d numbers", *instances, len(workers), len(numbers))
	}
	for _, a := range []Authority{clients[0], claims[0]} {
		if v, err := a.Free(context.Background(), Instance{}); err != nil || len(v.Workers) > 1024-*instances {
			t.Errorf("%s: %d workers are free, %v", a.Name(), len(v.Workers), err)
		}
	}
	var all sync.WaitGroup
	for _, k := range fleet {
		all.Go(func() {
			k.stop()
			if err := k.keeper.Release(context.Background(), k.generator.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	everyWorker(t, clients[0])
	everyWorker(t, claims[0])
}
