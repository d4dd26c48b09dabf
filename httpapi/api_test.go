package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"waybill/generator"
	"waybill/persist"

	"github.com/google/uuid"
)

// service is an API on a real spool, with a real server in front.
type service struct {
	server  *Server
	client  http.Client
	URL     string
	address string
	api     *API
	spool   *persist.Spool
	logged  *lockedBuilder
	ready   error
}

// lockedBuilder takes a log that several goroutines write.
type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuilder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuilder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// nothing is a store that has no records: look-ups here are answered by spools.
type nothing struct{ persist.Store }

func (nothing) Find(context.Context, generator.ID) (persist.Record, error) {
	return persist.Record{}, persist.ErrNotFound
}

// logEveryRequest makes start's services log, and so answer through the routes.
var logEveryRequest bool

// bothWays runs a test with plain GETs answered on their connection, and again
// with all answers going through the routes.
func bothWays(t *testing.T, test func(t *testing.T)) {
	t.Run("short", test)
	logEveryRequest = true
	defer func() { logEveryRequest = false }()
	t.Run("routed", test)
}

func start(t *testing.T, change func(*Config, *persist.Options)) *service {
	t.Helper()
	s := &service{logged: new(lockedBuilder), client: http.Client{Transport: &http.Transport{}}}
	level := slog.LevelWarn // no access log: the short way
	if logEveryRequest {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewJSONHandler(s.logged, &slog.HandlerOptions{Level: level}))
	layout, err := generator.NewLayout(10, 12, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	g := generator.New(layout)
	g.SetClock(time.Now().UnixMilli())
	g.Use(generator.Window{Worker: 5, From: time.Now().UnixMilli(), Until: time.Now().UnixMilli() + 60_000, Epoch: 3})
	options := persist.Options{Dir: t.TempDir(), Space: uuid.New(), Layout: layout.String(), Ack: persist.AckSpool, Limit: 1 << 30, SegmentSize: 64 << 10, Log: log}
	config := Config{Generator: g, Log: log, Ready: func() error { return errors.Join(s.ready, s.spool.Ready()) }}
	if change != nil {
		change(&config, &options)
	}
	if s.spool, err = persist.NewSpool(options); err != nil {
		t.Fatal(err)
	}
	s.api = New(config)
	s.api.Open(Records{Spool: s.spool, Lookup: persist.NewLookup(nothing{}, s.spool)})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = s.spool.Run(ctx) })
	running.Go(func() { _ = s.api.Run(ctx) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address, s.URL = l.Addr().String(), "http://"+l.Addr().String()
	s.server = NewServer(s.api)
	running.Go(func() {
		if err := s.server.Serve(l); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		if err := s.server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		cancel()
		running.Wait()
		_ = s.spool.Close()
	})
	return s
}

// answer is a response, read.
type answer struct {
	*http.Response
	body string
}

func (s *service) do(t *testing.T, method, target string) answer {
	t.Helper()
	r, err := http.NewRequest(method, s.URL+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response, string(body)}
}

func assertProblem(t *testing.T, a answer, status int, kind string) (p problem) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatalf("%q: %v", a.body, err)
	}
	if a.StatusCode != status || p.Status != status || p.Type != "/problems/"+kind || p.Title == "" ||
		a.Header.Get("Content-Type") != "application/problem+json" || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v %s, want a %d problem %s", a.StatusCode, a.Header, a.body, status, kind)
	}
	if (status == 503) != (a.Header.Get("Retry-After") != "") {
		t.Errorf("%d with Retry-After %q", status, a.Header.Get("Retry-After"))
	}
	return p
}

func TestBothFormsOfTheURLIssueANumber(t *testing.T) { bothWays(t, testBothFormsOfTheURLIssueANumber) }

