package testenv

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// RedisServer is a private Redis. Its address and folder stay the same when it is restarted.
type RedisServer struct {
	*Process
	Addr string // 127.0.0.1:port
	URL  string // redis://127.0.0.1:port/0

	dir   string
	clock *clock // nil: the machine's
}

// Redis starts a Redis that keeps nothing on disk, so a restart empties it. Later args win: with "--appendonly", "yes"
// it keeps its data in its folder.
func Redis(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	s := newRedis(t, args)
	s.Start()
	return s
}

// RedisWithClock starts a Redis whose wall clock StepClock can put wrong.
func RedisWithClock(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	s := newRedis(t, args)
	s.clock = newClock(t, t.TempDir(), clockForThreads)
	s.Start()
	return s
}

func newRedis(t testing.TB, args []string) *RedisServer {
	t.Helper()
	Need(t, "redis-server")
	dir, port := t.TempDir(), strconv.Itoa(FreePort(t))
	options := append([]string{
		"--port", port, "--bind", "127.0.0.1", "--dir", dir, "--daemonize", "no", "--save", "", "--appendonly", "no",
		"--repl-diskless-sync-delay", "0", // the default lets each replica wait 5 seconds for others to join it
	}, args...)

	s := &RedisServer{Addr: "127.0.0.1:" + port, URL: "redis://127.0.0.1:" + port + "/0", dir: dir}
	s.Process = adopt(t, &Process{
		name:   "redis-server",
		polite: syscall.SIGTERM,
		command: func() *exec.Cmd {
			cmd := command("redis-server", dir, options...)
			if s.clock != nil {
				cmd.Env = append(cmd.Env, s.clock.env...)
			}
			return cmd
		},
		ready: s.ping,
	})
	return s
}

// StepClock moves the wall clock of a server started by RedisWithClock, further each time; it stays moved over restarts.
func (s *RedisServer) StepClock(d time.Duration) {
	s.t.Helper()
	if s.clock == nil {
		s.t.Fatal("this Redis has the machine's clock: start it with RedisWithClock")
	}
	s.clock.step(d)
}

// Do sends one command over a connection of its own and returns the reply: a status, number or string as text, "" for
// nil, a list as lines, and an error for an error. It gives up after a second, so that it notices a paused server.
func (s *RedisServer) Do(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return redisDo(ctx, s.Addr, args...)
}

// ping also takes the wish for a password for an answer: a test may have set one.
func (s *RedisServer) ping(context.Context) error {
	_, err := s.Do("PING")
	if err != nil && strings.HasPrefix(err.Error(), "NOAUTH") {
		err = nil
	}
	if err == nil && s.clock != nil {
		s.clock.forget(s.PID())
	}
	return err
}

func redisDo(ctx context.Context, addr string, args ...string) (string, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	var request strings.Builder
	fmt.Fprintf(&request, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&request, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := io.WriteString(conn, request.String()); err != nil {
		return "", err
	}
	return redisReply(bufio.NewReader(conn))
}

func redisReply(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	kind, text := line[0], strings.TrimRight(line[1:], "\r\n")
	switch kind {
	case '+', ':':
		return text, nil
	case '-':
		return "", errors.New(text)
	case '$':
		size, err := strconv.Atoi(text)
		if err != nil || size < 0 {
			return "", err
		}
		body := make([]byte, size+len("\r\n"))
		_, err = io.ReadFull(r, body)
		return string(body[:size]), err
	case '*':
		size, err := strconv.Atoi(text)
		if err != nil || size < 0 {
			return "", err
		}
		items := make([]string, size)
		for i := range items {
			if items[i], err = redisReply(r); err != nil {
				return "", err
			}
		}
		return strings.Join(items, "\n"), nil
	default:
		return "", fmt.Errorf("a reply of kind %q is not read here", kind)
	}
}
