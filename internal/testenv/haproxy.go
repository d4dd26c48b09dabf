package testenv

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// HAProxyServer is a private HAProxy. Stop ends it at once; Signal(syscall.SIGUSR1) lets it finish its connections.
type HAProxyServer struct {
	*Process
	Addr string // the first address that the configuration binds
	URL  string // http://Addr
}

// HAProxy starts a HAProxy with the given configuration, in which quoted "${NAME}" stands for an entry NAME=value of
// env. It serves when each address of the form `bind host:port` accepts a connection; the probe is a connection that
// sends nothing, and a backend in tcp mode sees it too.
func HAProxy(t testing.TB, config string, env ...string) *HAProxyServer {
	t.Helper()
	Need(t, "haproxy")
	addresses := boundAddresses(config, env)
	if len(addresses) == 0 {
		t.Fatal("the HAProxy configuration has no line of the form `bind host:port`")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatalf("write the HAProxy configuration: %v", err)
	}
	run := func(args ...string) *exec.Cmd {
		cmd := command("haproxy", dir, append(args, "-f", file)...)
		cmd.Env = append(cmd.Env, env...)
		return cmd
	}
	must(t, run("-c"))

	s := &HAProxyServer{Addr: addresses[0], URL: "http://" + addresses[0]}
	s.Process = adopt(t, &Process{
		name:    "haproxy",
		polite:  syscall.SIGTERM,
		command: func() *exec.Cmd { return run("-db") },
		ready:   func(ctx context.Context) error { return dialAll(ctx, addresses) },
	})
	s.Start()
	return s
}

var bindLine = regexp.MustCompile(`(?m)^\s*bind\s+"?([^\s"]*:\d+)`)

// boundAddresses reads the addresses that a configuration binds; one that means every interface becomes loopback.
func boundAddresses(config string, env []string) []string {
	expanded := os.Expand(config, func(name string) string {
		name, fallback, _ := strings.Cut(name, "-")
		for _, entry := range env {
			if value, ok := strings.CutPrefix(entry, name+"="); ok {
				return value
			}
		}
		return fallback
	})
	var addresses []string
	for _, match := range bindLine.FindAllStringSubmatch(expanded, -1) {
		colon := strings.LastIndexByte(match[1], ':')
		host, port := match[1][:colon], match[1][colon+1:]
		switch strings.Trim(host, "[]") {
		case "", "*", "0.0.0.0", "::":
			host = "127.0.0.1"
		}
		addresses = append(addresses, net.JoinHostPort(strings.Trim(host, "[]"), port))
	}
	return addresses
}

func dialAll(ctx context.Context, addresses []string) error {
	var failed error
	for _, address := range addresses {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		_ = conn.Close()
	}
	return failed
}
