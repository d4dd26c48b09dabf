package testenv

import (
	"context"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Sentinel starts a Redis Sentinel with a configuration file, which it rewrites, and returns when it answers at addr.
func Sentinel(t testing.TB, file, addr string) *Process {
	t.Helper()
	Need(t, "redis-server")
	p := adopt(t, &Process{
		name:    "redis-sentinel",
		polite:  syscall.SIGTERM,
		command: func() *exec.Cmd { return command("redis-server", filepath.Dir(file), file, "--sentinel") },
		ready: func(ctx context.Context) error {
			_, err := redisDo(ctx, addr, "PING")
			return err
		},
	})
	p.Start()
	return p
}
