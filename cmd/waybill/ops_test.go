package main

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"waybill/internal/testenv"
	"waybill/lease"
)

// fleetOf asks an instance for the fleet; a refusal is an empty one.
func (c *client) fleetOf(s *testenv.WaybillServer) (f lease.Fleet) {
	if status, body, _ := c.get(s.OpsURL + "/leases"); status == 200 {
		_ = json.Unmarshal(body, &f)
	}
	return f
}

// rows is a fleet in a word for each instance: worker, state, and the
// authorities whose windows are told.
func rows(f lease.Fleet) map[string]string {
	m := map[string]string{}
	for _, i := range f.Instances {
		row := string(i.State)
		for _, w := range i.Windows {
			row += " " + w.Name
		}
		m[i.Name] = row
	}
	return m
}

func workerOf(f lease.Fleet, instance string) int {
	for _, i := range f.Instances {
		if i.Name == instance && i.Worker != nil {
			return *i.Worker
		}
	}
	return -1
}

// interrupt stops an instance as Ctrl-C does.
func interrupt(t *testing.T, s *testenv.WaybillServer) {
	t.Helper()
	_ = s.Signal(os.Interrupt)
	if state, err := s.Wait(t.Context()); err != nil || state.ExitCode() != 0 {
		t.Errorf("%v, %v", state, err)
	}
}

// Five instances for four workers. Operators see each of them from each of them,
// from before the stores are there until after the lease was given back.
func TestOperatorsSeeTheFleet(t *testing.T) {
	redis := testenv.Redis(t)
	_, url := migrated(t)
	c := newClient()
	launch := func(name string) *testenv.WaybillServer {
		return testenv.Waybill(t, "REDIS_URL="+redis.URL, "DATABASE_URL="+url, "WORKER_BITS=2", "LEASE_WINDOW=5s", "INSTANCE="+name)
	}
	const both, live = " redis postgres", "live redis postgres"

	redis.Pause()
	a := launch("a")
	eventually(t, 10*time.Second, "starting, and why", func() bool {
		var s lease.Status
		_, body, _ := c.get(a.OpsURL + "/lease")
		return json.Unmarshal(body, &s) == nil && s.State == lease.Starting && s.Name == "a" && strings.Contains(s.Error, "redis") && s.DaysLeft > 1000
	})
	if status, body, _ := c.get(a.OpsURL + "/leases"); status != 503 || !strings.Contains(string(body), "not-ready") {
		t.Errorf("/leases before admission: %d %s", status, body)
	}
	if _, stderr, code := testenv.Run(t, []string{"OPS_ADDR=" + strings.TrimPrefix(a.OpsURL, "http://")}, "leases"); code != exitFailure || !strings.Contains(stderr, "the instance is starting: ") {
		t.Errorf("leases before admission: %d %s", code, stderr)
	}
	redis.Resume()

	all := []*testenv.WaybillServer{a, launch("b"), launch("c"), launch("d")}
	for _, s := range all {
		s.WaitReady(t)
	}
	e := launch("e")
	for _, s := range append(all, e) {
		var f lease.Fleet
		eventually(t, 10*time.Second, "four hold, one stands by", func() bool {
			f = c.fleetOf(s)
			r := rows(f)
			return len(f.Instances) == 5 && r["a"] == live && r["b"] == live && r["c"] == live && r["d"] == live && r["e"] == "standby"
		})
		if f.Workers != (lease.Workers{Total: 4, Held: 4}) || len(f.Problems) != 0 || f.Authorities != lease.ByRedisAndPostgres || f.Space == "" {
			t.Errorf("%+v", f)
		}
		for worker, i := range f.Instances[:4] {
			if *i.Worker != worker || i.Since.IsZero() || i.Time.IsZero() || i.Address == "" || i.Windows[0].SecondsLeft > 5 || i.Windows[1].SecondsLeft < 600 {
				t.Errorf("in place %d: %+v", worker, i)
			}
		}
	}
	assertLeasesCommand(t, all[2])

	// One is killed: its worker rests, as Postgres knows it.
	worker := workerOf(c.fleetOf(all[1]), "a")
	a.Kill()
	eventually(t, 10*time.Second, "a's worker is parked", func() bool {
		f := c.fleetOf(all[1])
		return rows(f)["a"] == "parked postgres" && workerOf(f, "a") == worker && f.Workers == (lease.Workers{Total: 4, Held: 3, Parked: 1}) && rows(f)["e"] == "standby"
	})

	// One is stopped: it holds nothing, and the standby takes over.
	interrupt(t, all[1])
	eventually(t, 10*time.Second, "e holds what b held", func() bool {
		f := c.fleetOf(all[2])
		_, there := rows(f)["b"]
		return !there && rows(f)["e"] == live && f.Workers == (lease.Workers{Total: 4, Held: 3, Parked: 1})
	})

	// Without Redis the last one cannot give back at once: operators are answered
	// when the world no longer is.
	redis.Pause()
	f := c.fleetOf(all[3])
	if len(f.Problems) != 1 || !strings.HasPrefix(f.Problems[0], "redis: cannot be asked: ") || !strings.HasSuffix(rows(f)["d"], both) || rows(f)["c"] == "" {
		t.Errorf("without Redis: %+v", f)
	}
	_ = all[3].Signal(os.Interrupt)
	eventually(t, 5*time.Second, "operators are told of the end", func() bool {
		var s lease.Status
		public, _, _ := c.get(all[3].URL + "/livez")
		_, body, _ := c.get(all[3].OpsURL + "/lease")
		return public == 0 && json.Unmarshal(body, &s) == nil && s.State == lease.Released
	})
	redis.Resume()
	interrupt(t, all[3])
	interrupt(t, all[2])
	interrupt(t, e)
	if held := count(t, url, "SELECT count(*) FROM worker_leases WHERE token IS NOT NULL"); held != 1 {
		t.Errorf("%d workers are held in Postgres, want that of the one that was killed", held)
	}
}

