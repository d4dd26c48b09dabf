package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"waybill/internal/testenv"
	"waybill/lease"

	"github.com/sethvargo/go-envconfig"
)

func TestTheOperatorsListenerIsForThisMachineUnlessSaidOtherwise(t *testing.T) {
	for _, c := range []struct{ address, token, auth, fault string }{
		{"0.0.0.0:8001", "", "", "set OPS_TOKEN, or OPS_AUTH=none"},
		{"0.0.0.0:8001", "a-token-of-16-by", "", ""},
		{"0.0.0.0:8001", "", "none", ""},
		{"0.0.0.0:8001", "a-token-of-16-by", "none", ""},
		{"127.0.0.1:8001", "", "", ""},
		{"shared", "", "", "set OPS_TOKEN"},
		{"shared", "", "none", "set OPS_TOKEN"}, // the public listener is the world's
		{"shared", "a-token-of-16-by", "", ""},
	} {
		_, err := loadConfig(context.Background(), envconfig.MapLookuper(map[string]string{"OPS_ADDR": c.address, "OPS_TOKEN": c.token, "OPS_AUTH": c.auth}))
		if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestLeasesAsksTheListenerOfTheEnvironment(t *testing.T) {
	for _, c := range []struct{ given, address, port, want string }{
		{"", "127.0.0.1:8001", "8000", "http://127.0.0.1:8001/leases"},
		{"", "waybill-1:9", "8000", "http://waybill-1:9/leases"},
		{"", "0.0.0.0:8001", "8000", "http://localhost:8001/leases"},
		{"", "[::]:8001", "8000", "http://localhost:8001/leases"},
		{"", "[::1]:8001", "8000", "http://[::1]:8001/leases"},
		{"", ":8001", "8000", "http://localhost:8001/leases"},
		{"", "shared", "8000", "http://localhost:8000/leases"},
		{"", "shared", "0", ""},
		{"", "127.0.0.1:0", "8000", ""},
		{"", "8001", "8000", ""},
		{"http://waybill-2:8001", "shared", "0", "http://waybill-2:8001/leases"},
		{"https://waybill-2/ops/", "", "", "https://waybill-2/ops/leases"},
		{"waybill-2:8001", "127.0.0.1:8001", "8000", ""},
		{"http://", "127.0.0.1:8001", "8000", ""},
	} {
		if got, err := leasesURL(c.given, variables{OpsAddr: c.address, Port: c.port}); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%+v: %s, %v", c, got, err)
		}
	}
}

func TestWhatLeasesDoesNotUnderstandIsSaid(t *testing.T) {
	for _, args := range [][]string{{"--wotch"}, {"now"}, {"--url", "waybill-1:8001"}, {"--url"}, {"--watch=maybe"}} {
		if code, out, err := command(t, nil, append([]string{"leases"}, args...)...); code != exitUsage || out != "" || !strings.Contains(err, "waybill leases -h") {
			t.Errorf("%v: %d %s%s", args, code, out, err)
		}
	}
	for _, help := range []string{"-h", "--help"} {
		if code, out, err := command(t, nil, "leases", help); code != 0 || out != leasesHelp || err != "" {
			t.Errorf("%s: %d %s%s", help, code, out, err)
		}
	}
}

func TestTheTableIsAlignedAndHarmless(t *testing.T) {
	at := time.Date(2026, 11, 22, 9, 15, 30, 0, time.UTC)
	five, offset := 5, int64(-12)
	part := func(name string, left float64) lease.MemberPart {
		return lease.MemberPart{Name: name, Span: lease.Span{SecondsLeft: left}}
	}
	f := lease.Fleet{
		Authorities: lease.ByRedisAndPostgres, Time: at, DaysLeft: 12345.99, Workers: lease.Workers{Total: 1024, Held: 3, Free: 1020, Parked: 1},
		Problems: []string{"redis: cannot be asked:\nfire"},
		Instances: []lease.Member{
			{
				Instance: lease.Instance{Name: "waybill-1", Version: "v1", Address: "waybill-1:8000"}, Worker: &five, Windows: []lease.MemberPart{part("redis", 59.99), part("postgres", 1700.2)},
				Report: lease.Report{State: lease.Live, Time: at.Add(-2 * time.Second), Issued: 1234567, OffsetMS: &offset},
			},
			{Instance: lease.Instance{Name: "e\x1b[2Jvil\tone\n"}, Report: lease.Report{State: lease.Standby, Time: at.Add(time.Second), Err: "none is free"}},
		},
	}
	want := `INSTANCE       WORKER  STATE    REDIS  POSTGRES  REFRESHED  ISSUED     OFFSET  VERSION  ADDRESS         ERROR
waybill-1      5       live     59 s   1700 s    2s ago     1,234,567  -12 ms  v1       waybill-1:8000  -
e [2Jvil one   -       standby  -      -         0s ago     0          -       -        -               none is free
workers: 1,024 total, 3 held, 1,020 free, 1 parked; 12,345 days left
problem: redis: cannot be asked: fire
`
	if got := string(fleetTable(f)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -999: "-999", -1000: "-1,000", 100000: "100,000", 1234567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("%d is %s", n, got)
		}
	}
}

