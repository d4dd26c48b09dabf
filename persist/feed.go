package persist

import (
	"fmt"

	"modernc.org/sqlite/vtab"
)

// feed is a virtual table whose rows are the batch being loaded: one INSERT …
// SELECT takes them all, at half the processor time of bound parameters (ADR 6).
// Its columns are those of tracking_numbers, in order.
type feed struct {
	numbers Numbers
	batch   Batch
	spool   string
}

func (f *feed) Create(c vtab.Context, args []string) (vtab.Table, error) { return f.Connect(c, args) }

func (f *feed) Connect(c vtab.Context, _ []string) (vtab.Table, error) {
	return f, c.Declare("CREATE TABLE batch (" + numberColumns + ")")
}
func (f *feed) BestIndex(*vtab.IndexInfo) error { return nil }
func (f *feed) Open() (vtab.Cursor, error)      { return &feedRow{feed: f}, nil }
func (f *feed) Disconnect() error               { return nil }
func (f *feed) Destroy() error                  { return nil }

// feedRow is a row of the feed.
type feedRow struct {
	feed *feed
	at   int
}

func (r *feedRow) Filter(int, string, []vtab.Value) error { r.at = 0; return nil }
func (r *feedRow) Next() error                            { r.at++; return nil }
func (r *feedRow) Eof() bool                              { return r.at >= len(r.feed.batch.Entries) }
func (r *feedRow) Rowid() (int64, error)                  { return int64(r.at), nil }
func (r *feedRow) Close() error                           { return nil }

func (r *feedRow) Column(column int) (vtab.Value, error) {
	f := r.feed
	e := &f.batch.Entries[r.at]
	switch column {
	case 0:
		return int64(e.ID), nil
	case 1:
		return f.numbers.Form.Format(e.ID, e.Origin), nil
	case 2:
		return e.Origin.String(), nil
	case 3:
		return e.Destination.String(), nil
	case 4:
		return int64(e.Weight), nil
	case 5:
		return e.OrderedAt, nil
	case 6:
		return e.CustomerID.String(), nil
	case 7:
		return e.CustomerName, nil
	case 8:
		return e.CustomerSlug, nil
	case 9:
		return f.numbers.Layout.UnixMilli(e.ID), nil
	case 10:
		return int64(f.numbers.Layout.Worker(e.ID)), nil
	case 11:
		return e.Epoch, nil
	case 12:
		return f.spool, nil
	case 13:
		return int64(e.Sequence), nil
	}
	return nil, fmt.Errorf("persist: the feed has no column %d", column)
}