func assertLeasesCommand(t *testing.T, s *testenv.WaybillServer) {
	t.Helper()
	address := "OPS_ADDR=" + strings.TrimPrefix(s.OpsURL, "http://")
	stdout, stderr, code := testenv.Run(t, []string{address}, "leases", "--json")
	var f lease.Fleet
	if err := json.Unmarshal([]byte(stdout), &f); err != nil || code != 0 || stderr != "" || f.Workers.Held != 4 || strings.Count(stdout, "\n") != 1 {
		t.Errorf("leases --json: %d %v\n%s%s", code, err, stdout, stderr)
	}
	stdout, stderr, code = testenv.Run(t, nil, "leases", "--url", s.OpsURL)
	lines := strings.Split(stdout, "\n")
	if code != 0 || stderr != "" || len(lines) != 8 || !strings.HasPrefix(lines[0], "INSTANCE  WORKER  STATE    REDIS  POSTGRES  REFRESHED  ISSUED  OFFSET") ||
		!strings.HasPrefix(lines[5], "e         -       standby  -") || !strings.HasPrefix(lines[6], "workers: 4 total, 4 held, 0 free, 0 parked; ") {
		t.Errorf("leases: %d\n%s%s", code, stdout, stderr)
	}
	if _, stderr, code := testenv.Run(t, []string{address, "PORT=0", "DATA_DIR=" + t.TempDir()}); code != exitFailure || !strings.Contains(stderr, "OPS_ADDR: ") || !strings.Contains(stderr, "OPS_ADDR=127.0.0.1:8002") {
		t.Errorf("a second instance on the same address: %d %s", code, stderr)
	}
}

// A platform with one port: the operators' routes are public, behind the token.
func TestOneListenerServesBothWithAToken(t *testing.T) {
	const token = "a-token-of-16-by"
	s := testenv.Waybill(t, "OPS_ADDR=shared", "OPS_TOKEN="+token)
	s.WaitReady(t)
	c := newClient()
	if !c.next(s.URL) {
		t.Errorf("refused %v", c.refused)
	}
	for _, path := range []string{"/lease", "/leases"} {
		if status, body, header := c.get(s.URL + path); status != http.StatusUnauthorized || header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	port := s.URL[strings.LastIndexByte(s.URL, ':')+1:]
	stdout, stderr, code := testenv.Run(t, []string{"OPS_ADDR=shared", "PORT=" + port, "OPS_TOKEN=" + token}, "leases")
	if code != 0 || !strings.Contains(stdout, "INSTANCE") || !strings.Contains(stdout, " FILE ") || !strings.Contains(stdout, "workers: 1,024 total, 1 held, 1,023 free, 0 parked; ") {
		t.Errorf("%d %s%s", code, stdout, stderr)
	}
	if strings.Contains(s.Output(), token) {
		t.Error("the token is in the log")
	}
}
