package testenv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// WaybillServer is a waybill process. Its addresses and folder stay the same when it is restarted, unless its
// environment says PORT=0: then Start and Restart learn a new URL.
type WaybillServer struct {
	*Process
	URL     string // http://127.0.0.1:port of the public listener
	OpsURL  string // http://127.0.0.1:port of the operators' listener, "" if OPS_ADDR is not host:port
	DataDir string // DATA_DIR

	opsPort string
	listens listening
}

// Waybill starts a waybill and returns when it listens; see WaitReady for more. Its environment holds nothing but PATH,
// HOME, TMPDIR, a reserved PORT and OPS_ADDR, a temporary DATA_DIR, and env, which wins.
//
// It listens when it logs a JSON line with the msg "listening" and an addr that is not that of OPS_ADDR.
func Waybill(t testing.TB, env ...string) *WaybillServer {
	t.Helper()
	return startWaybill(t, WaybillBinary(t), env)
}

// WaybillBuilt is Waybill with a program built with the given `go build` flags: see WaybillBinary.
func WaybillBuilt(t testing.TB, flags []string, env ...string) *WaybillServer {
	t.Helper()
	return startWaybill(t, WaybillBinary(t, flags...), env)
}

func startWaybill(t testing.TB, program string, env []string) *WaybillServer {
	t.Helper()
	home := t.TempDir()
	environment := cleanEnv(home, append([]string{
		"PORT=" + strconv.Itoa(FreePort(t)),
		"OPS_ADDR=127.0.0.1:" + strconv.Itoa(FreePort(t)),
		"DATA_DIR=" + t.TempDir(),
	}, env...)...)

	s := &WaybillServer{DataDir: lookup(environment, "DATA_DIR")}
	if host, port, err := net.SplitHostPort(lookup(environment, "OPS_ADDR")); err == nil && host != "" {
		s.opsPort, s.OpsURL = port, "http://127.0.0.1:"+port
	}
	s.Process = adopt(t, &Process{
		name:   "waybill",
		polite: syscall.SIGTERM,
		command: func() *exec.Cmd {
			s.listens.reset()
			cmd := exec.Command(program)
			cmd.Dir, cmd.Env = home, environment
			return cmd
		},
		ready: s.learnURL,
	})
	s.log.line = s.listens.read
	s.Start()
	return s
}

// WaitReady returns when /readyz answers 200, and ends the test if it has not done so within 30 seconds.
func (s *WaybillServer) WaitReady(t testing.TB) {
	t.Helper()
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	deadline := time.Now().Add(startTimeout)
	for {
		err := probe(client, s.URL+"/readyz")
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waybill is not ready after %v: %v", startTimeout, err)
		}
		time.Sleep(probeEvery)
	}
}

// learnURL takes the address from the log of the current run. An unchanged URL is not written, since other goroutines
// may be reading it.
func (s *WaybillServer) learnURL(context.Context) error {
	for _, addr := range s.listens.addresses() {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			return fmt.Errorf("the listening line has the addr %q: %w", addr, err)
		}
		if port == s.opsPort {
			continue
		}
		if url := "http://127.0.0.1:" + port; url != s.URL {
			s.URL = url
		}
		return nil
	}
	return errors.New(`no JSON line with the msg "listening" in its log`)
}

// listening collects the addresses that one run says it listens on.
type listening struct {
	mu    sync.Mutex
	addrs []string
}

func (l *listening) read(line []byte) {
	var entry struct{ Msg, Addr string }
	if json.Unmarshal(line, &entry) != nil || entry.Msg != "listening" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.addrs = append(l.addrs, entry.Addr)
}

func (l *listening) addresses() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clip(l.addrs)
}

func (l *listening) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.addrs = nil
}

// lookup returns the value that a process sees for name: that of the last entry.
func lookup(env []string, name string) string {
	var last string
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			last = value
		}
	}
	return last
}
