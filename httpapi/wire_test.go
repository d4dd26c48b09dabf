package httpapi

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

const plainRequest = "GET /next-tracking-number?" + theOriginalsQuery + " HTTP/1.1\r\nHost: localhost:8000\r\nUser-Agent: curl/8\r\nAccept: */*\r\n\r\n"

func TestPlainRequestsArePlain(t *testing.T) {
	for _, request := range []string{
		plainRequest,
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /x HTTP/1.1\r\nhost:[::1]:80\r\nConnection:  Keep-Alive\t\r\nX-Forwarded-For: 1.2.3.4\r\nX: \xc3\xb8\r\n\r\n",
	} {
		if _, length, ok := plainGet([]byte(request + "GET /next")); !ok || length != len(request) {
			t.Errorf("%q: %v, %d of %d bytes", request, ok, length, len(request))
		}
	}
}

// Each of these has its end, its meaning or its connection's future in doubt.
func TestDoubtfulRequestsAreLeftToNetHTTP(t *testing.T) {
	line := "GET /x HTTP/1.1\r\n"
	for _, request := range []string{
		"", "GET", "GET /x", "GET /x HTTP/1.1\r\n", line + "Host: a\r\n", line + "\r\n",
		"HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n", "POST /x HTTP/1.1\r\nHost: a\r\n\r\n", "get /x HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", " GET /x HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /x HTTP/1.0\r\nHost: a\r\n\r\n", "GET /x HTTP/2.0\r\nHost: a\r\n\r\n", "GET  /x HTTP/1.1\r\nHost: a\r\n\r\n", "GET /x  HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /x\x00 HTTP/1.1\r\nHost: a\r\n\r\n", "GET /x\t HTTP/1.1\r\nHost: a\r\n\r\n", "GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", "GET /x#y HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /x HTTP/1.1\nHost: a\n\n", line + "Host: a\n\r\n", line + "Host: a\r\n\n", line + "Host: a\r\r\n\r\n",
		line + "Host: a\r\nHost: a\r\n\r\n", line + "Host:\r\n\r\n", line + "Host: a b\r\n\r\n", line + "Host: a/b\r\n\r\n", line + "Host: a,b\r\n\r\n",
		line + "Host: a\r\n folded: x\r\n\r\n", line + "Host: a\r\nX : y\r\n\r\n", line + "Host: a\r\n: y\r\n\r\n", line + "Host: a\r\nX\r\n\r\n",
		line + "Host: a\r\nX: \x00\r\n\r\n", line + "Host: a\r\nX: a\x7fb\r\n\r\n", line + "Host: a\r\nX(: y\r\n\r\n", line + "Host: a\r\nX\xc3: y\r\n\r\n",
		line + "Host: a\r\nContent-Length: 5\r\n\r\nhello", line + "Host: a\r\ncontent-length: 0\r\n\r\n", line + "Host: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		line + "Host: a\r\nConnection: close\r\n\r\n", line + "Host: a\r\nConnection: keep-alive, Upgrade\r\n\r\n", line + "Host: a\r\nUpgrade: h2c\r\n\r\n",
		line + "Host: a\r\nExpect: 100-continue\r\n\r\n", line + "Host: a\r\nTE: trailers\r\n\r\n", line + "Host: a\r\nTrailer: X\r\n\r\n",
	} {
		if target, _, ok := plainGet([]byte(request)); ok {
			t.Errorf("%q was taken for a plain GET of %s", request, target)
		}
	}
}

// FuzzPlainGet holds plainGet against net/http: what it accepts, net/http reads
// as the same target, without a body, with its end at the same byte.
func FuzzPlainGet(f *testing.F) {
	f.Add([]byte(plainRequest))
	f.Add([]byte("GET /x HTTP/1.1\r\nhost:a\r\nConnection: keep-alive\r\n\r\nGET /y HTTP/1.1\r\n"))
	f.Add([]byte("GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"))
	f.Fuzz(func(t *testing.T, data []byte) {
		target, length, ok := plainGet(data)
		if !ok {
			return
		}
		source := bytes.NewReader(data)
		reader := bufio.NewReaderSize(source, len(data)+16)
		r, err := http.ReadRequest(reader)
		if err != nil {
			if _, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(data[:length]))); err != nil {
				return // a target that package url refuses: answerBy says 400
			}
			t.Fatalf("%q: %v", data, err)
		}
		consumed := len(data) - source.Len() - reader.Buffered()
		if r.Method != "GET" || r.RequestURI != string(target) || r.ContentLength != 0 || r.TransferEncoding != nil || r.Close || consumed != length {
			t.Fatalf("%q: net/http reads %s %s, body of %d, close %v, %d bytes; here %s, %d bytes", data, r.Method, r.RequestURI, r.ContentLength, r.Close, consumed, target, length)
		}
		if query, ok := hotQuery(target); ok && (r.URL.RawQuery != string(query) || strings.TrimSuffix(r.URL.Path, "/") != "/next-tracking-number") {
			t.Fatalf("%q: net/http reads path %q and query %q, here %q", data, r.URL.Path, r.URL.RawQuery, query)
		}
	})
}

// dial opens a bare connection.
func (s *service) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// exchange reads n answers from a connection.
func exchange(t *testing.T, r *bufio.Reader, n int) (statuses []int) {
	t.Helper()
	for range n {
		response, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("after %v: %v", statuses, err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Fatal(err)
		}
		if response.Header.Get("Date") == "" {
			t.Error("an answer without a date")
		}
		statuses = append(statuses, response.StatusCode)
	}
	return statuses
}

func TestPipelinedAndPiecemealRequestsAreAllAnswered(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		s := start(t, nil)
		other := "GET /livez HTTP/1.1\r\nHost: a\r\n\r\nGET /next-tracking-number HTTP/1.1\r\nHost: a\r\n\r\n"
		all := plainRequest + other + plainRequest + strings.Replace(plainRequest, "\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n", 1) + plainRequest
		for _, piece := range []int{len(all), 1000, 7, 1} {
			c := s.dial(t)
			go func() {
				for rest := all; len(rest) > 0; rest = rest[min(piece, len(rest)):] {
					_, _ = io.WriteString(c, rest[:min(piece, len(rest))])
				}
			}()
			got := exchange(t, bufio.NewReader(c), 6)
			if want := []int{200, 200, 400, 200, 200, 200}; !slices.Equal(got, want) {
				t.Errorf("in pieces of %d: %v, want %v", piece, got, want)
			}
		}
	})
}

func TestAShutdownEndsIdleConnectionsAndFinishesRequests(t *testing.T) {
	s := start(t, nil)
	idle, used, half := s.dial(t), s.dial(t), s.dial(t)
	_, _ = io.WriteString(used, plainRequest)
	exchange(t, bufio.NewReader(used), 1)
	_, _ = io.WriteString(half, plainRequest[:20])
	time.Sleep(20 * time.Millisecond)
	begin := time.Now()
	if err := s.server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
	for _, c := range []net.Conn{idle, used, half} {
		if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("a connection is still open: %d, %v", n, err)
		}
	}
}
