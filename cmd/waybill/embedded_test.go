package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"waybill/generator"
	"waybill/internal/testenv"
)

// These tests run the program as a newcomer does: no server, one folder.

func TestTheOriginalsURLIsAnsweredAndRecorded(t *testing.T) {
	s := testenv.Waybill(t)
	s.WaitReady(t)
	c := newClient()
	status, body, _ := c.get(s.URL + strings.Replace(example, "next-tracking-number?", "next-tracking-number/?", 1)) // with its raw + and its slash
	var reply issuedReply
	if err := json.Unmarshal(body, &reply); err != nil || status != 200 || len(reply.TrackingNumber) != 16 {
		t.Fatalf("%d %s", status, body)
	}
	c.numbers = append(c.numbers, reply.TrackingNumber)
	c.assertRecorded(t, s.URL, time.Second)
	s.Kill()
	s.Start()
	s.WaitReady(t)
	c.assertRecorded(t, s.URL, time.Second)
}

func TestEveryNumberAnsweredBeforeAKillIsFoundAfterIt(t *testing.T) {
	for _, ack := range []string{"memory", "spool", "fsync", "database"} {
		t.Run(ack, func(t *testing.T) {
			s := testenv.Waybill(t, "RECORD_ACK="+ack)
			s.WaitReady(t)
			c := newClient()
			for range 3 {
				before := len(c.numbers)
				stop := c.load(s.URL)
				time.Sleep(500 * time.Millisecond)
				s.Kill() // in the middle of it
				stop()
				if len(c.numbers) < before+100 {
					t.Fatalf("only %d numbers, refused %v", len(c.numbers)-before, c.refused)
				}
				s.Start()
				s.WaitReady(t)
			}
			c.assertUnique(t)
			c.assertRecorded(t, s.URL, 10*time.Second)
			defer func() { // a stop after an adoption is a clean one
				_ = s.Signal(os.Interrupt)
				if state, err := s.Wait(t.Context()); err != nil || state.ExitCode() != 0 {
					t.Errorf("%v, %v", state, err)
				}
			}()
			eventually(t, 10*time.Second, "the dead spools are gone", func() bool {
				left, _ := filepath.Glob(filepath.Join(s.DataDir, "spool", "*-*"))
				return len(left) == 1
			})
			t.Logf("%d numbers over three kills", len(c.numbers))
		})
	}
}

func TestTenThousandNumbersPassAnIndependentCheck(t *testing.T) {
	for _, env := range []string{"LOG_LEVEL=info", "SECRET_KEY=a test's secret of good length"} {
		s := testenv.Waybill(t, env)
		s.WaitReady(t)
		c := newClient()
		stop := c.load(s.URL)
		eventually(t, time.Minute, "10,000 numbers", func() bool { return c.count() >= 10_000 })
		stop()
		c.assertUnique(t)
		python := exec.Command("/usr/bin/python3", "-c", `
import re, sys
from stdnum.iso7064 import mod_37_36
n = 0
for line in sys.stdin:
    number = line.strip()
    assert re.fullmatch("[A-Z0-9]{16}", number), number
    mod_37_36.validate(number)
    n += 1
print(n)`)
		python.Stdin = strings.NewReader(strings.Join(c.numbers, "\n"))
		out, err := python.CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != fmt.Sprint(len(c.numbers)) {
			t.Fatalf("python3-stdnum (run make deps if it is missing): %v\n%s", err, out)
		}
		assertCorruptionsRefused(t, c, s.URL, c.numbers[0])
	}
}

// assertCorruptionsRefused asks for every number that differs in one character.
// Only what the contract calls the same number may be found.
func assertCorruptionsRefused(t *testing.T, c *client, base, number string) {
	t.Helper()
	alike := map[byte]string{'0': "O", '1': "IL", 'O': "0", 'I': "1L", 'L': "1I"}
	for i := range number {
		for _, wrong := range "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" {
			if byte(wrong) == number[i] {
				continue
			}
			same := i != 13 && i != 14 && strings.ContainsRune(alike[number[i]], wrong)
			state := c.state(base, number[:i]+string(wrong)+number[i+1:])
			if same != (state == "recorded" || state == "pending") || !same && state != "400" && state != "404" {
				t.Errorf("%s with %c in place %d is %s", number, wrong, i+1, state)
			}
			if !same && state == "404" && !strings.ContainsRune("01OIL", rune(number[15])) {
				t.Errorf("%s with %c in place %d reached a store", number, wrong, i+1)
			}
		}
	}
}

