package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
)

// TestAKilledTestBinaryLeavesNothing runs this test binary once more, kills it as a time limit would, and looks for
// what it had started.
func TestAKilledTestBinaryLeavesNothing(t *testing.T) {
	if file := os.Getenv("TESTENV_VICTIM"); file != "" {
		beTheVictim(t, file)
	}
	t.Parallel()
	Need(t, "redis-server", "initdb", "postgres")
	dir := sharedDir(t, postgresOwner(t))
	file := filepath.Join(dir, "pids")
	victim := exec.Command(os.Args[0], "-test.run=^TestAKilledTestBinaryLeavesNothing$")
	victim.Env = append(os.Environ(), "TESTENV_VICTIM="+file, "TMPDIR="+dir)
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "the victim has started its servers", func() bool {
		_, err := os.Stat(file)
		return err == nil
	})
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var redis, postgres int
	if _, err := fmt.Sscan(string(text), &redis, &postgres); err != nil {
		t.Fatal(err)
	}
	family := append(children(postgres), redis, postgres)
	if len(family) < 3 {
		t.Fatalf("the victim's servers are only %v", family)
	}

	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait()
	waitUntil(t, "its servers are gone", func() bool {
		return !slices.ContainsFunc(family, alive)
	})
}

// Pdeathsig follows the thread that started a process, and a test's thread may end long before the test does.
func TestAProcessOutlivesTheThreadThatAskedForIt(t *testing.T) {
	t.Parallel()
	var redis *RedisServer
	thread := onMortalThread(func() { redis = Redis(t) })
	waitUntil(t, "the thread has ended", func() bool {
		_, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", thread))
		return os.IsNotExist(err)
	})
	mustDo(t, redis, "PING")
}

// onMortalThread runs f on a thread that ends after it, and returns that thread's id.
func onMortalThread(f func()) int {
	thread := make(chan int)
	go func() {
		runtime.LockOSThread() // Never unlocked: the thread ends with the goroutine.
		if syscall.Gettid() == syscall.Getpid() {
			thread <- onMortalThread(f) // Go never ends the main thread; while it is ours, others get another.
			return
		}
		f()
		thread <- syscall.Gettid()
	}()
	return <-thread
}

func beTheVictim(t *testing.T, file string) {
	redis, postgres := Redis(t), Postgres(t)
	temporary := file + ".new"
	if err := os.WriteFile(temporary, fmt.Appendln(nil, redis.PID(), postgres.PID()), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(temporary, file); err != nil {
		t.Fatal(err)
	}
	select {}
}
