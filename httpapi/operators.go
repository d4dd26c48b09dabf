package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"strings"
)

// lease answers GET /lease: what this instance holds.
func (a *API) lease(w http.ResponseWriter, _ *http.Request) error {
	return writeValue(w, a.Lease())
}

// leases answers GET /leases: what all instances hold.
func (a *API) leases(w http.ResponseWriter, r *http.Request) error {
	fleet, err := a.Leases(r.Context())
	if err != nil {
		return errNotReady.with(err.Error())
	}
	return writeValue(w, fleet)
}

func writeValue(w http.ResponseWriter, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeJSON(w, body)
}

// guarded is h for those who show the token.
func (a *API) guarded(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if !a.admits(r) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			return errUnauthorized
		}
		return h(w, r)
	}
}

// admits reports whether a request shows the token (RFC 6750). Digests are
// compared: the time that takes tells nothing, not even the token's length.
func (a *API) admits(r *http.Request) bool {
	if a.Token == "" {
		return true
	}
	given := r.Header["Authorization"]
	if len(given) != 1 {
		return false
	}
	scheme, token, _ := strings.Cut(given[0], " ")
	shown, right := sha256.Sum256([]byte(strings.TrimLeft(token, " "))), sha256.Sum256([]byte(a.Token))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(shown[:], right[:]) == 1
}
