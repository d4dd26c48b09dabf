package httpapi

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"
)

// conn is a connection that has only carried plain GETs so far.
type conn struct {
	net.Conn
	server      *Server
	buffer      []byte    // what was read and not yet answered
	read, write time.Time // the deadlines that the connection has
	call        call

	out    []byte // an answer
	head   []byte // its head up to the length, for the second of dated
	dated  int64
	length int
}

// connBuffer bounds a plain request; a longer one is net/http's.
const connBuffer = 8 << 10

// serve answers plain GETs one after the other. The first request that is
// anything else goes to net/http with the connection, from its first byte.
func (c *conn) serve() {
	defer c.server.forget(c)
	defer func() {
		if cause := recover(); cause != nil { // costs one connection, as in net/http
			c.server.api.Log.Error("connection panicked", "panic", cause, "stack", string(debug.Stack()))
			_ = c.Close()
		}
	}()
	c.buffer = make([]byte, 0, connBuffer)
	for c.fill() {
		target, length, ok := plainGet(c.buffer)
		if !ok {
			c.handOver()
			return
		}
		if routes := c.answer(target); routes != nil && !c.answerBy(routes, c.buffer[:length]) {
			break
		}
		c.buffer = c.buffer[:copy(c.buffer, c.buffer[length:])]
		if c.server.api.draining.Load() || c.server.closing.Load() {
			break
		}
	}
	_ = c.Close() // nothing is left to say to it
}

// fill reads until the buffer has a whole head, as much as it holds, or what
// cannot become a plain GET. It reports false when there is nothing to answer.
func (c *conn) fill() bool {
	var begun time.Time
	for !complete(c.buffer) && len(c.buffer) < cap(c.buffer) {
		deadline := time.Now()
		if len(c.buffer) == 0 {
			deadline = deadline.Add(idleLimit)
		} else {
			if begun.IsZero() {
				begun = deadline
			}
			deadline = begun.Add(readLimit)
		}
		if !c.armRead(deadline) {
			return false
		}
		n, err := c.Read(c.buffer[len(c.buffer):cap(c.buffer)])
		c.buffer = c.buffer[:len(c.buffer)+n]
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() || err != nil && len(c.buffer) == 0 {
			return false
		}
		if err != nil {
			return true // cut short: not plain
		}
	}
	return true
}

// complete reports whether b has a head, or cannot become a plain GET.
func complete(b []byte) bool {
	return bytes.HasSuffix(b, headEnd) || !bytes.HasPrefix(b, plainStart[:min(len(b), len(plainStart))]) || bytes.Contains(b, headEnd)
}

// armRead bounds the next read. A deadline that is less than a second too early
// is left: most requests then cost no visit to the poller's timers.
func (c *conn) armRead(deadline time.Time) bool {
	if soonEnough(c.read, deadline) {
		return true
	}
	c.server.mu.Lock() // Shutdown wakes readers with a deadline of its own
	defer c.server.mu.Unlock()
	if c.server.closing.Load() {
		return false
	}
	c.read = deadline
	return c.SetReadDeadline(deadline) == nil
}

func soonEnough(armed, deadline time.Time) bool {
	early := deadline.Sub(armed)
	return early >= 0 && early < time.Second
}

// answer issues a number for a target that asks for one, and writes it. When the
// answer is another, nothing is written yet: the handler returned has it.
func (c *conn) answer(target []byte) (other http.Handler) {
	a := c.server.api
	query, ok := hotQuery(target)
	if !ok || a.access.open() { // the routes log
		return c.server.http.Handler
	}
	refuse := func(err error) http.Handler {
		return a.handle(func(http.ResponseWriter, *http.Request) error { return err })
	}
	defer func() {
		if cause := recover(); cause != nil {
			a.Log.Error("request panicked", "panic", cause, "stack", string(debug.Stack()))
			other = refuse(errInternal)
		}
	}()
	c.call.raw = append(c.call.raw[:0], query...) // it is decoded in place, and the head may be needed again
	ms, err := a.issueTo(c.server.ctx, &c.call)
	if err != nil {
		return refuse(err)
	}
	c.appendHead(ms / 1000)
	c.out = append(c.out, c.call.body...)
	c.send()
	return nil
}

// appendHead begins an answer. Its date is that of the number: the clock was
// read for it.
func (c *conn) appendHead(second int64) {
	if second != c.dated || c.length != len(c.call.body) {
		c.dated, c.length = second, len(c.call.body)
		c.head = append(c.head[:0], "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Type: application/json\r\nDate: "...)
		c.head = time.Unix(second, 0).UTC().AppendFormat(c.head, http.TimeFormat)
		c.head = append(c.head, "\r\nContent-Length: "...)
		c.head = strconv.AppendInt(c.head, int64(c.length), 10)
	}
	c.out = append(c.out[:0], c.head...)
	if c.server.api.draining.Load() {
		c.out = append(c.out, "\r\nConnection: close"...)
	}
	c.out = append(c.out, headEnd...)
}

// send writes the answer. A caller that is gone cannot be told; the next read
// will find out.
func (c *conn) send() {
	if deadline := time.Now().Add(writeLimit); !soonEnough(c.write, deadline) {
		c.write = deadline
		_ = c.SetWriteDeadline(deadline) // as Write would
	}
	_, _ = c.Write(c.out)
}

// handOver gives the connection, and what was read from it, to net/http.
func (c *conn) handOver() {
	_ = c.SetDeadline(time.Time{}) // net/http sets its own
	if !c.server.rest.give(&unread{Conn: c.Conn, before: c.buffer}) {
		_ = c.Close()
	}
}

// unread is a connection whose first bytes were read already.
type unread struct {
	net.Conn
	before []byte
}

func (u *unread) Read(p []byte) (int, error) {
	if len(u.before) == 0 {
		return u.Conn.Read(p)
	}
	n := copy(p, u.before)
	u.before = u.before[n:]
	return n, nil
}
