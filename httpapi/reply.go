package httpapi

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// answerBy answers a plain GET with a handler, as net/http would. It reports
// false when the connection has to end.
func (c *conn) answerBy(h http.Handler, head []byte) bool {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		c.out = append(c.out[:0], "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"...)
		c.send()
		return false
	}
	r.RemoteAddr = c.RemoteAddr().String()
	w := &reply{header: http.Header{}, status: http.StatusOK}
	h.ServeHTTP(w, r.WithContext(c.server.ctx))
	w.header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	w.header.Set("Content-Length", strconv.Itoa(w.body.Len()))
	answer := bytes.NewBuffer(c.out[:0])
	fmt.Fprintf(answer, "HTTP/1.1 %d %s\r\n", w.status, http.StatusText(w.status))
	_ = w.header.Write(answer) // a bytes.Buffer never fails
	answer.WriteString("\r\n")
	answer.Write(w.body.Bytes())
	c.out = answer.Bytes()
	c.send()
	return true
}

// reply is an http.ResponseWriter that keeps a small answer.
type reply struct {
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
}

func (w *reply) Header() http.Header { return w.header }

func (w *reply) WriteHeader(status int) {
	if !w.wrote {
		w.status, w.wrote = status, true
	}
}

func (w *reply) Write(b []byte) (int, error) {
	w.wrote = true
	return w.body.Write(b)
}
