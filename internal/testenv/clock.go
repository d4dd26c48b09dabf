package testenv

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// clock makes a server's wall clock wrong, by libfaketime: a library that is loaded before all others and answers for
// the kernel. It reads the offset from a file at each call, so a step takes effect at once. The monotonic clock, timers
// and sleeps stay true.
type clock struct {
	t    testing.TB
	file string
	env  []string

	mu     sync.Mutex
	offset time.Duration
}

// The variants differ in what they do when two threads, or a thread and a signal handler, ask at the same time: the
// threaded one locks, which a signal handler must not wait for.
const (
	clockForThreads = "libfaketimeMT.so.1"
	clockForSignals = "libfaketime.so.1"
)

// newClock returns a true clock for a server that can read dir.
func newClock(t testing.TB, dir, library string) *clock {
	t.Helper()
	places, _ := filepath.Glob("/usr/lib/*/faketime/" + library)
	if len(places) == 0 {
		lacks(t, library, "libfaketime")
	}
	c := &clock{t: t, file: filepath.Join(dir, "clock")}
	c.env = []string{
		// The C library comes second so that its malloc is found before Redis's jemalloc, which asks for the time while
		// it sets itself up; libfaketime allocates to answer, and the two would wait for each other for ever.
		"LD_PRELOAD=" + places[0] + " libc.so.6",
		"FAKETIME_TIMESTAMP_FILE=" + c.file,
		"FAKETIME_NO_CACHE=1",
		"FAKETIME_DONT_FAKE_MONOTONIC=1",
	}
	c.step(0)
	return c
}

// step replaces the file as a whole: a server that reads it meanwhile finds one offset or the other.
func (c *clock) step(d time.Duration) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
	next := c.file + ".next"
	text := fmt.Sprintf("%+.3f\n", c.offset.Seconds())
	if err := os.WriteFile(next, []byte(text), 0o644); err != nil {
		c.t.Fatalf("step the clock: %v", err)
	}
	if err := os.Rename(next, c.file); err != nil {
		c.t.Fatalf("step the clock: %v", err)
	}
}

// forget removes what libfaketime shares with programs that its process would start, which is none: a killed process
// would leave it behind, and a later one with the same id would find it.
func (c *clock) forget(pid int) {
	for _, name := range []string{"faketime_shm_", "sem.faketime_sem_"} {
		_ = os.Remove("/dev/shm/" + name + strconv.Itoa(pid))
	}
}
