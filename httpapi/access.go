package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

// accessLog writes one line a request: all of them at level debug, and
// otherwise the first few of each second, so that load does not cost twice. No
// line has a query string.
type accessLog struct {
	log  *slog.Logger
	left atomic.Int64 // lines to write in this second
}

const accessLines = 10 // a second

// wanted reports whether a request is to be logged.
func (l *accessLog) wanted() bool {
	return l.left.Load() > 0 && l.left.Add(-1) >= 0
}

// open reports whether wanted would say yes; it takes nothing.
func (l *accessLog) open() bool { return l.left.Load() > 0 }

// run opens a new second every second.
func (l *accessLog) run(ctx context.Context) error {
	lines := int64(accessLines)
	if l.log.Enabled(ctx, slog.LevelDebug) {
		lines = 1 << 40
	} else if !l.log.Enabled(ctx, slog.LevelInfo) {
		lines = 0
	}
	l.left.Store(lines)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.left.Store(lines)
		case <-ctx.Done():
			return nil
		}
	}
}

// write logs an answered request.
func (l *accessLog) write(r *http.Request, w *statusWriter, start time.Time) {
	l.log.InfoContext(r.Context(), "request", "method", r.Method, "path", r.URL.Path, "status", w.status,
		"bytes", w.bytes, "duration_us", time.Since(start).Microseconds(), "remote", r.RemoteAddr)
}

// statusWriter notes what was answered.
type statusWriter struct {
	http.ResponseWriter
	status int
	bytes  int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.bytes += n
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
