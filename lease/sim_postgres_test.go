package lease

import "maps"

// postgresTwin is claim.sql and the trim in Go, for the simulator.
type postgresTwin struct {
	space string
	floor int64
	rows  map[int]twinClaim
}

type twinClaim struct {
	token              string
	epoch, from, until int64
	number, nonce      int64
}

func newPostgresTwin(space string) *postgresTwin {
	return &postgresTwin{space: space, rows: map[int]twinClaim{}}
}

func (p *postgresTwin) clone() *postgresTwin {
	return &postgresTwin{space: p.space, floor: p.floor, rows: maps.Clone(p.rows)}
}

// claim returns the row as the statement does; ok is false when it matched none.
func (p *postgresTwin) claim(now int64, space string, worker int, token string, number, nonce, floor, length, wall, skew int64) (row twinClaim, ok bool) {
	if space != p.space || max(now-wall, wall-now) > skew {
		return row, false
	}
	start := max(now, p.floor)
	if floor > 0 {
		start = max(floor, p.floor)
	}
	row = p.rows[worker]
	switch {
	case row.token == token && row.number >= 0 && number > row.number+1:
		return row, false
	case row.token == token && number < row.number:
		return row, true
	case row.token == token && row.number > 0 && number == row.number+1:
		row.until, row.number = max(row.until, now+length), number
	case row.token == token && (number != row.number || nonce != row.nonce):
		row.number = -1
	case row.token == token:
	case number != 1 || row.until > start:
		return row, false
	default:
		from := max(row.until, start)
		row = twinClaim{token: token, epoch: row.epoch + 1, from: from, until: from + length, number: 1}
	}
	row.nonce = nonce
	p.rows[worker] = row
	return row, true
}

func (p *postgresTwin) trim(worker int, token string, until int64) bool {
	row, ok := p.rows[worker]
	if !ok || row.token != token {
		return false
	}
	row.until, row.token = max(row.from, min(row.until, until)), ""
	p.rows[worker] = row
	return true
}
