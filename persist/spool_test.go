package persist

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"waybill/generator"
	"waybill/internal/disk"

	"github.com/google/uuid"
)

func testOptions(t testing.TB) Options {
	t.Helper()
	return Options{
		Dir: t.TempDir(), Space: uuid.MustParse("0f000000-0000-4000-8000-000000000001"), Layout: "a layout",
		Ack: AckSpool, Limit: 1 << 30, SegmentSize: 64 << 10, Log: slog.New(slog.DiscardHandler),
	}
}

// testRecord is the nth record; records differ in every field.
func testRecord(n int) Record {
	return Record{
		ID: generator.ID(1e15 + n), Epoch: int64(n), Origin: generator.Country{'M', 'Y'}, Destination: generator.Country{'I', 'D'},
		Weight: uint32(n%999_999_999 + 1), OrderedAt: 1_542_713_372_000_000 + int64(n), CustomerID: uuid.UUID{1, 2, byte(n >> 8), byte(n)},
		CustomerName: fmt.Sprintf("RedBox Logistics %d", n), CustomerSlug: strings.Repeat("s", n%200+1),
	}
}

// startSpool runs a new spool until the test, or stop, ends it.
func startSpool(t testing.TB, o Options) (s *Spool, stop func()) {
	t.Helper()
	s, err := NewSpool(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(func() {
		stop()
		_ = s.Close()
	})
	return s, stop
}

func appendAll(t testing.TB, s *Spool, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		r := testRecord(n)
		if err := s.Append(context.Background(), &r); err != nil {
			t.Fatalf("record %d: %v", n, err)
		}
	}
}

// contents reads all that follows sequence number after.
func contents(t testing.TB, s *Spool, after uint64) (all []Entry) {
	t.Helper()
	for c := newCursor(s, after); c.next <= s.Last(); {
		b, err := c.read(1 + rand.IntN(500))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b.Entries...)
	}
	return all
}

// orphan is the one spool that was left in o.Dir.
func orphan(t testing.TB, o Options) *Spool {
	t.Helper()
	all, err := Orphans(o)
	if err != nil || len(all) != 1 {
		t.Fatalf("%d orphans, %v", len(all), err)
	}
	t.Cleanup(func() { _ = all[0].Close() })
	return all[0]
}

func assertRecords(t testing.TB, got []Entry, from, to int) {
	t.Helper()
	if len(got) != to-from {
		t.Fatalf("%d records, want %d", len(got), to-from)
	}
	for i, e := range got {
		if e.Record != testRecord(from+i) {
			t.Fatalf("record %d reads %+v", from+i, e.Record)
		}
	}
}

func TestASpoolReadsBackWhatWasAppended(t *testing.T) {
	for _, ack := range []Ack{AckMemory, AckSpool, AckFsync} {
		t.Run(string(ack), func(t *testing.T) {
			o := testOptions(t)
			o.Ack = ack
			s, stop := startSpool(t, o)
			appendAll(t, s, 0, 2000) // several segments
			all := contents(t, s, 0)
			assertRecords(t, all, 0, 2000)
			if all[0].Sequence != 1 || all[1999].Sequence != 2000 || len(s.segments) < 4 {
				t.Errorf("sequence %d to %d in %d segments", all[0].Sequence, all[1999].Sequence, len(s.segments))
			}
			assertRecords(t, contents(t, s, 1234), 1234, 2000)
			stop()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			assertRecords(t, contents(t, orphan(t, o), 0), 0, 2000)
		})
	}
}

func TestAnEmptyOrLoadedSpoolLeavesNoTrace(t *testing.T) {
	for _, n := range []int{0, 10} {
		o := testOptions(t)
		s, stop := startSpool(t, o)
		appendAll(t, s, 0, n)
		s.setLoaded(uint64(n))
		stop()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if left, _ := os.ReadDir(o.Dir); len(left) != 0 {
			t.Errorf("%v is left of %d records", left, n)
		}
	}
}

func TestLoadedSegmentsAreDeleted(t *testing.T) {
	o := testOptions(t)
	s, _ := startSpool(t, o)
	appendAll(t, s, 0, 2000)
	s.setLoaded(1000)
	assertRecords(t, contents(t, s, 1000), 1000, 2000)
	before := len(s.segments)
	s.setLoaded(2000)
	for deadline := time.Now().Add(5 * time.Second); len(s.segments) > 1 && time.Now().Before(deadline); s.setLoaded(2000) {
		time.Sleep(time.Millisecond) // sealing is the upkeep's
	}
	if len(s.segments) != 1 || before < 2 {
		t.Errorf("%d segments, then %d", before, len(s.segments))
	}
}

