package persist

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
)

// TestMain makes the test binary an appender when appenderProcess says so.
func TestMain(m *testing.M) {
	if dir := os.Getenv("TEST_APPENDER_DIR"); dir != "" {
		appendForEver(dir, Ack(os.Getenv("TEST_APPENDER_ACK")))
	}
	os.Exit(m.Run())
}

// appendForEver prints how many records are appended, after each.
func appendForEver(dir string, ack Ack) {
	s, err := NewSpool(Options{
		Dir: dir, Space: uuid.MustParse("0f000000-0000-4000-8000-000000000001"), Layout: "a layout",
		Ack: ack, Limit: 1 << 30, SegmentSize: 64 << 10, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		panic(err)
	}
	go func() { _ = s.Run(context.Background()) }()
	for n := 0; ; n++ {
		r := testRecord(n)
		if err := s.Append(context.Background(), &r); err != nil {
			panic(err)
		}
		fmt.Println(n + 1)
	}
}

type appender struct {
	command *exec.Cmd
	read    chan struct{}
	last    atomic.Int64
}

func appenderProcess(t *testing.T, dir string, ack Ack) *appender {
	t.Helper()
	a := &appender{command: exec.Command(os.Args[0]), read: make(chan struct{})}
	a.command.Env = append(os.Environ(), "TEST_APPENDER_DIR="+dir, "TEST_APPENDER_ACK="+string(ack))
	out, err := a.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.command.Process.Kill() })
	go func() {
		defer close(a.read)
		for lines := bufio.NewReader(out); ; {
			line, err := lines.ReadString('\n')
			if err != nil {
				return // a line without its end was not finished
			}
			if n, err := strconv.Atoi(strings.TrimSpace(line)); err == nil {
				a.last.Store(int64(n))
			}
		}
	}()
	return a
}

// kill ends the process at once and returns how many records it acknowledged.
func (a *appender) kill() int {
	_ = a.command.Process.Kill()
	<-a.read
	_ = a.command.Wait()
	return int(a.last.Load())
}
