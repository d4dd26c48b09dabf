//go:build unix && !linux

package testenv

import (
	"net"
	"testing"
)

// FreePort returns a loopback port that was free a moment ago. Only on Linux does it stay reserved.
func FreePort(t testing.TB) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("find a free port: %v", err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}
