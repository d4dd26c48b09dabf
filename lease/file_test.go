package lease

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waybill/generator"
)

func testSpace(t testing.TB, workerBits int) Space {
	t.Helper()
	l, err := generator.NewLayout(workerBits, 12, time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return NewSpace(l, generator.Form{}, "file")
}

func openFile(t testing.TB, dir string, workerBits int) *File {
	t.Helper()
	f, err := OpenFile(dir, testSpace(t, workerBits), 30*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// stepTo moves the authority's clock, also back, as a restart can.
func (f *File) stepTo(now time.Time) { f.clock = pinned{start: time.Now(), wall: now.UnixMilli()} }

func grant(t testing.TB, f *File, c Claim) Grant {
	t.Helper()
	g, err := f.Grant(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func firstFree(t testing.TB, f *File) int {
	t.Helper()
	v, err := f.Free(context.Background(), Instance{})
	if err != nil || len(v.Workers) == 0 {
		t.Fatalf("no worker is free: %v", err)
	}
	return v.Workers[0]
}

func TestASecondProcessOnTheFolderIsToldWhoHasIt(t *testing.T) {
	dir := t.TempDir()
	f := openFile(t, dir, 10)
	_, err := OpenFile(dir, testSpace(t, 10), time.Minute)
	if err == nil || !strings.Contains(err.Error(), "in use by process") || !strings.Contains(err.Error(), "DATA_DIR") {
		t.Errorf("the second opener got %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	openFile(t, dir, 10)
}

func TestAWindowIsOnTheDiskBeforeItIsGranted(t *testing.T) {
	dir := t.TempDir()
	f := openFile(t, dir, 10)
	g := grant(t, f, Claim{Worker: 0, Token: NewToken(), Number: 1})
	// A crash: the lock goes, nothing is given back.
	_ = f.Close()
	f = openFile(t, dir, 10)
	if got := f.state.Workers[0].Until; got != g.Window.Until {
		t.Errorf("granted until %d, stored %d", g.Window.Until, got)
	}
	if got := firstFree(t, f); got != 1 {
		t.Errorf("after a crash worker %d is offered while worker 0's window lasts", got)
	}
	if _, err := f.Grant(context.Background(), Claim{Worker: 0, Token: NewToken(), Number: 1}); !errors.Is(err, ErrOccupied) {
		t.Errorf("the parked worker: %v", err)
	}
}

func TestAGrantThatCannotBeStoredIsNotGiven(t *testing.T) {
	dir := t.TempDir()
	f := openFile(t, dir, 10)
	token := NewToken()
	before := grant(t, f, Claim{Worker: 0, Token: token, Number: 1})
	// The temporary name is taken by a folder: the write fails, also for root.
	if err := os.Mkdir(filepath.Join(dir, fileName+".new"), 0o700); err != nil {
		t.Fatal(err)
	}
	f.stepTo(time.Now().Add(20 * time.Minute))
	if g, err := f.Grant(context.Background(), Claim{Worker: 0, Token: token, Number: 2}); err == nil {
		t.Errorf("extended to %d without storing it", g.Window.Until)
	}
	if got := f.state.Workers[0].Until; got != before.Window.Until {
		t.Errorf("the state moved to %d", got)
	}
}

func TestAClockThatWentBackCannotEnterOldWindows(t *testing.T) {
	dir := t.TempDir()
	f := openFile(t, dir, 1) // two workers
	now := time.Now()
	var windows []generator.Window
	for _, step := range []time.Duration{0, -time.Hour, -2 * time.Hour, -90 * time.Minute, time.Hour, -time.Minute, 0, 3 * time.Hour} {
		_ = f.Close()
		f = openFile(t, dir, 1)
		f.stepTo(now.Add(step))
		v, err := f.Free(context.Background(), Instance{})
		if err != nil {
			t.Fatal(err)
		}
		if len(v.Workers) == 0 {
			if v.Next <= now.Add(step).UnixMilli() {
				t.Errorf("nothing is free until %d, which is past", v.Next)
			}
			continue
		}
		windows = append(windows, grant(t, f, Claim{Worker: v.Workers[0], Token: NewToken(), Number: 1}).Window)
	}
	if len(windows) < 3 {
		t.Fatalf("only %d grants", len(windows))
	}
	for i, a := range windows {
		for _, b := range windows[:i] {
			if a.Worker == b.Worker && !a.Intersect(b).Empty() {
				t.Errorf("%+v and %+v overlap", a, b)
			}
		}
	}
}

func TestAWindowStartsNoEarlierThanItsFloor(t *testing.T) {
	f := openFile(t, t.TempDir(), 10)
	floor := time.Now().UnixMilli() + 5000
	if w := grant(t, f, Claim{Worker: 0, Token: NewToken(), Number: 1, Floor: floor}).Window; w.From != floor || w.Until <= floor {
		t.Errorf("floor %d, window %+v", floor, w)
	}
}

func TestATrimmedWorkerIsFreeAtOnceAndGoesOnAboveTheTrim(t *testing.T) {
	f := openFile(t, t.TempDir(), 10)
	token := NewToken()
	g := grant(t, f, Claim{Worker: 0, Token: token, Number: 1})
	last := g.Now // a stamp of this very millisecond
	if err := f.Trim(context.Background(), 0, token, last+1); err != nil {
		t.Fatal(err)
	}
	f.stepTo(time.UnixMilli(last + 1))
	if got := firstFree(t, f); got != 0 {
		t.Errorf("worker %d is offered first", got)
	}
	again := grant(t, f, Claim{Worker: 0, Token: NewToken(), Number: 1})
	if again.Window.From <= last || again.Window.Epoch != 2 {
		t.Errorf("the next window is %+v, the last stamp was %d", again.Window, last)
	}
	if err := f.Trim(context.Background(), 0, token, last+1); !errors.Is(err, ErrLost) {
		t.Errorf("a trim by the old token: %v", err)
	}
	if _, err := f.Grant(context.Background(), Claim{Worker: 0, Token: token, Number: 2}); !errors.Is(err, ErrLost) {
		t.Errorf("an extension by the old token: %v", err)
	}
}

func TestATrimNeverLengthensOrReachesBelowTheWindow(t *testing.T) {
	f := openFile(t, t.TempDir(), 10)
	token := NewToken()
	w := grant(t, f, Claim{Worker: 0, Token: token, Number: 1}).Window
	for _, step := range []struct{ to, want int64 }{{w.Until + 1000, w.Until}, {w.Until, w.Until}, {w.From - 1, w.From}} {
		if err := f.Trim(context.Background(), 0, token, step.to); err != nil {
			t.Fatal(err)
		}
		if got := f.state.Workers[0].Until; got != step.want {
			t.Errorf("trim to %d made it %d, not %d", step.to, got, step.want)
		}
	}
}

func TestExtensionsWriteOnlyWhenASixthIsUsed(t *testing.T) {
	f := openFile(t, t.TempDir(), 10)
	token := NewToken()
	first := grant(t, f, Claim{Worker: 0, Token: token, Number: 1})
	f.stepTo(time.UnixMilli(first.Now).Add(4 * time.Minute))
	if g := grant(t, f, Claim{Worker: 0, Token: token, Number: 2}); g.Window.Until != first.Window.Until {
		t.Error("extended after 4 of 30 minutes")
	}
	f.stepTo(time.UnixMilli(first.Now).Add(6 * time.Minute))
	if g := grant(t, f, Claim{Worker: 0, Token: token, Number: 3}); g.Window.Until <= first.Window.Until || g.Window.From != first.Window.From {
		t.Errorf("after 6 of 30 minutes the window is %+v", g.Window)
	}
}

func TestADamagedOrForeignFileIsNotOverwritten(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, fileName)
	_ = openFile(t, dir, 10).Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"", "{", string(whole[:len(whole)/2]), strings.Replace(string(whole), `"version": 1`, `"version": 9`, 1)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenFile(dir, testSpace(t, 10), time.Minute); err == nil {
			t.Errorf("%.20q was accepted", content)
		}
		if got, _ := os.ReadFile(path); string(got) != content {
			t.Errorf("%.20q was overwritten", content)
		}
	}
}

func TestAnotherSpaceIsRefusedWithEveryDifference(t *testing.T) {
	dir := t.TempDir()
	_ = openFile(t, dir, 10).Close()
	other := testSpace(t, 8)
	other.Form = "opaque-12345678"
	_, err := OpenFile(dir, other, time.Minute)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"WORKER_BITS is 10 there and 8 here", "SECRET_KEY) is plain there and opaque-12345678 here"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

func TestThePinnedClockFollowsStepsForwardAndNoStepBack(t *testing.T) {
	p := pinned{start: time.Now(), wall: 1_000_000}
	for _, step := range []struct {
		wall    int64
		elapsed time.Duration
		want    int64
	}{
		{1_000_100, 100 * time.Millisecond, 1_000_100},
		{1_000_100 - 3_600_000, 200 * time.Millisecond, 1_000_200}, // an hour back: carried on
		{1_000_300, 300 * time.Millisecond, 1_000_300},
		{1_000_400 + 3_600_000, 400 * time.Millisecond, 4_600_400}, // a suspension of an hour: followed
		{1_000_500, 500 * time.Millisecond, 4_600_500},             // and put right again: carried on
		{4_600_600, 600 * time.Millisecond, 4_600_600},
	} {
		if got := p.at(step.wall, step.elapsed); got != step.want {
			t.Errorf("the clock says %d after %s: %d, want %d", step.wall, step.elapsed, got, step.want)
		}
	}
}
