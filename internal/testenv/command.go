package testenv

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"
)

// toolTimeout bounds each program that is expected to end by itself.
const toolTimeout = time.Minute

// command prepares a program that works in dir and knows nothing of the developer's environment. A missing program is
// reported when it is started; Need has said more by then.
func command(program, dir string, args ...string) *exec.Cmd {
	path := locate(program)
	if path == "" {
		path = program
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	cmd.Env = cleanEnv(dir)
	return cmd
}

// cleanEnv is all that a process inherits. The developer's PGHOST, REDIS_URL or ~/.pgpass must not reach a test.
func cleanEnv(home string, extra ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + os.TempDir()}, extra...)
}

// must runs a command that has to succeed, and ends the test with its output if it does not.
func must(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), toolTimeout)
	defer cancel()
	var output capture
	cmd.Stdout, cmd.Stderr = &output, &output
	state, err := finish(ctx, cmd)
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, output.tail(captureLimit))
	}
	if !state.Success() {
		t.Fatalf("%s: %v\n%s", cmd, state, output.tail(captureLimit))
	}
}
