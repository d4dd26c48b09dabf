package testenv

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

func TestAMissingProgramFailsTheTestAndSaysWhatToInstall(t *testing.T) {
	for _, short := range []bool{false, true} {
		told := needInMode(t, short)
		want := "failed: no-such-server is missing: run `make deps`, which installs the Debian package no-such-server"
		if short {
			want = "skipped" + strings.TrimPrefix(want, "failed")
		}
		if told != want {
			t.Errorf("short %v: %s", short, told)
		}
	}
}

func needInMode(t *testing.T, short bool) string {
	was := testing.Short()
	set(t, short)
	defer set(t, was)
	spy := &spy{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		Need(spy, "go", "no-such-server")
	}()
	<-done
	return spy.told
}

func set(t *testing.T, short bool) {
	if err := flag.Set("test.short", fmt.Sprint(short)); err != nil {
		t.Fatal(err)
	}
}

// spy notes how a test would have ended.
type spy struct {
	testing.TB
	told string
}

func (s *spy) Fatalf(format string, args ...any) {
	s.told = "failed: " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (s *spy) Skipf(format string, args ...any) {
	s.told = "skipped: " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}