func testBothFormsOfTheURLIssueANumber(t *testing.T) {
	s := start(t, nil)
	for i, path := range []string{"/next-tracking-number", "/next-tracking-number/"} {
		before := time.Now().Add(-2 * time.Millisecond) // whole milliseconds
		a := s.do(t, "GET", path+"?"+theOriginalsQuery)
		var got struct {
			TrackingNumber string `json:"tracking_number"`
			CreatedAt      string `json:"created_at"`
		}
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.StatusCode != 200 {
			t.Fatalf("%d %s %v", a.StatusCode, a.body, err)
		}
		if a.Header.Get("Content-Type") != "application/json" || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("headers %v", a.Header)
		}
		id, origin, err := (generator.Form{}).Parse(got.TrackingNumber)
		if err != nil || origin.String() != "MY" || s.api.Generator.Layout().Worker(id) != 5 {
			t.Errorf("%s: %v", got.TrackingNumber, err)
		}
		at, err := time.Parse("2006-01-02T15:04:05.000Z", got.CreatedAt)
		if err != nil || !at.Equal(s.api.Generator.Layout().Time(id)) || at.Before(before) || at.After(time.Now().Add(time.Second)) {
			t.Errorf("created at %s, %v", got.CreatedAt, err)
		}
		if s.spool.Last() != uint64(i+1) {
			t.Errorf("%d records after %d replies", s.spool.Last(), i+1)
		}
	}
}

func TestNothingButAGoodGetIssuesANumber(t *testing.T) {
	bothWays(t, testNothingButAGoodGetIssuesANumber)
}

func testNothingButAGoodGetIssuesANumber(t *testing.T) {
	s := start(t, nil)
	for _, method := range []string{"HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		a := s.do(t, method, "/next-tracking-number?"+theOriginalsQuery)
		if a.StatusCode != 405 || a.Header.Get("Allow") != "GET" {
			t.Errorf("%s: %d, Allow %q", method, a.StatusCode, a.Header.Get("Allow"))
		}
	}
	for _, path := range []string{"/", "/NEXT-tracking-number", "/next-tracking-number//", "/tracking-numbers/", "/metrics", "/readyz/"} {
		assertProblem(t, s.do(t, "GET", path+"?"+theOriginalsQuery), 404, "not-found")
	}
	assertProblem(t, s.do(t, "GET", "/next-tracking-number?"+theOriginalsQuery+"&x="+strings.Repeat("x", 4096)), 414, "query-too-long")
	p := assertProblem(t, s.do(t, "GET", "/next-tracking-number?weight=0"), 400, "invalid-parameters")
	if len(p.Errors) != 7 || p.Errors[2] != (fault{"weight", mustBePositive}) {
		t.Errorf("faults %v", p.Errors)
	}
	if s.spool.Last() != 0 {
		t.Errorf("%d records", s.spool.Last())
	}
}

func TestALookupTellsWhatAnyoneMayKnow(t *testing.T) { bothWays(t, testALookupTellsWhatAnyoneMayKnow) }

func testALookupTellsWhatAnyoneMayKnow(t *testing.T) {
	s := start(t, nil)
	var issued struct {
		TrackingNumber string `json:"tracking_number"`
		CreatedAt      string `json:"created_at"`
	}
	if err := json.Unmarshal([]byte(s.do(t, "GET", "/next-tracking-number?"+theOriginalsQuery).body), &issued); err != nil {
		t.Fatal(err)
	}
	n := issued.TrackingNumber
	want := `{"tracking_number":"` + n + `","origin_country_id":"MY","destination_country_id":"ID","created_at":"` + issued.CreatedAt + `","state":"pending"}`
	for _, typed := range []string{n, strings.ToLower(n), n[:4] + "-" + n[4:8] + "%20" + n[8:]} {
		if a := s.do(t, "GET", "/tracking-numbers/"+typed); a.StatusCode != 200 || a.body != want {
			t.Errorf("%s: %d %s, want %s", typed, a.StatusCode, a.body, want)
		}
	}
	id, _, _ := (generator.Form{}).Parse(n)
	unknown := (generator.Form{}).Format(id+4096, generator.Country{'M', 'Y'})
	elsewhere := (generator.Form{}).Format(id, generator.Country{'S', 'G'}) // right check character, wrong country
	for _, number := range []string{unknown, elsewhere} {
		assertProblem(t, s.do(t, "GET", "/tracking-numbers/"+number), 404, "unknown-number")
	}
	for _, wrong := range []string{n[:15], n + "0", n[:5] + "_" + n[6:], "%00", "%FF", n[:15] + string('A'+(n[15]+1)%20)} {
		if p := assertProblem(t, s.do(t, "GET", "/tracking-numbers/"+wrong), 400, "invalid-number"); p.Detail == "" {
			t.Errorf("%s: no rule is named", wrong)
		}
	}
}

