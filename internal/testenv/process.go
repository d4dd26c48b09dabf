package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 30 * time.Second
	probeEvery   = 10 * time.Millisecond
)

// Process is a server owned by a test. It can be started again after it ended; at most one run of it lives at a time.
type Process struct {
	t       testing.TB
	name    string
	command func() *exec.Cmd            // makes the command of one run
	ready   func(context.Context) error // asks once whether the server serves
	polite  os.Signal                   // what Stop sends
	log     capture

	mu    sync.Mutex
	child *child // the last run, nil before the first
}

// adopt ties the process to its test: it is killed when the test ends, and a failed test shows its output.
func adopt(t testing.TB, p *Process) *Process {
	p.t = t
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("output of %s:\n%s", p.name, p.log.tail(16<<10))
		}
	})
	return p
}

// Start runs the server and returns when it serves. The server must not be running.
func (p *Process) Start() {
	p.t.Helper()
	p.mustBeDown()
	cmd := p.command()
	fmt.Fprintf(&p.log, "\n=== %s\n", cmd)
	cmd.Stdout, cmd.Stderr = &p.log, &p.log
	c, err := spawn(cmd)
	if err != nil {
		p.t.Fatalf("start %s: %v", p.name, err)
	}
	p.mu.Lock()
	p.child = c
	p.mu.Unlock()
	if err := p.untilReady(c); err != nil {
		p.t.Fatalf("start %s: %v", p.name, err)
	}
}

// Restart stops the server if it runs and starts it again with the same arguments and files.
func (p *Process) Restart() {
	p.t.Helper()
	p.Stop()
	p.Start()
}

// Stop asks the server to end, kills it if it has not done so within 30 seconds (a paused one cannot), and returns how
// it ended.
func (p *Process) Stop() *os.ProcessState { return p.stop(p.polite, stopTimeout) }

func (p *Process) stop(sig os.Signal, within time.Duration) *os.ProcessState {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	_ = p.Signal(sig) // It may have ended already, which is what was wanted.
	if state, err := p.Wait(ctx); err == nil {
		return state
	}
	p.Kill()
	return p.current().state()
}

// Kill ends the server and its descendants at once, as kill -9 does, and waits until they are gone.
func (p *Process) Kill() {
	if c := p.current(); c != nil {
		c.kill()
	}
}

// Pause freezes the server and its descendants: connections stay open and nothing answers.
func (p *Process) Pause() {
	if c := p.current(); c != nil {
		c.freeze()
	}
}

// Resume lets a paused server go on.
func (p *Process) Resume() {
	if c := p.current(); c != nil {
		c.thaw()
	}
}

// Signal sends sig to the server alone, not to its descendants. It returns os.ErrProcessDone after the server ended.
func (p *Process) Signal(sig os.Signal) error {
	c := p.current()
	if c == nil {
		return os.ErrProcessDone
	}
	return c.cmd.Process.Signal(sig)
}

// Wait returns how the server's last run ended, or the cause of ctx if that comes first.
func (p *Process) Wait(ctx context.Context) (*os.ProcessState, error) {
	c := p.current()
	if c == nil {
		return nil, errors.New("never started")
	}
	select {
	case <-c.done:
		return c.state(), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Output returns the last 256 KiB that all runs of the server wrote to stdout and stderr.
func (p *Process) Output() string { return p.log.tail(captureLimit) }

// PID returns the process id of the last run, 0 before the first.
func (p *Process) PID() int {
	if c := p.current(); c != nil {
		return c.pid()
	}
	return 0
}

func (p *Process) mustBeDown() {
	p.t.Helper()
	if c := p.current(); c != nil && !c.ended() {
		p.t.Fatalf("%s must be down for this, and runs as process %d", p.name, c.pid())
	}
}

func (p *Process) current() *child {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.child
}

func (p *Process) untilReady(c *child) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		err := p.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-c.done:
			return fmt.Errorf("it ended before it was ready: %v", c.state())
		case <-ctx.Done():
			return fmt.Errorf("not ready after %v: %w", startTimeout, err)
		case <-time.After(probeEvery):
		}
	}
}
