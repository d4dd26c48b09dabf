package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"runtime/debug"
	"time"

	"waybill/generator"
	"waybill/persist"
)

// problem is an RFC 9457 problem: the only form of a refusal.
type problem struct {
	Type   string  `json:"type"`
	Title  string  `json:"title"`
	Status int     `json:"status"`
	Detail string  `json:"detail,omitempty"`
	Errors []fault `json:"errors,omitempty"`

	retryAfter string
}

// fault is one bad parameter.
type fault struct {
	Parameter string `json:"parameter"`
	Detail    string `json:"detail"`
}

func (p *problem) Error() string { return p.Title }

// with is a copy of p about something in particular.
func (p *problem) with(detail string) *problem {
	particular := *p
	particular.Detail = detail
	return &particular
}

// The problems.
var (
	errNoRoute      = &problem{Type: "/problems/not-found", Title: "Not found", Status: http.StatusNotFound}
	errMethod       = &problem{Type: "/problems/method-not-allowed", Title: "Method not allowed", Status: http.StatusMethodNotAllowed}
	errUnauthorized = &problem{
		Type: "/problems/unauthorized", Title: "Unauthorized", Status: http.StatusUnauthorized,
		Detail: "send the instance's OPS_TOKEN, as in Authorization: Bearer <token>",
	}
	errQueryTooLong = &problem{
		Type: "/problems/query-too-long", Title: "Query too long", Status: http.StatusRequestURITooLong,
		Detail: "the query string may have 4,096 bytes",
	}
	errParameters = &problem{Type: "/problems/invalid-parameters", Title: "Invalid parameters", Status: http.StatusBadRequest}
	errNumber     = &problem{Type: "/problems/invalid-number", Title: "Invalid tracking number", Status: http.StatusBadRequest}
	errUnknown    = &problem{Type: "/problems/unknown-number", Title: "Unknown tracking number", Status: http.StatusNotFound}
	errNoWindow   = &problem{
		Type: "/problems/no-window", Title: "No numbers can be issued here at the moment",
		Status: http.StatusServiceUnavailable, retryAfter: "1",
	}
	errNoRecord = &problem{
		Type: "/problems/no-record", Title: "No records can be taken here at the moment",
		Status: http.StatusServiceUnavailable, retryAfter: "1",
	}
	errAway = &problem{
		Type: "/problems/no-database", Title: "The database cannot be asked at the moment",
		Status: http.StatusServiceUnavailable, retryAfter: "1",
	}
	errNotReady = &problem{Type: "/problems/not-ready", Title: "Not ready", Status: http.StatusServiceUnavailable, retryAfter: "1"}
	errDraining = &problem{Type: "/problems/draining", Title: "Draining", Status: http.StatusNotFound}
	errInternal = &problem{Type: "/problems/internal", Title: "Internal error", Status: http.StatusInternalServerError}
	errTimeout  = &problem{Type: "/problems/timeout", Title: "Not answered in time", Status: http.StatusServiceUnavailable, retryAfter: "1"}
)

// problemOf is the table from errors to problems. news says that the cause
// belongs in the log: nothing else reports it.
func problemOf(err error) (p *problem, news bool) {
	is := func(targets ...error) bool {
		for _, target := range targets {
			if errors.Is(err, target) {
				return true
			}
		}
		return false
	}
	if p, ok := errors.AsType[*problem](err); ok {
		return p, false
	}
	switch {
	case is(generator.ErrNoWindow, generator.ErrWindowSpent, generator.ErrLayoutSpent, generator.ErrClockBehind, generator.ErrClosed):
		return errNoWindow, false
	case is(persist.ErrSpoolFull, persist.ErrSpoolFailed, persist.ErrSpoolClosed):
		return errNoRecord, false
	case is(generator.ErrNumberLength, generator.ErrNumberCharacter, generator.ErrNumberCheck, generator.ErrNumberCountry, generator.ErrNumberRange):
		return errNumber.with(err.Error()), false
	case is(persist.ErrNotFound):
		return errUnknown, false
	case is(persist.ErrAway):
		return errAway, false
	case is(errAckLimit, context.Canceled, context.DeadlineExceeded):
		return errTimeout, false
	}
	return errInternal, true
}

// invalidParameters lists the faults of a request, in the contract's order.
func invalidParameters(faults [parameters]string) *problem {
	p := *errParameters
	for parameter, detail := range faults {
		if detail != "" {
			p.Errors = append(p.Errors, fault{parameterNames[parameter], detail})
		}
	}
	return &p
}

// handler answers a request, or returns why it does not; it has then written
// nothing but headers.
type handler func(w http.ResponseWriter, r *http.Request) error

// handle makes an http.HandlerFunc of h: it writes errors as problems, survives
// panics and logs some accesses.
func (a *API) handle(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if a.draining.Load() {
			w.Header()["Connection"] = closeHeader
		}
		if a.access.wanted() {
			logged := &statusWriter{ResponseWriter: w, status: http.StatusOK}
			defer a.access.write(r, logged, time.Now())
			w = logged
		}
		defer a.recover(w, r)
		if err := h(w, r); err != nil {
			a.refuse(w, r, err)
		}
	}
}

// refuse writes err as a problem.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p, news := problemOf(err)
	if news {
		a.Log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "error", err)
	}
	body, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings and a number
	}
	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	header.Set("Cache-Control", "no-store")
	if p.retryAfter != "" {
		header.Set("Retry-After", p.retryAfter)
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // a caller that is gone cannot be told
}

// recover turns a panic into a problem and a log line with the stack.
func (a *API) recover(w http.ResponseWriter, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	a.Log.ErrorContext(r.Context(), "request panicked", "path", r.URL.Path, "panic", cause, "stack", string(debug.Stack()))
	a.refuse(w, r, errInternal)
}
