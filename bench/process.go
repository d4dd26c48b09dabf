package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The cores: servers under load have one to themselves, what loads them the
// other. Redis and Postgres are not pinned and use both.
const serverCore, clientCore = "0", "1"

// startLimit is how long a server may take until it is ready.
const startLimit = 30 * time.Second

// process is a server on its core.
type process struct {
	pid    int
	output *logged
	done   chan struct{}
}

// start runs a program on the servers' core, with one thread for Go code, and
// returns when url answers 200. The environment holds nothing but env.
func start(ctx context.Context, t *lifetime, url string, env []string, program string, args ...string) (*process, error) {
	cmd := exec.Command("taskset", append([]string{"-c", serverCore, program}, args...)...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "TMPDIR=" + os.TempDir(), "GOMAXPROCS=1"}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p := &process{output: &logged{}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.output, p.output

	// Pdeathsig is sent when the thread that started the process ends.
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // it is killed
		}
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	p.pid = cmd.Process.Pid // taskset becomes the program
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-p.done
	})
	return p, p.awaitReady(ctx, url)
}

func (p *process) awaitReady(ctx context.Context, url string) error {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for deadline := time.Now().Add(startLimit); ; time.Sleep(10 * time.Millisecond) {
		response, err := client.Get(url)
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("%s: %s", url, response.Status)
		}
		select {
		case <-p.done:
			return fmt.Errorf("the server ended:\n%s", p.output)
		case <-ctx.Done():
			return context.Cause(ctx)
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not ready after %v: %w\n%s", startLimit, err, p.output)
		}
	}
}

// cpu is the processor time that the process has used, user and system.
func (p *process) cpu() (time.Duration, error) {
	const ticksPerSecond = 100 // USER_HZ, the same on all of Linux's architectures that Go knows
	stat := text(fmt.Sprintf("/proc/%d/stat", p.pid))
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:]) // from the third, the state
	if len(fields) < 13 {
		return 0, fmt.Errorf("the server ended:\n%s", p.output)
	}
	user, userErr := strconv.Atoi(fields[11])
	system, systemErr := strconv.Atoi(fields[12])
	if userErr != nil || systemErr != nil {
		return 0, fmt.Errorf("times in /proc/PID/stat: %q", fields)
	}
	return time.Duration(user+system) * time.Second / ticksPerSecond, nil
}

// logged keeps the beginning of what a process wrote.
type logged struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.data.Len() < 64<<10 {
		l.data.Write(b)
	}
	return len(b), nil
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.data.String()
}
