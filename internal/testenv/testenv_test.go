package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"syscall"
	"testing"
	"time"
)

func TestRedisLosesItsDataWhenKilled(t *testing.T) {
	t.Parallel()
	redis := Redis(t)
	mustDo(t, redis, "SET", "k", "v")
	if got := mustDo(t, redis, "GET", "k"); got != "v" {
		t.Fatalf("GET k = %q, want v", got)
	}
	addr := redis.Addr

	redis.Kill()
	if _, err := redis.Do("PING"); err == nil {
		t.Fatal("a killed Redis answered")
	}
	redis.Start()
	if redis.Addr != addr {
		t.Errorf("restarted on %s, was on %s", redis.Addr, addr)
	}
	if got := mustDo(t, redis, "GET", "k"); got != "" {
		t.Errorf("after a restart GET k = %q, want nothing", got)
	}
}

func TestRedisKeepsItsDataWhenAsked(t *testing.T) {
	t.Parallel()
	redis := Redis(t, "--appendonly", "yes", "--appendfsync", "always")
	mustDo(t, redis, "SET", "k", "v")
	redis.Kill()
	redis.Restart()
	if got := mustDo(t, redis, "GET", "k"); got != "v" {
		t.Errorf("after a restart GET k = %q, want v", got)
	}
}

func TestAPausedRedisIsSilentUntilResumed(t *testing.T) {
	t.Parallel()
	redis := Redis(t)
	redis.Pause()
	_, err := redis.Do("PING")
	var netErr net.Error
	if !errors.As(err, &netErr) || !netErr.Timeout() {
		t.Fatalf("PING to a paused Redis: %v, want a timeout", err)
	}
	redis.Resume()
	mustDo(t, redis, "PING")
}

func TestHAProxyAnswersForItsBackend(t *testing.T) {
	t.Parallel()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "from the backend")
	}))
	defer backend.Close()
	proxy := HAProxy(t, `
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
frontend front
    bind "127.0.0.1:${FRONT-1}"
    default_backend back
backend back
    server one "${BACK}"
`, fmt.Sprintf("FRONT=%d", FreePort(t)), "BACK="+backend.Listener.Addr().String())
	if got := get(t, proxy.URL); got != "from the backend" {
		t.Errorf("HAProxy answered %q", got)
	}
	proxy.Kill()
	proxy.Restart()
	if got := get(t, proxy.URL); got != "from the backend" {
		t.Errorf("HAProxy answered %q after a restart", got)
	}
}

func TestAFreePortIsNobodyElses(t *testing.T) {
	t.Parallel()
	mine := map[int]bool{}
	for range 200 {
		port := FreePort(t)
		if mine[port] {
			t.Fatalf("port %d twice", port)
		}
		mine[port] = true
	}
	for port := range mine {
		for _, address := range []string{"127.0.0.1:%d", ":%d"} {
			listener, err := net.Listen("tcp", fmt.Sprintf(address, port))
			if err != nil {
				t.Fatalf("a server cannot listen on its free port: %v", err)
			}
			listener.Close()
		}
	}
}

func TestNoProcessOutlivesItsTest(t *testing.T) {
	t.Parallel()
	var pids []int
	t.Run("inner", func(t *testing.T) {
		redis, postgres := Redis(t), Postgres(t)
		pids = append(children(postgres.PID()), redis.PID(), postgres.PID())
		redis.Pause() // Nor does a frozen one.
	})
	wantGone(t, pids...)
}

func TestStopKillsAServerThatDoesNotListen(t *testing.T) {
	t.Parallel()
	redis := Redis(t)
	redis.Pause()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := redis.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait for a live server: %v", err)
	}
	stopped := redis.stop(redis.polite, 50*time.Millisecond)
	if stopped.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("a frozen server ended with %v", stopped)
	}
	if waited, err := redis.Wait(context.Background()); waited != stopped || err != nil {
		t.Errorf("Wait says %v, %v after Stop said %v", waited, err, stopped)
	}
	if err := redis.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("a signal to an ended server: %v", err)
	}
	redis.Kill()
	redis.Pause()
	redis.Resume()
}

func mustDo(t *testing.T, redis *RedisServer, args ...string) string {
	t.Helper()
	reply, err := redis.Do(args...)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return reply
}

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func wantGone(t *testing.T, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("process %d is still there", pid)
		}
	}
}

func waitUntil(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(probeEvery) {
		if time.Now().After(deadline) {
			t.Fatalf("after 10 s it does not hold that %s", what)
		}
	}
}
