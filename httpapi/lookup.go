package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"waybill/persist"

	"github.com/julienschmidt/httprouter"
)

// findLimit bounds a look-up: a database that hangs is a 503.
const findLimit = 3 * time.Second

// found is what anyone who holds a number may know.
type found struct {
	TrackingNumber string        `json:"tracking_number"`
	Origin         string        `json:"origin_country_id"`
	Destination    string        `json:"destination_country_id"`
	CreatedAt      string        `json:"created_at"`
	State          persist.State `json:"state"`
}

// find answers GET /tracking-numbers/{number}. No store is asked about a number
// that cannot have been issued.
func (a *API) find(w http.ResponseWriter, r *http.Request) error {
	number := httprouter.ParamsFromContext(r.Context()).ByName("number")
	id, origin, err := a.Form.Parse(number)
	if err != nil {
		return err
	}
	records := a.records.Load()
	if records == nil {
		return errNotReady
	}
	ctx, cancel := context.WithTimeout(r.Context(), findLimit)
	defer cancel()
	record, state, err := records.Lookup.Find(ctx, id)
	if err != nil {
		return err
	}
	if record.Origin != origin {
		return persist.ErrNotFound // the ID exists, this number does not
	}
	body, err := json.Marshal(found{
		TrackingNumber: a.Form.Format(id, origin), Origin: origin.String(), Destination: record.Destination.String(),
		CreatedAt: formatTime(a.Generator.Layout().UnixMilli(id)), State: state,
	})
	if err != nil {
		return err
	}
	return writeJSON(w, body)
}
