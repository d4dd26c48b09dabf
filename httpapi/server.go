package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Limits of the server. A request is a short line; what takes longer is broken
// or hostile.
const (
	readLimit   = 5 * time.Second  // for a request, once it has begun
	writeLimit  = 30 * time.Second // beyond the longest wait for a record
	idleLimit   = 75 * time.Second // beyond that of the proxies in front
	headerBytes = 16 << 10
	queryLimit  = 4 << 10
)

// Server serves an API. Plain GETs are answered right on their connection
// (conn.serve); the first request that is anything else goes, with its
// connection, from its first byte, to net/http (ADR 8). NewServer makes one.
type Server struct {
	api  *API
	http *http.Server
	rest *handover // connections on their way to net/http

	ctx    context.Context // of all requests, as http.Server's BaseContext
	cancel context.CancelFunc

	closing  atomic.Bool
	mu       sync.Mutex
	listener net.Listener
	conns    map[*conn]struct{}
	serving  sync.WaitGroup
}

// NewServer returns a server of a's public routes.
func NewServer(a *API) *Server {
	s := &Server{
		api:   a,
		rest:  &handover{conns: make(chan net.Conn), done: make(chan struct{})},
		conns: map[*conn]struct{}{},
		http:  a.limited(a.Public()),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// NewOperatorsServer returns a server of a's operators' routes.
func NewOperatorsServer(a *API) *http.Server { return a.limited(a.Operators()) }

// limited is a server with the limits.
func (a *API) limited(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readLimit,
		ReadTimeout:       readLimit,
		WriteTimeout:      writeLimit,
		IdleTimeout:       idleLimit,
		MaxHeaderBytes:    headerBytes,
		ErrorLog:          slog.NewLogLogger(a.Log.Handler(), slog.LevelDebug),
	}
}

// Serve answers connections from l until Shutdown, which makes it return nil.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	s.listener, s.rest.addr = l, l.Addr()
	s.mu.Unlock()
	ended := make(chan error, 2)
	go func() { ended <- s.http.Serve(s.rest) }()
	go func() { ended <- s.accept(l) }()
	first := <-ended
	closed := errors.Join(l.Close(), s.rest.Close()) // so that the other ends too
	second := <-ended
	if s.closing.Load() {
		return nil
	}
	return errors.Join(first, second, closed)
}

// accept gives each connection a goroutine.
func (s *Server) accept(l net.Listener) error {
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			s.start(&conn{Conn: c, server: s})
		case errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE):
			s.api.Log.Warn("connection not accepted", "error", err)
			time.Sleep(100 * time.Millisecond)
		default:
			return err
		}
	}
}

func (s *Server) start(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		_ = c.Close() // it has sent nothing that was read
		return
	}
	s.conns[c] = struct{}{}
	s.serving.Go(c.serve)
}

// forget takes a connection off the list.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// Shutdown stops accepting, closes idle connections and waits for requests under
// way, until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing.Store(true)
	for c := range s.conns {
		_ = c.SetReadDeadline(time.Unix(1, 0)) // wakes those that wait for a request
	}
	var err error
	if s.listener != nil {
		if err = s.listener.Close(); errors.Is(err, net.ErrClosed) {
			err = nil
		}
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.serving.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		err = errors.Join(err, context.Cause(ctx))
	}
	err = errors.Join(err, s.http.Shutdown(ctx))
	s.cancel()
	if err != nil { // out of time: whoever still waits is cut off
		s.mu.Lock()
		for c := range s.conns {
			_ = c.Close()
		}
		s.mu.Unlock()
		err = errors.Join(err, s.http.Close())
	}
	return err
}

// handover is the listener that net/http accepts from.
type handover struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
	addr  net.Addr
}

// give hands a connection over; it reports false when nobody takes it any more.
func (h *handover) give(c net.Conn) bool {
	select {
	case h.conns <- c:
		return true
	case <-h.done:
		return false
	}
}

func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

func (h *handover) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

func (h *handover) Addr() net.Addr { return h.addr }
