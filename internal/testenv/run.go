package testenv

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"testing"
)

// Run runs a subcommand of waybill to its end and returns what it wrote and its exit code, -1 if a signal ended it. It
// has PATH, HOME, TMPDIR and env, works in a temporary folder, and ends the test if it takes more than a minute.
func Run(t testing.TB, env []string, args ...string) (stdout, stderr string, exitCode int) {
	t.Helper()
	return runProgram(t, WaybillBinary(t), env, args)
}

func runProgram(t testing.TB, program string, env, args []string) (string, string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), toolTimeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = cleanEnv(cmd.Dir, env...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	state, err := finish(ctx, cmd)
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", cmd, err, &stdout, &stderr)
	}
	return stdout.String(), stderr.String(), state.ExitCode()
}

// probe succeeds when url answers 200.
func probe(client *http.Client, url string) error {
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return fmt.Errorf("%s: %s", response.Status, bytes.TrimSpace(body))
	}
	return nil
}