func TestHealthFollowsTheService(t *testing.T) { bothWays(t, testHealthFollowsTheService) }

func testHealthFollowsTheService(t *testing.T) {
	s := start(t, nil)
	assert := func(path string, want int) {
		t.Helper()
		if a := s.do(t, "GET", path); a.StatusCode != want {
			t.Errorf("%s: %d %s, want %d", path, a.StatusCode, a.body, want)
		}
	}
	assert("/livez", 200)
	assert("/readyz", 200)
	s.ready = errors.New("the database is elsewhere")
	assert("/livez", 200)
	if p := assertProblem(t, s.do(t, "GET", "/readyz"), 503, "not-ready"); !strings.Contains(p.Detail, "elsewhere") {
		t.Errorf("the reason is %q", p.Detail)
	}
	s.ready = nil
	s.api.Drain()
	assert("/livez", 200)
	assertProblem(t, s.do(t, "GET", "/readyz"), 404, "draining")
	if a := s.do(t, "GET", "/next-tracking-number?"+theOriginalsQuery); a.StatusCode != 200 || !a.Close {
		t.Errorf("while draining: %d, connection closed: %v", a.StatusCode, a.Close)
	}
}

func TestWithoutAWindowTheAnswerIs503(t *testing.T) { bothWays(t, testWithoutAWindowTheAnswerIs503) }

func testWithoutAWindowTheAnswerIs503(t *testing.T) {
	s := start(t, nil)
	s.api.Generator.Close()
	assertProblem(t, s.do(t, "GET", "/next-tracking-number?"+theOriginalsQuery), 503, "no-window")
}

// A full disk, made of a small file system: refused, and what was answered is
// still there.
func TestAFullDiskIs503AndLosesNothing(t *testing.T) { bothWays(t, testAFullDiskIs503AndLosesNothing) }

func testAFullDiskIs503AndLosesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=192k"); err != nil {
		t.Skipf("needs the right to mount: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	s := start(t, func(_ *Config, o *persist.Options) { o.Dir = dir })
	var numbers []string
	for {
		a := s.do(t, "GET", "/next-tracking-number?"+theOriginalsQuery)
		if a.StatusCode != 200 {
			assertProblem(t, a, 503, "no-record")
			break
		}
		numbers = append(numbers, a.body[20:36])
	}
	assertProblem(t, s.do(t, "GET", "/readyz"), 503, "not-ready")
	if len(numbers) < 1000 || uint64(len(numbers)) != s.spool.Last() {
		t.Fatalf("%d answered, %d recorded", len(numbers), s.spool.Last())
	}
	for _, n := range numbers[len(numbers)-50:] {
		if a := s.do(t, "GET", "/tracking-numbers/"+n); a.StatusCode != 200 {
			t.Fatalf("%s: %d", n, a.StatusCode)
		}
	}
}

// A failing disk shows as a fault in the spool's mapped file; the process lives,
// and refuses from then on.
func TestAFailedDiskIs503(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		var dir string
		s := start(t, func(_ *Config, o *persist.Options) { o.Ack, dir = persist.AckFsync, o.Dir })
		if a := s.do(t, "GET", "/next-tracking-number?"+theOriginalsQuery); a.StatusCode != 200 {
			t.Fatalf("%d %s", a.StatusCode, a.body)
		}
		segments, err := filepath.Glob(filepath.Join(dir, "*", "*.segment"))
		if err != nil || len(segments) != 1 || os.Truncate(segments[0], 0) != nil {
			t.Fatalf("%v, %v", segments, err)
		}
		for range 2 {
			assertProblem(t, s.do(t, "GET", "/next-tracking-number?"+theOriginalsQuery), 503, "no-record")
		}
		assertProblem(t, s.do(t, "GET", "/readyz"), 503, "not-ready")
	})
}