func TestASecondProcessOnTheFolderIsRefused(t *testing.T) {
	s := testenv.Waybill(t)
	s.WaitReady(t)
	_, stderr, code := testenv.Run(t, []string{"DATA_DIR=" + s.DataDir, "PORT=0"}, "serve")
	if code != exitFailure || !strings.Contains(stderr, "in use by process "+fmt.Sprint(s.PID())) {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

func TestAnotherLayoutOrKeyOnTheFolderIsRefused(t *testing.T) {
	s := testenv.Waybill(t)
	s.WaitReady(t)
	s.Stop()
	for env, want := range map[string]string{"WORKER_BITS=8": "WORKER_BITS is 10 there and 8 here", "SECRET_KEY=a secret of good length": "the form (SECRET_KEY) is plain there"} {
		if _, stderr, code := testenv.Run(t, []string{"DATA_DIR=" + s.DataDir, "PORT=0", env}); code != exitFailure || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit %d: %s", env, code, stderr)
		}
	}
}

// The machine's clock goes back an hour between two lives of the service, once
// after a crash and once after a clean stop; and forth again.
func TestAClockSteppedBackBetweenProcessesMakesNoDuplicate(t *testing.T) {
	tagged := []string{"-tags=clockoffset"}
	dir := t.TempDir()
	all := newClient()
	layout, err := generator.NewLayout(10, 12, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	clock := filepath.Join(t.TempDir(), "offset")
	for i, offset := range []time.Duration{0, -time.Hour, 0, -time.Hour, time.Hour, -time.Hour, 0} {
		setClock(t, clock, offset)
		s := testenv.WaybillBuilt(t, tagged, "DATA_DIR="+dir, "WAYBILL_CLOCK_OFFSET="+clock)
		s.WaitReady(t)
		stop := all.load(s.URL)
		time.Sleep(300 * time.Millisecond)
		if i%2 == 0 {
			stop()
			_ = s.Signal(os.Interrupt)
			_, _ = s.Wait(t.Context())
		} else {
			s.Kill()
			stop()
		}
		id, _, err := (generator.Form{}).Parse(all.numbers[len(all.numbers)-1])
		if err != nil {
			t.Fatal(err)
		}
		if off := layout.Time(id).Sub(time.Now().Add(offset)); off.Abs() > 5*time.Second {
			t.Errorf("with the clock moved by %s stamps are %s off", offset, off)
		}
	}
	all.assertUnique(t)
	if len(all.numbers) < 1000 {
		t.Errorf("only %d numbers", len(all.numbers))
	}
	s := testenv.WaybillBuilt(t, tagged, "DATA_DIR="+dir)
	s.WaitReady(t)
	all.assertRecorded(t, s.URL, 10*time.Second)
	t.Logf("%d numbers over seven lives", len(all.numbers))
}

// setClock moves the clock of processes that were built with the tag.
func setClock(t *testing.T, path string, offset time.Duration) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(offset.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// The machine's clock is put right, and wrong, under a running service.
func TestAClockThatStepsUnderTheServiceStopsNothing(t *testing.T) {
	clock := filepath.Join(t.TempDir(), "offset")
	setClock(t, clock, time.Hour)
	s := testenv.WaybillBuilt(t, []string{"-tags=clockoffset"}, "WAYBILL_CLOCK_OFFSET="+clock)
	s.WaitReady(t)
	c := newClient()
	stop := c.load(s.URL)
	for _, offset := range []time.Duration{0, -3 * time.Second, 2 * time.Hour, 0} {
		time.Sleep(300 * time.Millisecond)
		setClock(t, clock, offset)
		time.Sleep(1500 * time.Millisecond) // beyond a refresh
		if status, body, _ := c.get(s.URL + "/readyz"); status != 200 {
			t.Errorf("with the clock moved by %s: %d %s", offset, status, body)
		}
	}
	stop()
	if len(c.refused) != 0 {
		t.Errorf("refused: %v", c.refused)
	}
	c.assertUnique(t)
	for i, n := range c.numbers {
		if _, _, err := (generator.Form{}).Parse(n); err != nil {
			t.Fatalf("number %d: %v", i, err)
		}
	}
}

func TestSIGTERMDrainsAndLosesNothing(t *testing.T) {
	s := testenv.Waybill(t)
	s.WaitReady(t)
	c := newClient()
	stop := c.load(s.URL)
	time.Sleep(300 * time.Millisecond)
	begin := time.Now()
	if err := s.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Second, "404 on /readyz", func() bool { status, _, _ := c.get(s.URL + "/readyz"); return status == http.StatusNotFound })
	if len(c.refused) != 0 {
		t.Errorf("refused while draining: %v", c.refused)
	}
	time.Sleep(time.Second)
	stop() // as a load balancer does by now
	state, err := s.Wait(t.Context())
	if err != nil || state.ExitCode() != 0 {
		t.Fatalf("%v, %v", state, err)
	}
	if took := time.Since(begin); took < drainDelay || took > drainDelay+5*time.Second {
		t.Errorf("stopping took %s", took)
	}
	if len(c.refused) != 0 {
		t.Errorf("refused: %v", c.refused)
	}
	if left, _ := filepath.Glob(filepath.Join(s.DataDir, "spool", "*")); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
	s.Start()
	s.WaitReady(t)
	c.assertUnique(t)
	c.assertRecorded(t, s.URL, time.Second)
}

func TestASecondSignalHurries(t *testing.T) {
	s := testenv.Waybill(t)
	s.WaitReady(t)
	begin := time.Now()
	_ = s.Signal(syscall.SIGTERM)
	time.Sleep(200 * time.Millisecond)
	_ = s.Signal(syscall.SIGTERM)
	if state, err := s.Wait(t.Context()); err != nil || state.ExitCode() != 0 || time.Since(begin) > drainDelay-time.Second {
		t.Errorf("%v, %v, after %s", state, err, time.Since(begin))
	}
}

func TestAPortInUseIsSaid(t *testing.T) {
	s := testenv.Waybill(t)
	s.WaitReady(t)
	port := s.URL[strings.LastIndexByte(s.URL, ':')+1:]
	if _, stderr, code := testenv.Run(t, []string{"DATA_DIR=" + t.TempDir(), "PORT=" + port}); code != exitFailure || !strings.Contains(stderr, "PORT: ") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
