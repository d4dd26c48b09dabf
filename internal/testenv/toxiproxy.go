package testenv

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const toxiproxyPackage = "github.com/Shopify/toxiproxy/v2/cmd/server"

// ToxiproxyServer is a private Toxiproxy: a process with any number of proxies in it.
type ToxiproxyServer struct {
	*Process
	api     string // http://127.0.0.1:port
	web     *http.Client
	proxies atomic.Int64
}

// Toxiproxy starts a Toxiproxy without a proxy.
func Toxiproxy(t testing.TB) *ToxiproxyServer {
	t.Helper()
	program, err := toxiproxyBinary()
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(FreePort(t))
	s := &ToxiproxyServer{
		api: "http://127.0.0.1:" + port,
		// A connection of its own for each request: an idle one would not survive a restart.
		web: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}},
	}
	s.Process = adopt(t, &Process{
		name:   "toxiproxy",
		polite: syscall.SIGTERM,
		command: func() *exec.Cmd {
			cmd := command(program, "", "-host", "127.0.0.1", "-port", port)
			cmd.Env = append(cmd.Env, "LOG_LEVEL=error")
			return cmd
		},
		ready: func(context.Context) error { return probe(s.web, s.api+"/version") },
	})
	s.Start()
	return s
}

// toxiproxyBinary builds the program, whose version is in tools.mod, or finds it in the build cache.
var toxiproxyBinary = sync.OnceValues(func() (string, error) {
	module, err := goOutput("env", "GOMOD")
	if err != nil {
		return "", err
	}
	return goOutput("tool", "-modfile="+filepath.Join(filepath.Dir(module), "tools.mod"), "-n", toxiproxyPackage)
})

// goOutput returns what the go command says.
func goOutput(args ...string) (string, error) {
	cmd := exec.Command("go", args...)
	var stdout, stderr capture
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	state, err := finish(context.Background(), cmd)
	if err != nil {
		return "", fmt.Errorf("%s: %w", cmd, err)
	}
	if !state.Success() {
		return "", fmt.Errorf("%s: %v\n%s", cmd, state, stderr.tail(captureLimit))
	}
	return strings.TrimSpace(stdout.tail(captureLimit)), nil
}

// Proxy is a TCP link to a server that a test can hurt. Its methods end the test when they fail, so they belong on its
// goroutine.
type Proxy struct {
	Addr string // 127.0.0.1:port, in place of the server's

	server *ToxiproxyServer
	path   string
}

// Proxy makes a link to the server at addr, which need not run yet.
func (s *ToxiproxyServer) Proxy(addr string) *Proxy {
	s.t.Helper()
	name := fmt.Sprintf("link-%d", s.proxies.Add(1))
	p := &Proxy{server: s, path: "/proxies/" + name, Addr: "127.0.0.1:" + strconv.Itoa(FreePort(s.t))}
	s.do(http.MethodPost, "/proxies", map[string]any{"name": name, "listen": p.Addr, "upstream": addr, "enabled": true})
	return p
}

// Through returns a URL such as DATABASE_URL or REDIS_URL with the link's address in place of the server's.
func (p *Proxy) Through(server string) string {
	p.server.t.Helper()
	address, err := url.Parse(server)
	if err != nil {
		p.server.t.Fatalf("lead %q through a proxy: %v", server, err)
	}
	address.Host = p.Addr
	return address.String()
}

// Cut closes the connections and refuses new ones.
func (p *Proxy) Cut() {
	p.server.t.Helper()
	p.server.do(http.MethodPost, p.path, map[string]any{"enabled": false})
}

// HalfOpen lets nothing pass any more: connections stay open, new ones are accepted, and what is sent is lost.
func (p *Proxy) HalfOpen() {
	p.server.t.Helper()
	p.poison("timeout", map[string]any{"timeout": 0})
}

// Delay holds back what passes, in each direction, for d: a round trip takes twice as long.
func (p *Proxy) Delay(d time.Duration) {
	p.server.t.Helper()
	p.poison("latency", map[string]any{"latency": d.Milliseconds()})
}

// Lead makes the link lead to another server, as a failover does. It closes its connections.
func (p *Proxy) Lead(addr string) {
	p.server.t.Helper()
	p.server.do(http.MethodPost, p.path, map[string]any{"upstream": addr, "enabled": true})
}

// Restore undoes Cut, HalfOpen and Delay. It closes connections that were half open: what they lost is lost.
func (p *Proxy) Restore() {
	p.server.t.Helper()
	var toxics []struct{ Name string }
	if err := json.Unmarshal(p.server.do(http.MethodGet, p.path+"/toxics", nil), &toxics); err != nil {
		p.server.t.Fatalf("read the toxics: %v", err)
	}
	for _, toxic := range toxics {
		p.server.do(http.MethodDelete, p.path+"/toxics/"+toxic.Name, nil)
	}
	p.server.do(http.MethodPost, p.path, map[string]any{"enabled": true})
}

func (p *Proxy) poison(kind string, attributes map[string]any) {
	p.server.t.Helper()
	for _, stream := range []string{"upstream", "downstream"} {
		p.server.do(http.MethodPost, p.path+"/toxics", map[string]any{
			"type": kind, "name": kind + "-" + stream, "stream": stream, "attributes": attributes,
		})
	}
}

// do asks the server's API and returns its reply, or ends the test.
func (s *ToxiproxyServer) do(method, path string, body any) []byte {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(context.Background(), method, s.api+path, bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := s.web.Do(request)
	if err != nil {
		s.t.Fatalf("ask Toxiproxy: %v", err)
	}
	defer response.Body.Close()
	reply, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 300 {
		s.t.Fatalf("ask Toxiproxy: %s %s: %s %s %v", method, path, response.Status, reply, err)
	}
	return reply
}
