package httpapi

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"waybill/persist"
)

const operatorsToken = "an operator's token"

// operated is a service whose operators' routes have a listener of their own, or
// the public one; base is its URL.
func operated(t *testing.T, shared bool, change func(*Config)) (s *service, base string) {
	t.Helper()
	s = start(t, func(c *Config, _ *persist.Options) {
		c.Shared, c.Token = shared, operatorsToken
		c.Lease = func() any { return map[string]string{"state": "live"} }
		c.Leases = func(context.Context) (any, error) { return map[string]int{"held": 3}, nil }
		if change != nil {
			change(c)
		}
	})
	if shared {
		return s, s.URL
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web := NewOperatorsServer(s.api)
	go func() { _ = web.Serve(l) }()
	t.Cleanup(func() { _ = web.Close() })
	return s, "http://" + l.Addr().String()
}

// show asks with Authorization headers.
func (s *service) show(t *testing.T, method, url string, authorization ...string) answer {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header["Authorization"] = authorization
	response, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response, string(body)}
}

// bothListeners runs a test of the operators' routes on a listener of their own
// and on the public one.
func bothListeners(t *testing.T, test func(t *testing.T, shared bool)) {
	t.Run("own", func(t *testing.T) { test(t, false) })
	t.Run("shared", func(t *testing.T) { bothWays(t, func(t *testing.T) { test(t, true) }) })
}

func TestOperatorsAreTold(t *testing.T) {
	bothListeners(t, func(t *testing.T, shared bool) {
		s, base := operated(t, shared, nil)
		for path, want := range map[string]string{"/lease": `{"state":"live"}`, "/leases": `{"held":3}`, "/livez": `{"status":"live"}`, "/readyz": `{"status":"ready"}`} {
			a := s.show(t, "GET", base+path, "Bearer "+operatorsToken)
			if a.StatusCode != 200 || a.body != want || a.Header.Get("Content-Type") != "application/json" || a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %d %v %s", path, a.StatusCode, a.Header, a.body)
			}
			if strings.HasPrefix(path, "/lease") && a.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: %v", path, a.Header)
			}
		}
		for _, method := range []string{"HEAD", "POST", "PUT", "DELETE", "OPTIONS"} {
			if a := s.show(t, method, base+"/leases", "Bearer "+operatorsToken); a.StatusCode != 405 || a.Header.Get("Allow") != "GET" {
				t.Errorf("%s: %d, Allow %q", method, a.StatusCode, a.Header.Get("Allow"))
			}
		}
		assertProblem(t, s.show(t, "GET", base+"/leases/", "Bearer "+operatorsToken), 404, "not-found")
	})
}

func TestWithoutTheTokenOperatorsAreToldNothing(t *testing.T) {
	right := "Bearer " + operatorsToken
	bothListeners(t, func(t *testing.T, shared bool) {
		s, base := operated(t, shared, func(c *Config) {
			c.Lease = func() any { t.Error("asked for the lease"); return nil }
			c.Leases = func(context.Context) (any, error) { t.Error("asked for the leases"); return nil, nil }
		})
		routes := []string{"GET /lease", "GET /leases", "GET /lease?token=" + strings.ReplaceAll(operatorsToken, " ", "%20")}
		if !shared {
			routes = append(routes, "GET /", "GET /elsewhere", "POST /lease", "GET /next-tracking-number", "GET /readyz/")
		}
		for _, route := range routes {
			method, path, _ := strings.Cut(route, " ")
			for _, headers := range [][]string{
				nil,
				{""},
				{"Bearer"},
				{"Bearer "},
				{"bearer x"},
				{"Bearer  x"},
				{"Basic " + operatorsToken},
				{operatorsToken},
				{" " + operatorsToken},
				{right[:len(right)-1]},
				{right + "x"},
				{right + " x"},
				{"Bearer\t" + operatorsToken},
				{"Bearer" + operatorsToken},
				{"Bearer " + strings.ToUpper(operatorsToken)},
				{"Bearer " + strings.Repeat("x", 4000)},
				{right, right},
				{right, ""},
				{"", right},
				{"Bearer x", right},
				{right + ", " + right},
			} {
				a := s.show(t, method, base+path, headers...)
				assertProblem(t, a, 401, "unauthorized")
				if a.Header.Get("WWW-Authenticate") != "Bearer" || a.Header.Get("X-Content-Type-Options") != "nosniff" || strings.Contains(a.body, operatorsToken) {
					t.Errorf("%s with %q: %v %s", route, headers, a.Header, a.body)
				}
			}
		}
		for _, health := range []string{"/livez", "/readyz"} {
			if a := s.show(t, "GET", base+health); a.StatusCode != 200 {
				t.Errorf("%s: %d %s", health, a.StatusCode, a.body)
			}
		}
	})
}

func TestTheTokenIsTakenInEveryFormThatIsOne(t *testing.T) {
	bothListeners(t, func(t *testing.T, shared bool) {
		s, base := operated(t, shared, nil)
		for _, header := range []string{"Bearer " + operatorsToken, "bearer " + operatorsToken, "BEARER   " + operatorsToken, "  Bearer " + operatorsToken + "  "} {
			if a := s.show(t, "GET", base+"/leases", header); a.StatusCode != 200 {
				t.Errorf("%q: %d %s", header, a.StatusCode, a.body)
			}
		}
	})
}

func TestWithoutATokenNothingIsAskedFor(t *testing.T) {
	s, base := operated(t, false, func(c *Config) { c.Token = "" })
	for _, headers := range [][]string{nil, {"Bearer x"}, {"", ""}} {
		for _, path := range []string{"/lease", "/leases"} {
			if a := s.show(t, "GET", base+path, headers...); a.StatusCode != 200 {
				t.Errorf("%s with %q: %d %s", path, headers, a.StatusCode, a.body)
			}
		}
	}
}

func TestTheWorldIsNotTold(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		s, _ := operated(t, false, nil)
		for _, path := range []string{"/lease", "/leases"} {
			assertProblem(t, s.show(t, "GET", s.URL+path, "Bearer "+operatorsToken), 404, "not-found")
		}
	})
}

func TestAFleetThatIsNotKnownYetIs503(t *testing.T) {
	bothListeners(t, func(t *testing.T, shared bool) {
		s, base := operated(t, shared, func(c *Config) {
			c.Leases = func(context.Context) (any, error) { return nil, errors.New("the stores are away") }
		})
		if p := assertProblem(t, s.show(t, "GET", base+"/leases", "Bearer "+operatorsToken), 503, "not-ready"); p.Detail != "the stores are away" {
			t.Errorf("the reason is %q", p.Detail)
		}
	})
}