// A reply that waits for the database is refused when that does not come; the
// record is kept.
func TestAnUnreachableDatabaseIs503InModeDatabase(t *testing.T) {
	bothWays(t, testAnUnreachableDatabaseIs503InModeDatabase)
}

func testAnUnreachableDatabaseIs503InModeDatabase(t *testing.T) {
	s := start(t, func(c *Config, o *persist.Options) {
		o.Ack = persist.AckDatabase
		c.AckLimit = 50 * time.Millisecond
	})
	assertProblem(t, s.do(t, "GET", "/next-tracking-number?"+theOriginalsQuery), 503, "timeout")
	if s.spool.Last() != 1 {
		t.Error("the record is gone")
	}
}

func TestAPanicIsAProblemAndALogLine(t *testing.T) {
	s := start(t, nil)
	w := httptest.NewRecorder()
	s.api.handle(func(http.ResponseWriter, *http.Request) error { panic("a bug") })(w, httptest.NewRequest("GET", "/x?secret=1", nil))
	if w.Code != 500 || strings.Contains(w.Body.String(), "bug") || !strings.Contains(w.Body.String(), "/problems/internal") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if got := s.logged.String(); !strings.Contains(got, "request panicked") || !strings.Contains(got, "a bug") || strings.Contains(got, "secret") {
		t.Errorf("logged %s", got)
	}
}

func TestNoQueryIsLogged(t *testing.T) {
	logEveryRequest = true
	defer func() { logEveryRequest = false }()
	s := start(t, nil)
	for deadline := time.Now().Add(5 * time.Second); !strings.Contains(s.logged.String(), `"msg":"request"`) && time.Now().Before(deadline); {
		s.do(t, "GET", "/next-tracking-number?"+theOriginalsQuery)
		s.do(t, "GET", "/next-tracking-number?customer_name=RedBox")
	}
	if got := s.logged.String(); !strings.Contains(got, `"path":"/next-tracking-number"`) || strings.Contains(got, "RedBox") || strings.Contains(got, "de619854") {
		t.Errorf("logged %s", got)
	}
}

// Slow and oversized requests end; others go on.
func TestTheServersLimits(t *testing.T) {
	s := start(t, nil)
	dial := func(request string) (net.Conn, string) {
		t.Helper()
		c, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_, _ = io.WriteString(c, request)
		_ = c.SetReadDeadline(time.Now().Add(readLimit + 5*time.Second))
		data, err := io.ReadAll(c)
		if err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%.30q: %v", request, err)
		}
		return c, string(data)
	}
	if _, got := dial("GET /livez HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 431") {
		t.Errorf("a header of 64 KiB: %.40q", got)
	}
	if testing.Short() {
		return
	}
	begin := time.Now()
	dial("GET /livez HTTP/1.1\r\nHost: x\r\n") // and never ends
	if took := time.Since(begin); took > readLimit+3*time.Second {
		t.Errorf("a header that does not end held its connection for %s", took)
	}
}

type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

func BenchmarkIssue(b *testing.B) {
	l, err := generator.NewLayout(8, 16, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		b.Fatal(err)
	}
	g := generator.New(l)
	g.SetClock(time.Now().UnixMilli())
	g.Use(generator.Window{Worker: 5, From: time.Now().UnixMilli(), Until: time.Now().UnixMilli() + 3_600_000})
	o := persist.Options{Dir: filepath.Join(b.TempDir(), "spool"), Ack: persist.AckSpool, Limit: 1 << 40, SegmentSize: 64 << 20, Log: slog.New(slog.DiscardHandler)}
	spool, err := persist.NewSpool(o)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = spool.Run(ctx) }()
	a := New(Config{Generator: g, Log: o.Log})
	a.Open(Records{Spool: spool})
	h := a.Public()
	r := httptest.NewRequest("GET", "/next-tracking-number?"+strings.Replace(theOriginalsQuery, "+", "%2B", 1), nil)
	w := &discard{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
	cancel()
	<-done
	_ = spool.Close()
	if w.status != 0 {
		b.Fatalf("status %d", w.status)
	}
}
