package generator

import (
	"context"
	"sync"
	"testing"
	"time"
)

// mutexed is the alternative that was measured: the same arithmetic under a
// mutex (ADR 2).
type mutexed struct {
	mu          sync.Mutex
	last, limit uint64
}

func (m *mutexed) take(now uint64, bits uint8) (uint64, bool) {
	fresh := now<<bits | offset(now, bits)
	m.mu.Lock()
	defer m.mu.Unlock()
	first := max(m.last+1, fresh)
	if first+1 > m.limit || first+1 > (now+Lead+1)<<bits {
		return 0, false
	}
	m.last = first
	return first, true
}

// unbounded gives a generator whose lead never runs out: what is measured is
// the work of one ID, not the layout's 4,096 a millisecond.
func unbounded() *Generator {
	l, _ := NewLayout(8, 16, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	g := New(l)
	use(g, Window{Worker: 1, From: l.epoch, Until: l.End()}, time.Now().UnixMilli())
	return g
}

func BenchmarkNext(b *testing.B) {
	g := unbounded()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Next(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNextParallel(b *testing.B) {
	g := unbounded()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := g.Next(context.Background()); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkMutexParallel(b *testing.B) {
	g := unbounded()
	m := &mutexed{limit: closed}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.take(g.now(), 16)
		}
	})
}

func BenchmarkMutex(b *testing.B) {
	g := unbounded()
	m := &mutexed{limit: closed}
	for b.Loop() {
		m.take(g.now(), 16)
	}
}

func BenchmarkNextN4096(b *testing.B) {
	g := unbounded()
	dst := make([]ID, 4096)
	for b.Loop() {
		if err := g.NextN(context.Background(), dst); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/4096, "ns/id")
}
