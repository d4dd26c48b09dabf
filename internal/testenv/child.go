package testenv

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// outputDelay bounds the wait for descendants that hold the output open after the process itself has ended.
const outputDelay = 10 * time.Second

// child is one run of a command.
type child struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended and no descendant holds its output
}

// spawn starts cmd in a process group of its own and sees it through to its end.
//
// The kernel sends Pdeathsig when the *thread* that started the process ends, not the program. So one goroutine, locked
// to its thread, both starts the process and waits for it: the thread lives for as long as the process does.
func spawn(cmd *exec.Cmd) (*child, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true // Ctrl-C in a terminal is for the test binary, which then ends its processes.
	dieWithParent(cmd.SysProcAttr)
	cmd.WaitDelay = outputDelay

	c := &child{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		defer close(c.done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // Its news is in cmd.ProcessState.
		}
	}()
	if err := <-started; err != nil {
		<-c.done
		return nil, err
	}
	return c, nil
}

// finish runs a short-lived command to its end, or kills it when ctx ends first.
func finish(ctx context.Context, cmd *exec.Cmd) (*os.ProcessState, error) {
	c, err := spawn(cmd)
	if err != nil {
		return nil, err
	}
	select {
	case <-c.done:
		return c.state(), nil
	case <-ctx.Done():
		c.kill()
		return c.state(), context.Cause(ctx)
	}
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// state waits for the end and tells how it came.
func (c *child) state() *os.ProcessState {
	<-c.done
	return c.cmd.ProcessState
}

// freeze stops the family, parents first, and returns the descendants' ids.
//
// A stopped parent neither forks nor reaps, so nobody is missed and the ids stay theirs until it runs again.
func (c *child) freeze() []int {
	if c.cmd.Process.Signal(syscall.SIGSTOP) != nil {
		return nil
	}
	await(func() bool { return stopped(c.pid()) })
	descendants := children(c.pid())
	for i := 0; i < len(descendants); i++ {
		_ = syscall.Kill(descendants[i], syscall.SIGSTOP)
		await(func() bool { return stopped(descendants[i]) })
		descendants = append(descendants, children(descendants[i])...)
	}
	return descendants
}

// thaw wakes the family, children first: a server that runs again must find them running. Freezing it once more changes
// nothing and tells who they are.
func (c *child) thaw() {
	descendants := c.freeze()
	for _, pid := range slices.Backward(descendants) {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	_ = c.cmd.Process.Signal(syscall.SIGCONT)
}

// kill ends the family as one: all are frozen before the first dies, so none reacts to another's death.
func (c *child) kill() {
	descendants := c.freeze()
	for _, pid := range slices.Backward(descendants) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = c.cmd.Process.Kill()
	<-c.done
	// A dying process closes its output a moment before the last of its files and memory.
	for _, pid := range descendants {
		await(func() bool { return !alive(pid) })
	}
}

// await returns when the condition holds, or after five seconds: the kernel may keep a thread that is in an fsync, say.
func await(holds func() bool) {
	for deadline := time.Now().Add(5 * time.Second); !holds() && time.Now().Before(deadline); {
		time.Sleep(100 * time.Microsecond)
	}
}