// An instance that refuses, in each way, is told apart.
func TestLeasesSaysWhatARefusalMeans(t *testing.T) {
	status, body := 200, ""
	token := ""
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token = r.Header.Get("Authorization")
		if status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	for _, c := range []struct {
		status      int
		body, token string
		want        string
	}{
		{401, "{}", "", "set OPS_TOKEN"},
		{401, "{}", "a-token-of-16-by", "does not take this OPS_TOKEN"},
		{404, "{}", "", "public listener"},
		{503, `{"detail":"redis is away"}`, "", "the instance is starting: redis is away"},
		{502, "<html>", "", "answered 502"},
		{302, "", "a-token-of-16-by", "answered 302"},
		{200, "<html>", "", "cannot be read"},
	} {
		status, body = c.status, c.body
		code, out, err := command(t, []string{"OPS_TOKEN=" + c.token}, "leases", "--url", web.URL)
		if code != exitFailure || out != "" || !strings.Contains(err, c.want) {
			t.Errorf("%+v: %d %s%s", c, code, out, err)
		}
		if want := strings.TrimSuffix("Bearer "+c.token, "Bearer "); token != want {
			t.Errorf("%+v: sent %q", c, token)
		}
	}
	web.Close()
	if code, _, err := command(t, nil, "leases", "--url", web.URL); code != exitFailure || !strings.Contains(err, "no instance answers at "+web.URL) {
		t.Errorf("away: %d %s", code, err)
	}
}

// screen is what was written so far.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestAWatchOutlivesAnInstanceThatIsAway(t *testing.T) {
	const clear = "\x1b[H\x1b[2J"
	var calls atomic.Int64
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) == 2 {
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write([]byte(`{"authorities":"file","workers":{"total":4}}`))
	}))
	defer web.Close()
	var watching sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	var table, raw, terminal, errs screen
	for _, c := range []struct {
		raw, terminal bool
		out           *screen
	}{{false, false, &table}, {true, false, &raw}, {false, true, &terminal}} {
		o := newObserver("", c.raw)
		o.url, o.every = web.URL+"/leases", 20*time.Millisecond
		watching.Go(func() {
			if err := o.watch(ctx, c.out, &errs, c.terminal); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, 10*time.Second, "three rounds", func() bool {
		return strings.Count(terminal.String(), clear) >= 3 && strings.Count(raw.String(), "\n") >= 2 && strings.Count(table.String(), "\n\n") >= 3
	})
	cancel()
	watching.Wait()
	if said := table.String() + terminal.String() + errs.String(); strings.Count(said, "no instance answers") != 1 {
		t.Errorf("one was away once:\n%s", said)
	}
	for _, s := range []string{table.String(), raw.String()} {
		if strings.Contains(s, "\x1b") {
			t.Errorf("what is no terminal is cleared: %q", s)
		}
	}
	if strings.Contains(raw.String(), "answers at") || !strings.HasPrefix(raw.String(), `{"authorities":"file","workers":{"total":4}}`+"\n") {
		t.Errorf("not JSON alone: %q", raw.String())
	}
	if !strings.Contains(table.String(), "workers: 4 total") {
		t.Errorf("%q", table.String())
	}
}

func TestCtrlCEndsAWatch(t *testing.T) {
	cmd := exec.Command(testenv.WaybillBinary(t), "leases", "--watch", "--url", "http://127.0.0.1:1")
	var out screen
	cmd.Env, cmd.Stdout, cmd.Stderr = []string{}, &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	eventually(t, 10*time.Second, "it has asked", func() bool { return strings.Contains(out.String(), "no instance answers") })
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
}
