package httpapi

import "net/http"

// live answers GET /livez: the process runs. It depends on nothing else.
func (a *API) live(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, []byte(`{"status":"live"}`))
}

// ready answers GET /readyz: 404 while draining, 503 with the reason while no
// number can be issued or recorded.
func (a *API) ready(w http.ResponseWriter, _ *http.Request) error {
	if a.draining.Load() {
		return errDraining
	}
	if err := a.Ready(); err != nil {
		return errNotReady.with(err.Error())
	}
	return writeJSON(w, []byte(`{"status":"ready"}`))
}

// writeJSON answers 200 with a body that must not be cached.
func writeJSON(w http.ResponseWriter, body []byte) error {
	header := w.Header()
	header["Content-Type"] = jsonType
	header["Cache-Control"] = noStore
	_, _ = w.Write(body) // a caller that is gone cannot be told
	return nil
}
