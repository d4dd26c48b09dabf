package testenv

import (
	"syscall"
	"testing"
)

// FreePort returns a loopback port that belongs to this test until it ends.
//
// The port is held by a socket that is bound and does not listen. Servers that set SO_REUSEADDR (Redis, Postgres,
// HAProxy and every Go listener do) can still listen on it, again and again; but the kernel gives it neither to a
// listener on port 0 nor to an outgoing connection, of any process. So a server that is down finds its port free.
func FreePort(t testing.TB) int {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("reserve a port: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		t.Fatalf("reserve a port: %v", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatalf("reserve a port: %v", err)
	}
	address, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatalf("reserve a port: %v", err)
	}
	return address.(*syscall.SockaddrInet4).Port
}
