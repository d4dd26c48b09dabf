package testenv

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Need ends the test if one of the programs is missing: a failure that says what to install, or a skip with -short.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if locate(program) != "" {
			continue
		}
		lacks(t, program, debianPackage(program))
	}
}

// lacks ends the test for want of a thing in a Debian package.
func lacks(t testing.TB, thing, debianPackage string) {
	t.Helper()
	const missing = "%s is missing: run `make deps`, which installs the Debian package %s"
	if testing.Short() {
		t.Skipf(missing, thing, debianPackage)
	}
	t.Fatalf(missing, thing, debianPackage)
}

// locate returns the path of a program, or "". The newest Postgres comes before PATH, where Debian puts Perl wrappers
// that choose a cluster by themselves; /usr/sbin, where HAProxy is, is not in everybody's PATH.
func locate(program string) string {
	places, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + program)
	slices.SortFunc(places, func(a, b string) int { return majorVersion(b) - majorVersion(a) })
	for _, place := range append(places, program, "/usr/sbin/"+program) {
		if path, err := exec.LookPath(place); err == nil {
			return path
		}
	}
	return ""
}

func majorVersion(path string) int {
	version, _ := strconv.Atoi(strings.Split(path, "/")[4])
	return version
}

func debianPackage(program string) string {
	switch program {
	case "postgres", "initdb", "createdb", "pg_isready", "psql", "pgbench", "pg_basebackup":
		return "postgresql"
	case "redis-cli":
		return "redis-tools"
	default:
		return program
	}
}
