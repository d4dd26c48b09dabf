package testenv

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const waybillPackage = "waybill/cmd/waybill"

// builds holds the programs built by this test process, one for each set of flags.
var builds sync.Map // map[string]*build

type build struct {
	once sync.Once
	path string
	err  error
}

// WaybillBinary returns the path of the waybill program, built once per test process for each set of `go build` flags,
// such as "-tags=failpoints" or "-race".
//
// The go command does not see that such a test depends on the program: outside cmd/waybill, whose own tests are built
// with it, a cached result may be that of an older program. Run those tests with -count=1.
func WaybillBinary(t testing.TB, flags ...string) string {
	t.Helper()
	return binary(t, waybillPackage, flags)
}

func binary(t testing.TB, pkg string, flags []string) string {
	t.Helper()
	key := strings.Join(append([]string{pkg}, flags...), "\x00")
	entry, _ := builds.LoadOrStore(key, &build{})
	b := entry.(*build)
	b.once.Do(func() { b.path, b.err = goBuild(pkg, flags) })
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.path
}

func goBuild(pkg string, flags []string) (string, error) {
	dir, err := os.MkdirTemp(binaryDir(), "waybill-build-")
	if err != nil {
		return "", fmt.Errorf("make a folder for the build: %w", err)
	}
	path := filepath.Join(dir, filepath.Base(pkg))
	// Version control facts are of no use to a test, and git refuses them to root in somebody else's checkout.
	args := append([]string{"build", "-buildvcs=false", "-o", path}, flags...)
	cmd := exec.Command("go", append(args, pkg)...)
	var output capture
	cmd.Stdout, cmd.Stderr = &output, &output
	state, err := finish(context.Background(), cmd)
	if err != nil {
		return "", fmt.Errorf("%s: %w", cmd, err)
	}
	if !state.Success() {
		return "", fmt.Errorf("%s: %v\n%s", cmd, state, output.tail(captureLimit))
	}
	return path, nil
}

// binaryDir returns where a program may be left behind. No test lives as long as the test process does, so no test can
// remove it; but `go test` removes the folder that it built the test binary in, and everything beside it.
func binaryDir() string {
	self, err := os.Executable()
	if err == nil && strings.Contains(self, string(filepath.Separator)+"go-build") {
		return filepath.Dir(self)
	}
	return ""
}
