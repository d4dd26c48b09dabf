package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"waybill/generator"
	"waybill/httpapi"
	"waybill/lease"
	"waybill/persist"

	"golang.org/x/sync/errgroup"
)

// server is one serving process.
type server struct {
	Config
	log   *slog.Logger
	stop  chan os.Signal                  // the first asks to stop, the second to hurry
	greet func(address, operators string) // at a terminal
	self  lease.Instance

	service atomic.Pointer[service] // nil until every store has admitted this instance
	refusal atomic.Pointer[error]   // why not, so far
}

// serve answers at once, issues as soon as the stores have admitted this
// instance, and goes on until a signal. It is taken down in the opposite order.
// Replied means recorded: the generator is closed before the last records are
// loaded, and the lease is given back after that. Operators are answered to the
// end.
func (s *server) serve(ctx context.Context) (err error) {
	stores, err := openStores(ctx, s.Config)
	defer func() { err = errors.Join(err, stores.Close()) }()
	if err != nil {
		return err
	}
	numbers := generator.New(s.Layout)
	api := httpapi.New(httpapi.Config{
		Generator: numbers, Form: s.Form, Log: s.log, Ready: s.ready, AckLimit: s.ackLimit(),
		Lease: s.lease, Leases: s.leases, Token: s.OpsToken, Shared: s.OpsAddr == opsShared,
	})
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", ":"+strconv.Itoa(s.Port))
	if err != nil {
		return fmt.Errorf("PORT: %w", err)
	}
	s.self = s.instance(listener.Addr())
	ops, err := s.openOperators(ctx, api)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, ops.Close()) }()
	web := httpapi.NewServer(api)

	group, running := errgroup.WithContext(ctx)
	working, stopWork := context.WithCancel(running)
	defer stopWork()
	group.Go(func() error { return api.Run(working) })
	group.Go(func() error { return web.Serve(listener) })
	group.Go(func() error { return s.issue(working, stores, numbers, api) })
	s.log.Info("listening", "addr", listener.Addr().String(), "version", version(), "instance", s.self.Name,
		"form", s.Form.String(), "lease", s.authorities())
	if s.greet != nil {
		s.greet(dialable(listener.Addr()), ops.at())
	}

	s.awaitStop(running, api)
	shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit)
	defer cancel()
	err = errors.Join(err, web.Shutdown(shutdown))
	last := numbers.Close()
	stopWork()
	err = errors.Join(err, group.Wait())
	if v := s.service.Load(); v != nil {
		err = errors.Join(err, v.close(ctx, last))
	}
	return err
}

// issue waits for the stores, and then issues and records until ctx ends.
func (s *server) issue(ctx context.Context, st *stores, numbers *generator.Generator, api *httpapi.API) error {
	if !s.untilAdmitted(ctx, st.admit) {
		return nil
	}
	if st.file != nil && st.file.Created() {
		s.log.Warn("number space created", "dir", s.DataDir, "space", st.space.ID)
	}
	v, err := s.openService(ctx, numbers, st)
	if err != nil {
		return err
	}
	s.log.Info("admitted", "space", st.space.ID)
	api.Open(httpapi.Records{Spool: v.spool, Lookup: v.lookup()})
	s.service.Store(v)
	return v.run(ctx)
}

// untilAdmitted asks until every store takes this instance. It reports false
// when ctx ended first.
func (s *server) untilAdmitted(ctx context.Context, admit func(context.Context) error) bool {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := admit(ctx)
		if err == nil {
			return true
		}
		if before := s.refusal.Swap(&err); (before == nil || (*before).Error() != err.Error()) && ctx.Err() == nil {
			s.log.Warn("not ready", "error", err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return false
		}
	}
}

// ready returns nil when numbers can be issued and recorded, and otherwise the
// reason, in words that the world may know.
func (s *server) ready() error {
	if v := s.service.Load(); v != nil {
		return v.ready()
	}
	return errors.New(lease.Public(s.refused()))
}

// errStarting is the reason before the stores were asked.
var errStarting = errors.New("starting")

// ackLimit bounds a reply's wait for its record where that can be long.
func (s *server) ackLimit() time.Duration {
	if s.Ack == persist.AckDatabase {
		return 5 * time.Second
	}
	return 0
}

// instance is who this process is, to other operators.
func (s *server) instance(listening net.Addr) lease.Instance {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	_, port, err := net.SplitHostPort(listening.String())
	if err != nil {
		port = strconv.Itoa(s.Port)
	}
	address := net.JoinHostPort(host, port)
	name := s.Instance
	if name == "" {
		name = address
	}
	return lease.Instance{Name: name, Host: host, Version: version(), Address: address, Since: time.Now().UTC().Truncate(time.Millisecond)}
}

// awaitStop returns when the service shall stop: after a SIGTERM with a pause in
// which load balancers notice, and without one after SIGINT, a second signal, or
// a failure.
func (s *server) awaitStop(running context.Context, api *httpapi.API) {
	select {
	case sig := <-s.stop:
		s.log.Info("stopping", "signal", sig.String())
		api.Drain()
		if sig == syscall.SIGINT {
			return
		}
	case <-running.Done():
		s.log.Error("stopping after a failure", "error", context.Cause(running))
		api.Drain()
		return
	}
	select {
	case <-time.After(drainDelay):
	case <-s.stop:
	case <-running.Done():
	}
}

// dialable is an address that a person can use.
func dialable(a net.Addr) string {
	if tcp, ok := a.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return "localhost:" + strconv.Itoa(tcp.Port)
	}
	return a.String()
}
