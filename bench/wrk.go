package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed report.lua
var reportScript []byte

// load is what wrk saw of one run.
type load struct {
	requests             int
	elapsed              time.Duration
	socketErrors, non2xx int // wrk counts 3xx as good: nothing here redirects
	p50, p99             time.Duration
}

// wrk loads a URL from the clients' core, by one thread over keep-alive
// connections. A run with any failure is an error: refusals are fast.
func wrk(ctx context.Context, t *lifetime, url string, connections int, duration time.Duration) (load, error) {
	script := filepath.Join(t.TempDir(), "report.lua")
	if err := os.WriteFile(script, reportScript, 0o600); err != nil {
		return load{}, err
	}
	cmd := exec.CommandContext(ctx, "taskset", "-c", clientCore, "wrk", "-t1", "-c"+strconv.Itoa(connections),
		fmt.Sprintf("-d%ds", int(duration.Seconds())), "-s", script, url)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	output, err := cmd.CombinedOutput()
	if err != nil {
		return load{}, fmt.Errorf("wrk: %w\n%s", err, output)
	}
	l, err := readReport(string(output))
	if err == nil && l.socketErrors+l.non2xx > 0 {
		err = fmt.Errorf("of %d requests %d were refused and %d broke off", l.requests, l.non2xx, l.socketErrors)
	}
	return l, err
}

// readReport reads what report.lua wrote; wrk's times are in microseconds.
func readReport(output string) (l load, err error) {
	_, report, _ := strings.Cut(output, "REPORT ")
	var elapsed, p50, p99 int64
	if _, err := fmt.Sscan(report, &l.requests, &elapsed, &l.socketErrors, &l.non2xx, &p50, &p99); err != nil {
		return l, fmt.Errorf("wrk's report: %w\n%s", err, output)
	}
	l.elapsed = time.Duration(elapsed) * time.Microsecond
	l.p50, l.p99 = time.Duration(p50)*time.Microsecond, time.Duration(p99)*time.Microsecond
	return l, nil
}
