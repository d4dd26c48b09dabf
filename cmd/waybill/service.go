package main

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"time"

	"waybill/generator"
	"waybill/lease"
	"waybill/persist"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// service is what issues and records. It is made once every store is known to be
// of this number space.
type service struct {
	server  *server
	keeper  *lease.Keeper
	spool   *persist.Spool
	orphans []*persist.Spool
	loader  *persist.Loader
	records persist.Store

	recording     context.Context // begins at once, ends last
	stopRecording context.CancelFunc
	upkeep        errgroup.Group
}

// openService opens the spools in DATA_DIR and prepares the rest.
func (s *server) openService(ctx context.Context, numbers *generator.Generator, st *stores) (*service, error) {
	v := &service{server: s, loader: persist.NewLoader(st.records, s.log), records: st.records}
	v.recording, v.stopRecording = context.WithCancel(context.WithoutCancel(ctx))
	options := persist.Options{
		Dir: filepath.Join(s.DataDir, "spool"), Space: uuid.MustParse(st.space.ID), Layout: s.Layout.String(),
		Ack: s.Ack, Limit: s.SpoolLimit, SegmentSize: segmentSize, Log: s.log,
	}
	var err error
	if v.orphans, err = persist.Orphans(options); err != nil {
		s.log.Error("spools left as they are", "error", err)
	}
	options.Beside = v.orphans
	if v.spool, err = persist.NewSpool(options); err != nil {
		return nil, errors.Join(err, v.closeSpools())
	}
	v.upkeep.Go(func() error { return v.spool.Run(v.recording) })
	v.keeper = lease.NewKeeper(lease.Config{
		Generator: numbers, Authorities: st.authorities(), Space: st.space, Self: s.self, Issued: v.spool.Last, Log: s.log,
	})
	return v, nil
}

// run issues and loads until ctx ends.
func (v *service) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return v.keeper.Run(ctx) })
	group.Go(func() error { return v.loader.Run(ctx, v.spool) })
	group.Go(func() error { v.loader.Adopt(ctx, v.orphans); return nil })
	return group.Wait()
}

// ready returns nil when numbers can be issued and recorded.
func (v *service) ready() error {
	if v.server.Ack == persist.AckDatabase && v.loader.Stats().Err != nil {
		return errAway // every reply would wait for it in vain
	}
	return errors.Join(v.keeper.Ready(), v.spool.Ready())
}

// errAway is what the world may know of a database that does not answer.
var errAway = errors.New("the database cannot be reached")

// close takes down in the opposite order: what is recorded is loaded, and the
// lease is given back after that. last is what the generator's Close returned.
func (v *service) close(ctx context.Context, last int64) error {
	v.flush(ctx)
	v.stopRecording()
	err := v.upkeep.Wait()
	if unreturned := v.keeper.Release(context.WithoutCancel(ctx), last); unreturned != nil {
		v.server.log.Warn("lease rests until its window is past", "error", unreturned)
	}
	v.server.log.Info("stopped", "records", v.spool.Last(), "loaded", v.spool.Loaded())
	return errors.Join(err, v.closeSpools())
}

func (v *service) closeSpools() error {
	v.stopRecording()
	var errs []error
	if v.spool != nil {
		errs = append(errs, v.spool.Close())
	}
	for _, orphan := range v.orphans {
		errs = append(errs, orphan.Close())
	}
	return errors.Join(errs...)
}

// flush loads what is left in the spool. What it cannot load stays there for the
// next start.
func (v *service) flush(ctx context.Context) {
	if v.spool.Last() == v.spool.Loaded() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushLimit)
	defer cancel()
	go func() { // a second signal hurries
		select {
		case <-v.server.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := v.loader.Drain(ctx, v.spool); err != nil {
		v.server.log.Warn("records stay in the spool for the next start", "records", v.spool.Last()-v.spool.Loaded(), "error", err)
	}
}

// lookup finds records in the spools and the database.
func (v *service) lookup() *persist.Lookup {
	return persist.NewLookup(v.records, append(slices.Clip(v.orphans), v.spool)...)
}

// How stopping is paced. With the 3 s that giving the lease back may take and one
// for operators, the sum stays below 25 s.
const (
	drainDelay    = 3 * time.Second // two health checks of a load balancer, and some
	shutdownLimit = 8 * time.Second // for requests under way
	flushLimit    = 8 * time.Second // for records to reach the database
)
