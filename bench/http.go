package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"waybill/internal/testenv"
)

// target is what every server is asked: the full request for a number.
const target = "/next-tracking-number?origin_country_id=MY&destination_country_id=ID&weight=1.234&created_at=2018-11-20T19:29:32%2B08:00" +
	"&customer_id=de619854-b59b-425e-9db4-943979e1bd49&customer_name=RedBox%20Logistics&customer_slug=redbox-logistics"

// service is a server to put under load.
type service struct {
	name, note string
	// up starts the server and returns it with the beginning of its URLs, and
	// what checks, after the load, that all its answers are accounted for.
	up func(ctx context.Context, t *lifetime) (p *process, url string, check func(answered int) error, err error)
}

// measureHTTP counts requests a second.
func measureHTTP(ctx context.Context, t *lifetime, p plan) ([]row, error) {
	if runtime.NumCPU() < 2 {
		return nil, errors.New("two cores are needed: one for the server, one for wrk")
	}
	testenv.Need(t, "wrk", "taskset")
	redis := testenv.Redis(t)
	postgres := testenv.Postgres(t, "-c", "shared_buffers=512MB", "-c", "max_wal_size=4GB")
	program, err := buildWaybill(ctx, t)
	if err != nil {
		return nil, err
	}
	naive := []string{"REDIS_ADDR=" + redis.Addr, "DATABASE_URL=" + postgres.URL}
	services := []service{
		{"net/http, a body of waybill's size", "does nothing else", self("body")},
		{"net/http, \"hello\"", "5 bytes", self("hello")},
		{"Redis INCR a request", "no record, no validation", self("incr", naive...)},
		{"Postgres nextval a request", "no record, no validation", self("nextval", naive...)},
		{"Postgres INSERT RETURNING a request", "recorded on the disk, no validation", self("insert", naive...)},
		{"waybill, spool, SQLite", "recorded, survives kill -9", waybill(program, "RECORD_ACK=spool")},
		{"waybill, spool, Postgres", "the same; all rows counted after", waybillPostgres(program, postgres, "RECORD_ACK=spool")},
		{"waybill, fsync, SQLite", "recorded on the disk", waybill(program, "RECORD_ACK=fsync")},
	}
	g := group{name: fmt.Sprintf("GET, %d connections, /s", p.clients)}
	for _, s := range services {
		g.contestants = append(g.contestants, contestant{
			s.name, "p50 %.2f ms, p99 %.2f ms, %.1f µs of CPU; " + s.note,
			func(ctx context.Context) (sample, error) {
				return within(func(t *lifetime) (sample, error) { return s.measure(ctx, t, p) })
			},
		})
	}
	return g.run(ctx, p.rounds)
}

// measure starts the server, warms it up, loads it, and ends it.
func (s service) measure(ctx context.Context, t *lifetime, p plan) (sample, error) {
	server, url, check, err := s.up(ctx, t)
	if err != nil {
		return sample{}, err
	}
	warm, err := wrk(ctx, t, url+target, p.clients, p.warmUp)
	if err != nil {
		return sample{}, err
	}
	before, err := server.cpu()
	if err != nil {
		return sample{}, err
	}
	l, err := wrk(ctx, t, url+target, p.clients, p.load)
	if err != nil {
		return sample{}, err
	}
	after, err := server.cpu()
	if err != nil {
		return sample{}, err
	}
	perRequest := (after - before).Seconds() * 1e6 / float64(l.requests)
	return sample{
		float64(l.requests) / l.elapsed.Seconds(),
		[]float64{l.p50.Seconds() * 1e3, l.p99.Seconds() * 1e3, perRequest},
	}, check(warm.requests + l.requests)
}

// buildWaybill builds the program as its own module pins it: this module's
// requirements shall not change what is measured.
func buildWaybill(ctx context.Context, t *lifetime) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "waybill").Output()
	if err != nil {
		return "", fmt.Errorf("find module waybill: %w", err)
	}
	path := filepath.Join(t.TempDir(), "waybill")
	build := exec.CommandContext(ctx, "go", "build", "-C", strings.TrimSpace(string(root)), "-buildvcs=false", "-o", path, "./cmd/waybill")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build waybill: %w\n%s", err, output)
	}
	return path, nil
}

// loopback is an address to serve on.
func loopback(t *lifetime) string { return "127.0.0.1:" + strconv.Itoa(testenv.FreePort(t)) }
