package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"waybill/generator"
	"waybill/persist"

	"github.com/julienschmidt/httprouter"
)

// Config is what an API works with.
type Config struct {
	Generator *generator.Generator
	Form      generator.Form
	Ready     func() error  // nil when numbers can be issued and recorded, otherwise the reason
	AckLimit  time.Duration // how long a reply may wait for its record; 0 for no limit
	Log       *slog.Logger

	Lease  func() any                         // what this instance holds, as JSON will have it
	Leases func(context.Context) (any, error) // what all instances hold, or why that cannot be told yet
	Token  string                             // what operators have to show; empty: nothing
	Shared bool                               // the operators' routes are public ones too
}

// API answers requests. Its methods may be called concurrently.
type API struct {
	Config
	records  atomic.Pointer[Records]
	draining atomic.Bool
	access   accessLog
	calls    sync.Pool // of *call
}

// Records is where numbers are recorded and looked up.
type Records struct {
	Spool  *persist.Spool
	Lookup *persist.Lookup
}

// Open lets the API record and look up. Until then, as long as the stores of the
// number space are not known, it answers 503. Call it before the generator has a
// window.
func (a *API) Open(r Records) { a.records.Store(&r) }

// New returns an API.
func New(c Config) *API {
	return &API{Config: c, access: accessLog{log: c.Log}, calls: sync.Pool{New: func() any { return new(call) }}}
}

// Public is what the world may ask.
func (a *API) Public() http.Handler {
	router, get := a.router(func(h handler) handler { return h })

	get("/next-tracking-number", a.issue)
	get("/next-tracking-number/", a.issue)
	get("/tracking-numbers/:number", a.find)
	get("/livez", a.live)
	get("/readyz", a.ready)
	if a.Shared {
		get("/lease", a.guarded(a.lease))
		get("/leases", a.guarded(a.leases))
	}
	return router
}

// Operators is what those who run the service may ask. Health needs no token.
func (a *API) Operators() http.Handler {
	router, get := a.router(a.guarded)

	get("/lease", a.guarded(a.lease))
	get("/leases", a.guarded(a.leases))
	get("/livez", a.live)
	get("/readyz", a.ready)
	return router
}

// router has no routes yet; get adds one. What is asked for elsewhere is refused
// behind guard.
func (a *API) router(guard func(handler) handler) (router *httprouter.Router, get func(path string, h handler)) {
	router = &httprouter.Router{HandleMethodNotAllowed: true} // and no redirects, no answers to OPTIONS
	router.NotFound = a.handle(guard(func(http.ResponseWriter, *http.Request) error { return errNoRoute }))
	router.MethodNotAllowed = a.handle(guard(func(w http.ResponseWriter, _ *http.Request) error {
		// The router offers OPTIONS too, which nobody answers.
		w.Header().Set("Allow", strings.TrimSuffix(w.Header().Get("Allow"), ", OPTIONS"))
		return errMethod
	}))
	return router, func(path string, h handler) { router.HandlerFunc(http.MethodGet, path, a.handle(h)) }
}

// Drain makes readiness say 404, which HAProxy takes as "no new requests, keep
// the old ones", and asks clients to close their connections.
func (a *API) Drain() { a.draining.Store(true) }

// Run does the API's work beside requests until ctx ends.
func (a *API) Run(ctx context.Context) error { return a.access.run(ctx) }
