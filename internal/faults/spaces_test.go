package faults

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"waybill/internal/testenv"
)

// Each of the two has as many instances as workers: were they one space, half would stand by.
func TestTwoSpacesInOneRedis(t *testing.T) {
	t.Parallel()
	redis, postgres := testenv.Redis(t), testenv.Postgres(t, unsynced...)
	var fleets []*fleet
	for range 2 {
		fleets = append(fleets, start(t, byBoth, plan{redis: redis, postgres: postgres, env: []string{"WORKER_BITS=1"}}))
	}
	if keys := strings.Split(do(t, redis, "KEYS", "*:state"), "\n"); len(keys) != 2 {
		t.Errorf("the states of two spaces: %q", keys)
	}
	begin := time.Now()
	for _, m := range fleets[0].members {
		if state := m.Stop(); !state.Success() {
			t.Errorf("SIGTERM ended it with %v", state)
		}
	}
	time.Sleep(2 * fleets[1].window)
	fleets[1].issues("after the other space's instances have left", probe+busy)
	fleets[1].servedAll(begin)
	for _, f := range fleets {
		f.finish()
	}
}

// Half of the instances have another Redis: Postgres keeps them apart.
func TestTwoRedisBehindOnePostgres(t *testing.T) {
	t.Parallel()
	f := start(t, byBoth, plan{env: []string{"WORKER_BITS=2"}})
	other := testenv.Redis(t)
	for range 2 {
		f.join("REDIS_URL=" + other.URL).WaitReady(t)
	}
	f.load()
	begin := time.Now()
	f.issues("with two Redis", probe+busy)
	time.Sleep(2 * f.window)
	do(t, other, "FLUSHALL")
	f.issues("after one of them was flushed", probe+busy)
	f.servedAll(begin)
	var workers []int
	for _, m := range f.members {
		l, _ := f.lease(m)
		if l.Worker == nil || slices.Contains(workers, *l.Worker) {
			t.Fatalf("instance %d has the lease %+v beside the workers %v", m.index, l, workers)
		}
		workers = append(workers, *l.Worker)
	}
	f.finish()
}

// An instance that differs from its space in what keeps numbers apart, or in how they are read, takes no part.
func TestAnInstanceThatDiffersFromItsSpaceNeverIssues(t *testing.T) {
	in(t, allSpaces, func(t *testing.T, space string) {
		f := start(t, space, plan{instances: 1})
		const stores = "REDIS_URL and DATABASE_URL"
		differing := map[string]string{ // what an instance has: what it is told
			"WORKER_BITS=9":                          "WORKER_BITS",
			"SEQUENCE_BITS=11":                       "SEQUENCE_BITS",
			"NUMBER_EPOCH=2026-01-02T00:00:00Z":      "NUMBER_EPOCH",
			"SECRET_KEY=a test's secret of any kind": "SECRET_KEY",
		}
		switch space {
		case byRedis:
			differing["DATABASE_URL="+migrated(t, testenv.Postgres(t))] = stores
			differing["REDIS_REPLICAS=1"] = "REDIS_REPLICAS"
			differing["LEASE_WINDOW=7s"] = "LEASE_WINDOW"
		case byPostgres:
			differing["REDIS_URL="+testenv.Redis(t).URL] = stores
		case byBoth:
			differing["DATABASE_URL="] = stores
			differing["REDIS_URL="] = stores
			differing["LEASE_WINDOW=7s"] = "LEASE_WINDOW"
		}
		strangers := map[string]*member{}
		for entry := range differing {
			strangers[entry] = f.join(entry)
		}
		time.Sleep(f.quarantine() + probe) // as a space of its own it would be ready by then
		for entry, m := range strangers {
			status, _, body := f.clients.get(m.URL + "/readyz")
			if status != http.StatusServiceUnavailable || !strings.Contains(string(body), differing[entry]) {
				t.Errorf("%s is ready: %d %s, want %s", entry, status, body, differing[entry])
			}
			for range enough {
				if status, _, body := f.clients.get(m.URL + example); status != http.StatusServiceUnavailable {
					t.Errorf("%s issues: %d %s", entry, status, body)
					break
				}
			}
		}
		f.issues("beside strangers", probe+busy, f.members[0])
		f.stop()
		f.members = f.members[:1]
		f.finish()
	})
}
