package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/google/uuid"
	"github.com/tidwall/wal"

	"waybill/generator"
	"waybill/persist"
)

// logger is one way to keep a record on the way to the database.
type logger struct {
	name, note string
	open       func(t *lifetime, dir string) (appendOne func() error, err error)
}

// measureSpools counts records a second: first those that survive the death of
// the process, then those that survive a power cut.
func measureSpools(ctx context.Context, _ *lifetime, p plan) ([]row, error) {
	sets := []struct {
		what    string
		loggers []logger
	}{
		{"kernel has it", []logger{
			{"write(2) under a mutex", "no check sum, no segments", openFile(false)},
			{"waybill Spool, spool", "encodes and check-sums each record", openSpool(persist.AckSpool)},
			{"tidwall/wal, NoSync", "no check sum", openWAL(true)},
		}},
		{"disk has it", []logger{
			{"write(2) and fdatasync under a mutex", "no check sum, no segments", openFile(true)},
			{"waybill Spool, fsync", "callers share a sync", openSpool(persist.AckFsync)},
			{"tidwall/wal", "a sync for each record", openWAL(false)},
		}},
	}
	var rows []row
	for _, set := range sets {
		for _, goroutines := range []int{1, 64} {
			g := group{name: fmt.Sprintf("record logged, %s, %d caller%s, /s", set.what, goroutines, "s"[:min(1, goroutines-1)])}
			for _, l := range set.loggers {
				g.contestants = append(g.contestants, contestant{l.name, l.note, func(context.Context) (sample, error) {
					return l.measure(goroutines, p)
				}})
			}
			some, err := g.run(ctx, p.rounds)
			if err != nil {
				return nil, err
			}
			rows = append(rows, some...)
		}
	}
	return rows, nil
}

// measure appends to a new log for a while.
func (l logger) measure(goroutines int, p plan) (sample, error) {
	return within(func(t *lifetime) (sample, error) {
		one, err := l.open(t, t.TempDir())
		if err != nil {
			return sample{}, err
		}
		done, elapsed, err := drive(goroutines, 16, 0, p.store, func() loop { return repeat(one) })
		return sample{figure: float64(done) / elapsed.Seconds()}, err
	})
}

// someRecord is a record whose payload has 100 bytes.
func someRecord() persist.Record {
	return persist.Record{
		ID: someID, Epoch: 1, Origin: generator.Country{'M', 'Y'}, Destination: generator.Country{'I', 'D'}, Weight: 1234,
		OrderedAt: 1_542_626_972_000_000, CustomerID: uuid.MustParse("de619854-b59b-425e-9db4-943979e1bd49"),
		CustomerName: "RedBox Logistics Sdn. Bhd.", CustomerSlug: "redbox-logistics-sdn-bhd",
	}
}

const payloadSize = 100

// openSpool makes a spool that nobody loads from.
func openSpool(ack persist.Ack) func(*lifetime, string) (func() error, error) {
	return func(t *lifetime, dir string) (func() error, error) {
		s, err := persist.NewSpool(persist.Options{
			Dir: dir, Space: uuid.New(), Layout: "bench", Ack: ack, Limit: 16 << 30, SegmentSize: 64 << 20, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { _ = s.Run(ctx) })
		t.Cleanup(func() {
			cancel()
			running.Wait()
			_ = s.Close()
		})
		record := someRecord()
		return func() error {
			r := record
			return s.Append(ctx, &r)
		}, nil
	}
}

// openWAL makes a log of tidwall's, whose callers have to count.
func openWAL(noSync bool) func(*lifetime, string) (func() error, error) {
	return func(t *lifetime, dir string) (func() error, error) {
		options := *wal.DefaultOptions
		options.NoSync = noSync
		l, err := wal.Open(filepath.Join(dir, "wal"), &options)
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { _ = l.Close() })
		payload := make([]byte, payloadSize)
		var mu sync.Mutex
		last := uint64(0)
		return func() error {
			mu.Lock()
			defer mu.Unlock()
			last++
			return l.Write(last, payload)
		}, nil
	}
}

// openFile is the least that one can do.
func openFile(durable bool) func(*lifetime, string) (func() error, error) {
	return func(t *lifetime, dir string) (func() error, error) {
		f, err := os.Create(filepath.Join(dir, "log"))
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { _ = f.Close() })
		payload := make([]byte, payloadSize)
		var mu sync.Mutex
		return func() error {
			mu.Lock()
			defer mu.Unlock()
			if _, err := f.Write(payload); err != nil || !durable {
				return err
			}
			return syscall.Fdatasync(int(f.Fd()))
		}, nil
	}
}
