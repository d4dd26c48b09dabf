package generator

import "time"

// ID is one issued number: a positive 63-bit integer whose bits a [Layout]
// explains. IDs of one generator strictly increase.
type ID int64

// UnixMilli is the time at which the ID was stamped, in Unix milliseconds. It
// may be up to a second ahead of the clock that stamped it.
func (l Layout) UnixMilli(id ID) int64 {
	return l.epoch + int64(id)>>(l.workerBits+l.sequenceBits)
}

// Time is UnixMilli as a time in UTC.
func (l Layout) Time(id ID) time.Time { return time.UnixMilli(l.UnixMilli(id)).UTC() }

// Worker is the worker ID in id.
func (l Layout) Worker(id ID) int {
	return int(id >> l.sequenceBits & (1<<l.workerBits - 1))
}

// Sequence is the number of id within its millisecond.
func (l Layout) Sequence(id ID) int { return int(id & (1<<l.sequenceBits - 1)) }

// Join is the ID of a Unix millisecond, a worker and a sequence number, which
// must be within the layout.
func (l Layout) Join(unixMilli int64, worker, sequence int) ID {
	return l.id(uint64(unixMilli-l.epoch)<<l.sequenceBits|uint64(sequence), uint64(worker)<<l.sequenceBits)
}

// id spreads a packed state (time<<sequenceBits | sequence) around a worker
// that is already in its place.
func (l Layout) id(state, worker uint64) ID {
	sequence := state & (1<<l.sequenceBits - 1)
	return ID((state-sequence)<<l.workerBits | worker | sequence)
}
