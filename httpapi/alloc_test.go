//go:build !race

package httpapi

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"waybill/persist"
)

func TestIssuingAllocatesLittle(t *testing.T) {
	s := start(t, func(c *Config, _ *persist.Options) { c.Log = slog.New(slog.DiscardHandler) })
	h := s.api.Public()
	r := httptest.NewRequest("GET", "/next-tracking-number?"+theOriginalsQuery, nil)
	w := &discard{header: http.Header{}}
	if allocs := testing.AllocsPerRun(1000, func() { h.ServeHTTP(w, r) }); allocs > 3 {
		t.Errorf("%v allocations, want the name, the slug and now and then a little", allocs)
	}
	if w.status != 0 {
		t.Errorf("status %d", w.status)
	}
}
