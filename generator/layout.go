package generator

import (
	"errors"
	"fmt"
	"time"
)

// Layout says how the 63 bits of an ID are split. It is a property of a number
// space: IDs of two layouts do not mix. The zero Layout is not valid.
type Layout struct {
	epoch        int64 // Unix milliseconds of timestamp 0
	workerBits   uint8
	sequenceBits uint8
}

// Bounds of a layout. Fewer than 39 time bits last less than 17 years.
const (
	idBits                           = 63
	minTimeBits                      = 39
	minWorkerBits, maxWorkerBits     = 1, 16
	minSequenceBits, maxSequenceBits = 4, 16
)

// NewLayout returns the layout with the given numbers of worker and sequence
// bits, whose timestamps count milliseconds from epoch; what is left of 63 bits
// is time. The error joins everything that is wrong.
func NewLayout(workerBits, sequenceBits int, epoch time.Time) (Layout, error) {
	var errs []error
	if workerBits < minWorkerBits || workerBits > maxWorkerBits {
		errs = append(errs, fmt.Errorf("worker bits are %d: use %d to %d", workerBits, minWorkerBits, maxWorkerBits))
	}
	if sequenceBits < minSequenceBits || sequenceBits > maxSequenceBits {
		errs = append(errs, fmt.Errorf("sequence bits are %d: use %d to %d", sequenceBits, minSequenceBits, maxSequenceBits))
	}
	if len(errs) == 0 && idBits-workerBits-sequenceBits < minTimeBits {
		errs = append(errs, fmt.Errorf("worker and sequence bits leave %d of %d for time: leave at least %d",
			idBits-workerBits-sequenceBits, idBits, minTimeBits))
	}
	if y := epoch.UTC().Year(); y < 1970 || y > 2200 {
		errs = append(errs, fmt.Errorf("epoch is in the year %d: use 1970 to 2200", y))
	} else if epoch.Nanosecond()%int(time.Millisecond) != 0 {
		errs = append(errs, errors.New("epoch has a fraction of a millisecond: use whole milliseconds"))
	}
	if err := errors.Join(errs...); err != nil {
		return Layout{}, fmt.Errorf("generator: layout: %w", err)
	}
	return Layout{epoch: epoch.UnixMilli(), workerBits: uint8(workerBits), sequenceBits: uint8(sequenceBits)}, nil
}

// TimeBits is the width of the time: what the others leave of 63.
func (l Layout) TimeBits() int { return idBits - int(l.workerBits) - int(l.sequenceBits) }

// WorkerBits is the width of the worker ID.
func (l Layout) WorkerBits() int { return int(l.workerBits) }

// SequenceBits is the width of the number within one millisecond.
func (l Layout) SequenceBits() int { return int(l.sequenceBits) }

// Workers is the number of worker IDs: 0 to Workers()-1.
func (l Layout) Workers() int { return 1 << l.workerBits }

// Epoch is the time of timestamp 0, in UTC.
func (l Layout) Epoch() time.Time { return time.UnixMilli(l.epoch).UTC() }

// End is the first Unix millisecond that the layout cannot express.
func (l Layout) End() int64 { return l.epoch + 1<<l.TimeBits() }

// String describes the layout, for people and for comparison.
func (l Layout) String() string {
	return fmt.Sprintf("time %d, worker %d, sequence %d bits from %s",
		l.TimeBits(), l.workerBits, l.sequenceBits, l.Epoch().Format(time.RFC3339Nano))
}
