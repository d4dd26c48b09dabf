package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"waybill/generator"
	"waybill/httpapi"
	"waybill/lease"
	"waybill/persist"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// server is one serving process.
type server struct {
	Config
	log   *slog.Logger
	stop  chan os.Signal       // the first asks to stop, the second to hurry
	greet func(address string) // at a terminal
}

// How stopping is paced. With the 5 s that giving the lease back may take, the
// sum stays below 25 s.
const (
	drainDelay    = 3 * time.Second // two health checks of a load balancer, and some
	shutdownLimit = 8 * time.Second // for requests under way
	flushLimit    = 8 * time.Second // for records to reach the database
)

// serve builds the service, runs it until a signal, and takes it down in the
// opposite order. Replied means recorded: the generator is closed before the
// last records are loaded, and the lease is given back after that.
func (s *server) serve(ctx context.Context) (err error) {
	closing := func(close func() error) { err = errors.Join(err, close()) }

	authority, err := lease.OpenFile(s.DataDir, lease.NewSpace(s.Layout, s.Form, "file"), s.LeaseClaim)
	if err != nil {
		return fmt.Errorf("DATA_DIR: %w", err)
	}
	defer closing(authority.Close)
	space := authority.Space()
	if authority.Created() {
		s.log.Warn("number space created", "dir", s.DataDir, "space", space.ID)
	}

	store, admit, err := s.openStore(ctx, space)
	if err != nil {
		return err
	}
	defer closing(store.Close)

	options := s.spoolOptions(space)
	orphans, unread := persist.Orphans(options)
	if unread != nil {
		s.log.Error("spools left as they are", "error", unread)
	}
	for _, orphan := range orphans {
		defer closing(orphan.Close)
	}
	options.Beside = orphans
	spool, err := persist.NewSpool(options)
	if err != nil {
		return err
	}
	defer closing(spool.Close)

	numbers := generator.New(s.Layout)
	keeper := lease.NewKeeper(numbers, s.log, authority)
	loader := persist.NewLoader(store, s.log)
	var admitted atomic.Pointer[error]
	admitted.Store(&errStarting)
	api := httpapi.New(httpapi.Config{
		Generator: numbers, Form: s.Form, Spool: spool, Log: s.log,
		Lookup: persist.NewLookup(store, append(orphans, spool)...),
		Ready: func() error {
			if err := *admitted.Load(); err != nil {
				return err
			}
			if s.Ack == persist.AckDatabase && loader.Stats().Err != nil {
				return errAway // every reply would wait for it in vain
			}
			return errors.Join(keeper.Ready(), spool.Ready())
		},
		AckLimit: s.ackLimit(),
	})

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", ":"+strconv.Itoa(s.Port))
	if err != nil {
		return fmt.Errorf("PORT: %w", err)
	}
	web := httpapi.NewServer(api)
	group, running := errgroup.WithContext(ctx)
	working, stopWork := context.WithCancel(running)
	defer stopWork()
	group.Go(func() error { return api.Run(working) })
	group.Go(func() error { return web.Serve(listener) })

	// What issues, and what loads, begins once the database is known to be this
	// space's; what records begins at once and ends last.
	recording, stopRecording := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRecording()
	var upkeep errgroup.Group
	upkeep.Go(func() error { return spool.Run(recording) })
	group.Go(func() error {
		if !s.untilAdmitted(working, admit, &admitted) {
			return nil
		}
		leased, ctx := errgroup.WithContext(working)
		leased.Go(func() error { return keeper.Run(ctx) })
		leased.Go(func() error { return loader.Run(ctx, spool) })
		leased.Go(func() error { loader.Adopt(ctx, orphans); return nil })
		return leased.Wait()
	})
	s.log.Info("listening", "addr", listener.Addr().String(), "version", version(), "space", space.ID, "form", s.Form.String())
	if s.greet != nil {
		s.greet(dialable(listener.Addr()))
	}

	s.awaitStop(running, api)
	shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit)
	defer cancel()
	err = errors.Join(err, web.Shutdown(shutdown))
	last := numbers.Close()
	stopWork()
	err = errors.Join(err, group.Wait())
	s.flush(ctx, loader, spool, *admitted.Load())
	stopRecording()
	err = errors.Join(err, upkeep.Wait(), keeper.Release(ctx, last))
	s.log.Info("stopped", "records", spool.Last(), "loaded", spool.Loaded())
	return err
}

// errStarting is the reason before the database was asked.
var errStarting = errors.New("starting")

func (s *server) spoolOptions(space lease.Space) persist.Options {
	return persist.Options{
		Dir: filepath.Join(s.DataDir, "spool"), Space: uuid.MustParse(space.ID), Layout: s.Layout.String(),
		Ack: s.Ack, Limit: s.SpoolLimit, SegmentSize: segmentSize, Log: s.log,
	}
}

// ackLimit bounds a reply's wait for its record where that can be long.
func (s *server) ackLimit() time.Duration {
	if s.Ack == persist.AckDatabase {
		return 5 * time.Second
	}
	return 0
}

// untilAdmitted asks until the database takes this instance. It reports false
// when ctx ended first.
func (s *server) untilAdmitted(ctx context.Context, admit func(context.Context) error, reason *atomic.Pointer[error]) bool {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := admit(ctx)
		if before := *reason.Swap(&err); err != nil && before.Error() != err.Error() && ctx.Err() == nil {
			s.log.Warn("not ready", "error", err, "cause", errors.Unwrap(err))
		}
		if err == nil {
			return true
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return false
		}
	}
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

// flush loads what is left in the spool. What it cannot load stays there for the
// next start.
func (s *server) flush(ctx context.Context, loader *persist.Loader, spool *persist.Spool, admitted error) {
	if admitted != nil || spool.Last() == spool.Loaded() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushLimit)
	defer cancel()
	go func() { // a second signal hurries
		select {
		case <-s.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := loader.Drain(ctx, spool); err != nil {
		s.log.Warn("records stay in the spool for the next start", "records", spool.Last()-spool.Loaded(), "error", err)
	}
}

// dialable is an address that a person can use.
func dialable(a net.Addr) string {
	if tcp, ok := a.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return "localhost:" + strconv.Itoa(tcp.Port)
	}
	return a.String()
}
