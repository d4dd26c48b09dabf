package testenv

import (
	"bufio"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

func TestALinkIsCutAndRestored(t *testing.T) {
	t.Parallel()
	redis := Redis(t)
	link := Toxiproxy(t).Proxy(redis.Addr)
	mustAsk(t, dial(t, link.Addr))
	open := dial(t, link.Addr)
	mustAsk(t, open)

	link.Cut()
	if _, err := ask(open); err == nil || timedOut(err) {
		t.Errorf("a cut connection: %v", err)
	}
	if _, err := net.Dial("tcp", link.Addr); err == nil {
		t.Error("a cut link takes a connection")
	}
	link.Restore()
	mustAsk(t, dial(t, link.Addr))
}

func TestALinkLeadsElsewhereAfterAFailover(t *testing.T) {
	t.Parallel()
	one, other := Redis(t), Redis(t)
	link := Toxiproxy(t).Proxy(one.Addr)
	mustDo(t, other, "CONFIG", "SET", "requirepass", "secret")
	open := dial(t, link.Addr)
	mustAsk(t, open)
	link.Lead(other.Addr)
	if _, err := ask(open); err == nil || timedOut(err) {
		t.Errorf("a connection to the old server: %v", err)
	}
	if reply, err := ask(dial(t, link.Addr)); err != nil || reply != "-NOAUTH Authentication required.\r\n" {
		t.Errorf("a new one reaches %q, %v", reply, err)
	}
}

func TestAHalfOpenLinkIsSilent(t *testing.T) {
	t.Parallel()
	redis := Redis(t)
	link := Toxiproxy(t).Proxy(redis.Addr)
	open := dial(t, link.Addr)
	mustAsk(t, open)
	link.HalfOpen()
	if _, err := ask(open); !timedOut(err) {
		t.Errorf("an open connection: %v, want silence", err)
	}
	if _, err := ask(dial(t, link.Addr)); !timedOut(err) {
		t.Errorf("a new connection: %v, want silence", err)
	}
	link.Restore()
	mustAsk(t, dial(t, link.Addr))
	link.Delay(100 * time.Millisecond)
	slow := dial(t, link.Addr)
	begin := time.Now()
	mustAsk(t, slow)
	if took := time.Since(begin); took < 200*time.Millisecond {
		t.Errorf("a round trip over a delayed link took %v", took)
	}
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// ask sends a PING and waits half a second for the answer.
func ask(conn net.Conn) (string, error) {
	_ = conn.SetDeadline(time.Now().Add(500 * time.Millisecond))
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		return "", err
	}
	return bufio.NewReader(conn).ReadString('\n')
}

func mustAsk(t *testing.T, conn net.Conn) {
	t.Helper()
	if reply, err := ask(conn); err != nil || reply != "+PONG\r\n" {
		t.Fatalf("PING: %q, %v", reply, err)
	}
}

func timedOut(err error) bool {
	var failed net.Error
	return errors.As(err, &failed) && failed.Timeout()
}