// crashed is a spool of n records as kill -9 leaves it: mapped, not sealed.
func crashed(t *testing.T, o Options, n int) (path string) {
	t.Helper()
	s, stop := startSpool(t, o)
	appendAll(t, s, 0, n)
	stop()
	path = s.active.path
	if err := s.lock.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTruncatingTheLastRecordLosesOnlyThatRecord(t *testing.T) {
	const n = 20
	o := testOptions(t)
	path := crashed(t, o, n)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var ends []int // of each frame
	for at := segmentHeader; ; {
		_, size, ok := frame(whole[at:])
		if !ok {
			break
		}
		at += size
		ends = append(ends, at)
	}
	if len(ends) != n {
		t.Fatalf("%d frames", len(ends))
	}
	for cut := ends[n-2]; cut <= ends[n-1]; cut++ {
		for _, tail := range [][]byte{nil, make([]byte, 4096), bytes.Repeat([]byte{0xff}, 700)} { // cut short, zeros, rubbish
			if err := os.WriteFile(path, append(whole[:cut:cut], tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			s := orphan(t, o)
			want := n - 1
			if cut == ends[n-1] {
				want = n
			}
			assertRecords(t, contents(t, s, 0), 0, want)
			s.mu.Lock() // close, keeping the files
			for _, segment := range s.segments {
				_ = segment.file.Close()
			}
			s.segments = nil
			s.mu.Unlock()
			_ = s.lock.Close()
		}
	}
}

func TestAFlippedBitIsFoundAndCostsOneRecord(t *testing.T) {
	const n = 6
	o := testOptions(t)
	var logged bytes.Buffer
	o.Log = slog.New(slog.NewTextHandler(&logged, nil))
	path := crashed(t, o, n)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, first, _ := frame(whole[segmentHeader:])
	_, second, _ := frame(whole[segmentHeader+first:])
	for at := segmentHeader + first; at < segmentHeader+first+second; at++ {
		logged.Reset()
		data := bytes.Clone(whole)
		data[at] ^= 1 << rand.IntN(8)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s := orphan(t, o)
		got := contents(t, s, 0)
		if len(got) != n-1 || got[0].Record != testRecord(0) || got[1].Record != testRecord(2) || got[1].Sequence != 3 {
			t.Fatalf("byte %d: %d records are left", at, len(got))
		}
		if !strings.Contains(logged.String(), "spool damaged") {
			t.Fatalf("byte %d: no alarm", at)
		}
		if aside, _ := filepath.Glob(filepath.Join(o.Dir, "damaged", "*.segment")); len(aside) != 1 {
			t.Fatalf("%d damaged segments were set aside", len(aside))
		}
		_ = s.lock.Close()
	}
}

func TestASpoolOfAnotherSpaceIsLeftAlone(t *testing.T) {
	o := testOptions(t)
	crashed(t, o, 3)
	other := o
	other.Space = uuid.New()
	if all, err := Orphans(other); err == nil || len(all) != 0 || !strings.Contains(err.Error(), "number space") {
		t.Errorf("%d adopted, %v", len(all), err)
	}
	other = o
	other.Layout = "another layout"
	if all, err := Orphans(other); err == nil || len(all) != 0 {
		t.Errorf("%d adopted, %v", len(all), err)
	}
	assertRecords(t, contents(t, orphan(t, o), 0), 0, 3)
}

func TestASpoolInUseIsNotAnOrphan(t *testing.T) {
	o := testOptions(t)
	startSpool(t, o)
	if all, err := Orphans(o); err != nil || len(all) != 0 {
		t.Errorf("%d orphans, %v", len(all), err)
	}
}

func TestTheLimitRefusesAndRoomIsFoundAgain(t *testing.T) {
	o := testOptions(t)
	o.Limit = 2 * o.SegmentSize
	s, _ := startSpool(t, o)
	n := 0
	var err error
	for ; err == nil; n++ {
		r := testRecord(n)
		err = s.Append(context.Background(), &r)
	}
	n-- // the last one was refused
	if !errors.Is(err, ErrSpoolFull) || !strings.Contains(err.Error(), "SPOOL_LIMIT") || !errors.Is(s.Ready(), ErrSpoolFull) {
		t.Fatalf("after %d records: %v, ready: %v", n, err, s.Ready())
	}
	assertRecords(t, contents(t, s, 0), 0, n)
	deadline := time.Now().Add(10 * time.Second)
	for s.Ready() != nil && time.Now().Before(deadline) {
		s.setLoaded(uint64(n))
		time.Sleep(10 * time.Millisecond)
	}
	appendAll(t, s, n, n+1)
}

// A small file system of its own stands for the full disk.
func TestAFullDiskRefusesAndLosesNothing(t *testing.T) {
	o := testOptions(t)
	if err := syscall.Mount("tmpfs", o.Dir, "tmpfs", 0, "size=192k"); err != nil {
		t.Skipf("needs the right to mount: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(o.Dir, syscall.MNT_DETACH) })
	s, _ := startSpool(t, o)
	n := 0
	var err error
	for ; err == nil; n++ {
		r := testRecord(n)
		err = s.Append(context.Background(), &r)
	}
	n--
	if !errors.Is(err, ErrSpoolFull) || !errors.Is(err, syscall.ENOSPC) || s.Ready() == nil {
		t.Fatalf("after %d records: %v, ready: %v", n, err, s.Ready())
	}
	assertRecords(t, contents(t, s, 0), 0, n)
}

func TestAFailedSyncIsFinalAndLosesNothingAcknowledged(t *testing.T) {
	o := testOptions(t)
	o.Ack = AckFsync
	s, stop := startSpool(t, o)
	appendAll(t, s, 0, 10)
	stopSync := errors.New("input/output error")
	calls := 0
	s.mu.Lock() // the upkeep is idle: nothing waits for a sync
	s.sync = func(disk.Mapping, int64, int64) error { calls++; return stopSync }
	s.mu.Unlock()
	r := testRecord(10)
	if err := s.Append(context.Background(), &r); !errors.Is(err, ErrSpoolFailed) || !errors.Is(err, stopSync) {
		t.Fatalf("a failed sync: %v", err)
	}
	if err := s.Append(context.Background(), &r); !errors.Is(err, ErrSpoolFailed) || !errors.Is(s.Ready(), ErrSpoolFailed) {
		t.Errorf("afterwards: %v, ready: %v", err, s.Ready())
	}
	if calls != 1 {
		t.Errorf("synced %d times: what the kernel dropped cannot be had by asking again", calls)
	}
	stop()
	got := contents(t, s, 0)
	assertRecords(t, got[:10], 0, 10)
}

// A mapped file whose disk fails raises a memory fault, not an error.
func TestAMemoryFaultFailsTheSpoolNotTheProcess(t *testing.T) {
	o := testOptions(t)
	s, _ := startSpool(t, o)
	appendAll(t, s, 0, 1)
	if err := os.Truncate(s.active.path, 0); err != nil {
		t.Fatal(err)
	}
	r := testRecord(1)
	if err := s.Append(context.Background(), &r); !errors.Is(err, ErrSpoolFailed) || !errors.Is(s.Ready(), ErrSpoolFailed) {
		t.Errorf("%v, ready: %v", err, s.Ready())
	}
}

func TestARecordThatDoesNotFitIsRefused(t *testing.T) {
	s, _ := startSpool(t, testOptions(t))
	r := testRecord(1)
	r.CustomerName = strings.Repeat("n", MaxText+1)
	if err := s.Append(context.Background(), &r); err == nil {
		t.Error("a name of 256 bytes was accepted")
	}
}

func TestManyAppendersKeepAllRecords(t *testing.T) {
	for _, ack := range []Ack{AckSpool, AckFsync} {
		o := testOptions(t)
		o.Ack = ack
		s, _ := startSpool(t, o)
		var appenders sync.WaitGroup
		for i := range 16 {
			appenders.Go(func() {
				for n := i; n < 3200; n += 16 {
					r := testRecord(n)
					if err := s.Append(context.Background(), &r); err != nil {
						t.Error(err)
					}
				}
			})
		}
		appenders.Wait()
		seen := map[generator.ID]bool{}
		for i, e := range contents(t, s, 0) {
			if e.Sequence != uint64(i+1) || seen[e.ID] {
				t.Fatalf("%s: record %d has sequence number %d", ack, i, e.Sequence)
			}
			seen[e.ID] = true
		}
		if len(seen) != 3200 {
			t.Errorf("%s: %d records", ack, len(seen))
		}
	}
}

func TestFindSeesWhatIsNotLoaded(t *testing.T) {
	s, _ := startSpool(t, testOptions(t))
	appendAll(t, s, 0, 3000)
	s.setLoaded(500)
	for _, n := range []int{500, 501, 1500, 2999} {
		if r, ok, err := s.find(testRecord(n).ID); !ok || err != nil || r != testRecord(n) {
			t.Errorf("record %d: %v, %v", n, ok, err)
		}
	}
	for _, n := range []int{-1, 0, 499, 3000} {
		if _, ok, err := s.find(testRecord(n & 0xffff).ID); ok || err != nil {
			t.Errorf("record %d: %v, %v", n, ok, err)
		}
	}
}

// A sync that has nothing to do, at any offset, is no failure.
func TestASyncWithNothingNewIsHarmless(t *testing.T) {
	o := testOptions(t)
	o.Ack = AckFsync
	s, _ := startSpool(t, o)
	for n := range 400 { // over many page borders
		r := testRecord(n)
		r.CustomerName, r.CustomerSlug = "n", strings.Repeat("s", 125) // frames of 192 bytes: the 21st ends at a page's border
		if err := s.Append(context.Background(), &r); err != nil {
			t.Fatal(err)
		}
		s.syncNow()
	}
	if err := s.Ready(); err != nil {
		t.Error(err)
	}
}

func TestAnyFolderNameIsAdoptedFrom(t *testing.T) {
	for _, name := range []string{"g[1]", "a*b", "w?y", `back\slash`, "100%", "h#1"} {
		o := testOptions(t)
		o.Dir = filepath.Join(o.Dir, name, "spool")
		crashed(t, o, 5)
		assertRecords(t, contents(t, orphan(t, o), 0), 0, 5)
	}
}

func TestDamageInALiveSegmentIsReportedAndSetAside(t *testing.T) {
	o := testOptions(t)
	var logged bytes.Buffer
	o.Log = slog.New(slog.NewTextHandler(&logged, nil))
	s, _ := startSpool(t, o)
	appendAll(t, s, 0, 100)
	s.active.mapping[segmentHeader+300] ^= 1
	if got := contents(t, s, 0); len(got) != 99 {
		t.Errorf("%d records are left", len(got))
	}
	if aside, _ := filepath.Glob(filepath.Join(o.Dir, "damaged", "*")); len(aside) != 1 || strings.Count(logged.String(), "spool damaged") != 1 {
		t.Errorf("%d set aside, logged %s", len(aside), logged.String())
	}
}

func TestADamagedEndOfAFullSegmentIsSetAsideWhole(t *testing.T) {
	o := testOptions(t)
	s, stop := startSpool(t, o)
	appendAll(t, s, 0, 1000)
	stop()
	full, size := s.segments[0], s.segments[0].size
	damagedRecord := full.last
	_ = s.lock.Close()
	data, err := os.ReadFile(full.path)
	if err != nil {
		t.Fatal(err)
	}
	data[size-1] ^= 1
	if err := os.WriteFile(full.path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	got := contents(t, orphan(t, o), 0)
	if len(got) != 999 || got[damagedRecord-1].Sequence != damagedRecord+1 {
		t.Errorf("%d records are left", len(got))
	}
	aside, err := os.ReadFile(filepath.Join(o.Dir, "damaged", s.id.String()+"-00000001.segment"))
	if err != nil || !bytes.Equal(aside, data) {
		t.Errorf("set aside: %d bytes, %v", len(aside), err)
	}
}

func TestAWhollyDamagedSegmentIsReportedAndKept(t *testing.T) {
	o := testOptions(t)
	s, stop := startSpool(t, o)
	appendAll(t, s, 0, 1000)
	stop()
	path, left := s.segments[0].path, 1000-int(s.segments[0].last)
	_ = s.lock.Close()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(data[:segmentHeader:segmentHeader], bytes.Repeat([]byte{0xff}, len(data)-segmentHeader)...), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, orphan(t, o), 0); len(got) != left {
		t.Errorf("%d records are left, want %d", len(got), left)
	}
	if aside, _ := filepath.Glob(filepath.Join(o.Dir, "damaged", "*")); len(aside) == 0 {
		t.Error("nothing was set aside")
	}
}

// The active segment is more than half full, so that the next one is prepared,
// and the last frame is torn: that is a crash, not damage.
func TestATornEndBeforeAnUnusedSegmentIsNoDamage(t *testing.T) {
	o := testOptions(t)
	var logged bytes.Buffer
	o.Log = slog.New(slog.NewTextHandler(&logged, nil))
	s, stop := startSpool(t, o)
	n := 0
	for ; s.active.size < o.SegmentSize*3/4; n++ {
		appendAll(t, s, n, n+1)
	}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if s.mu.Lock(); s.next != nil {
			s.mu.Unlock()
			break
		}
		s.mu.Unlock()
	}
	stop()
	s.active.mapping[s.active.size-1] ^= 1
	_ = s.lock.Close()
	assertRecords(t, contents(t, orphan(t, o), 0), 0, n-1)
	if strings.Contains(logged.String(), "spool damaged") || !strings.Contains(logged.String(), "spool torn") {
		t.Errorf("logged %s", logged.String())
	}
}

func TestAFileCutShortEndsReadingWithAnError(t *testing.T) {
	s, _ := startSpool(t, testOptions(t))
	appendAll(t, s, 0, 10)
	if err := os.Truncate(s.active.path, segmentHeader+50); err != nil {
		t.Fatal(err)
	}
	if _, err := newCursor(s, 0).read(10); err == nil {
		t.Error("read without an error")
	}
}

// The disk is full when the process starts; then there is room.
func TestASpoolBegunOnAFullDiskHeals(t *testing.T) {
	o := testOptions(t)
	if err := syscall.Mount("tmpfs", o.Dir, "tmpfs", 0, "size=192k"); err != nil {
		t.Skipf("needs the right to mount: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(o.Dir, syscall.MNT_DETACH) })
	ballast := filepath.Join(o.Dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 140<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _ := startSpool(t, o)
	r := testRecord(0)
	if err := s.Append(context.Background(), &r); !errors.Is(err, ErrSpoolFull) || !errors.Is(s.Ready(), ErrSpoolFull) {
		t.Fatalf("%v, ready: %v", err, s.Ready())
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); s.Ready() != nil && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	appendAll(t, s, 0, 10)
}

func TestTheLimitCountsTheSpoolsBeside(t *testing.T) {
	o := testOptions(t)
	beside, _ := startSpool(t, o)
	appendAll(t, beside, 0, 400) // two segments
	o.Dir, o.Limit, o.Beside = t.TempDir(), 3*o.SegmentSize, []*Spool{beside}
	s, _ := startSpool(t, o)
	var err error
	for n := 0; err == nil; n++ {
		r := testRecord(n)
		err = s.Append(context.Background(), &r)
	}
	if !errors.Is(err, ErrSpoolFull) || s.Bytes() > o.SegmentSize {
		t.Errorf("%v with %d bytes", err, s.Bytes())
	}
}

func TestClosingTwiceIsOnce(t *testing.T) {
	s, stop := startSpool(t, testOptions(t))
	stop()
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// The process that appends is killed with signal 9; what it said it had
// appended must be there.
func TestKillNineLosesNothingAcknowledged(t *testing.T) {
	for _, ack := range []Ack{AckMemory, AckSpool, AckFsync} {
		t.Run(string(ack), func(t *testing.T) {
			o := testOptions(t)
			child := appenderProcess(t, o.Dir, ack)
			time.Sleep(300 * time.Millisecond)
			acknowledged := child.kill()
			if acknowledged < 100 {
				t.Fatalf("only %d records were acknowledged", acknowledged)
			}
			got := contents(t, orphan(t, o), 0)
			if len(got) < acknowledged {
				t.Errorf("%d of %d acknowledged records are left", len(got), acknowledged)
			}
			assertRecords(t, got, 0, len(got))
		})
	}
}

func FuzzFrame(f *testing.F) {
	r := testRecord(1)
	data := make([]byte, 3*maxFrame)
	n := putFrame(data, 7, &r)
	putFrame(data[n:], 8, &r)
	f.Add(data)
	f.Add(data[1:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		for at := 0; at < len(data); {
			sequence, size, ok := frame(data[at:])
			if !ok {
				at += 1 + resync(data[at+1:])
				continue
			}
			r, err := decode(string(data[at+frameHeader : at+size]))
			if err == nil { // what reads well writes the same
				again := make([]byte, maxFrame)
				if n := putFrame(again, sequence, &r); !bytes.Equal(again[:n], data[at:at+size]) {
					t.Fatalf("%x reads %+v, which writes %x", data[at:at+size], r, again[:n])
				}
			}
			at += size
		}
		path := filepath.Join(t.TempDir(), "00000001.segment")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if s, _, _, err := openSegment(path); err == nil {
			_ = s.file.Close()
		}
	})
}
