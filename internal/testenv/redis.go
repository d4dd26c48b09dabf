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
}

// Redis starts a Redis that keeps nothing on disk, so a restart empties it. Later args win: with "--appendonly", "yes"
// it keeps its data in its folder.
func Redis(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	Need(t, "redis-server")
	dir, port := t.TempDir(), strconv.Itoa(FreePort(t))
	options := append([]string{
		"--port", port, "--bind", "127.0.0.1", "--dir", dir, "--daemonize", "no", "--save", "", "--appendonly", "no",
	}, args...)

	s := &RedisServer{Addr: "127.0.0.1:" + port, URL: "redis://127.0.0.1:" + port + "/0"}
	s.Process = adopt(t, &Process{
		name:    "redis-server",
		polite:  syscall.SIGTERM,
		command: func() *exec.Cmd { return command("redis-server", dir, options...) },
		ready:   s.ping,
	})
	s.Start()
	return s
}

// Do sends one command over a connection of its own and returns the reply: a status, number or string as text, "" for
// nil, and an error for an error. It gives up after a second, so that it notices a paused server.
func (s *RedisServer) Do(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return redisDo(ctx, s.Addr, args...)
}

// ping also takes the wish for a password for an answer: a test may have set one.
func (s *RedisServer) ping(context.Context) error {
	_, err := s.Do("PING")
	if err != nil && strings.HasPrefix(err.Error(), "NOAUTH") {
		return nil
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
	default:
		return "", fmt.Errorf("a reply of kind %q is not read here", kind)
	}
}
