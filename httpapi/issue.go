package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"waybill/persist"
)

// call is the memory of one request for a number, used again and again.
type call struct {
	raw    []byte // the query string; parsing decodes it in place
	values [parameters][]byte
	seen   [parameters]bool
	record persist.Record
	body   []byte

	second int64 // of prefix
	prefix []byte
}

// Header values that every answer shares; net/http only reads them.
var (
	jsonType    = []string{"application/json"}
	noStore     = []string{"no-store"}
	closeHeader = []string{"close"}
)

// issue answers GET /next-tracking-number.
func (a *API) issue(w http.ResponseWriter, r *http.Request) error {
	c := a.calls.Get().(*call)
	defer a.calls.Put(c)
	c.raw = append(c.raw[:0], r.URL.RawQuery...)
	if _, err := a.issueTo(r.Context(), c); err != nil {
		return err
	}
	return writeJSON(w, c.body)
}

// issueTo issues a number for the query in c.raw, records it and puts the answer
// in c.body. It returns the time of the number, in Unix milliseconds.
func (a *API) issueTo(ctx context.Context, c *call) (ms int64, err error) {
	if err := c.parse(c.raw); err != nil {
		return 0, err
	}
	if a.AckLimit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, a.AckLimit, errAckLimit)
		defer cancel()
	}
	id, err := a.Generator.Next(ctx)
	if err != nil {
		return 0, err
	}
	c.record.ID, c.record.Epoch = id, a.Generator.Epoch(id)
	if err := a.records.Load().Spool.Append(ctx, &c.record); err != nil { // there is no window before there are records
		return 0, err
	}
	ms = a.Generator.Layout().UnixMilli(id)
	c.body = append(c.body[:0], `{"tracking_number":"`...)
	c.body = a.Form.Append(c.body, id, c.record.Origin)
	c.body = append(c.body, `","created_at":"`...)
	c.body = c.appendTime(c.body, ms)
	c.body = append(c.body, '"', '}')
	return ms, nil
}

// errAckLimit: the record is in the spool, the promised place is not reached.
var errAckLimit = errors.New("the record did not reach the database in time; the number is not given out")

// appendTime appends a Unix millisecond as RFC 3339 in UTC. Seconds are
// formatted once: at a high rate most calls share theirs.
func (c *call) appendTime(dst []byte, ms int64) []byte {
	second, fraction := ms/1000, ms%1000
	if second != c.second || c.prefix == nil {
		c.second, c.prefix = second, time.Unix(second, 0).UTC().AppendFormat(c.prefix[:0], "2006-01-02T15:04:05.")
	}
	dst = append(dst, c.prefix...)
	return append(dst, byte('0'+fraction/100), byte('0'+fraction/10%10), byte('0'+fraction%10), 'Z')
}

// formatTime is the same text for a single time.
func formatTime(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}
