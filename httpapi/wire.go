package httpapi

import "bytes"

// plainGet reads the head of a request at the beginning of data, if it is a GET
// that leaves no doubt. It returns the request's target and length; ok is false
// for anything else, including what is merely incomplete.
//
// No doubt means: origin form and HTTP/1.1, lines that end in CR LF, one Host,
// header names that are tokens and values without control characters (RFC 9112,
// RFC 9110 section 5), nothing that announces a body, an upgrade, an expectation
// or the end of the connection. Whoever reads HTTP reads the same request in it,
// and its end at the same byte; FuzzPlainGet holds it against net/http.
func plainGet(data []byte) (target []byte, length int, ok bool) {
	rest, ok := bytes.CutPrefix(data, plainStart)
	if !ok {
		return nil, 0, false
	}
	end := 0
	for end < len(rest) && targetByte[rest[end]] {
		end++
	}
	target = data[len(plainStart)-1 : len(plainStart)+end]
	if rest, ok = bytes.CutPrefix(rest[end:], plainEnd); !ok {
		return nil, 0, false
	}
	hosts := 0
	for !bytes.HasPrefix(rest, lineEnd) {
		var name, value []byte
		if name, value, rest, ok = plainHeader(rest); !ok {
			return nil, 0, false
		}
		switch doubt(name, value) {
		case isHost:
			hosts++
		case isDoubtful:
			return nil, 0, false
		}
	}
	return target, len(data) - len(rest) + len(lineEnd), hosts == 1
}

var (
	plainStart = []byte("GET /")
	plainEnd   = []byte(" HTTP/1.1\r\n")
	lineEnd    = []byte("\r\n")
	headEnd    = []byte("\r\n\r\n")
)

// hotQuery is the query string of a target that asks for a number.
func hotQuery(target []byte) (query []byte, ok bool) {
	query, ok = bytes.CutPrefix(target, hotPath)
	if !ok {
		return nil, false
	}
	if len(query) > 0 && query[0] == '/' {
		query = query[1:]
	}
	return bytes.CutPrefix(query, []byte("?"))
}

var hotPath = []byte("/next-tracking-number")

// plainHeader reads one header line.
func plainHeader(b []byte) (name, value, rest []byte, ok bool) {
	colon := 0
	for colon < len(b) && tokenByte[b[colon]] {
		colon++
	}
	if colon == 0 || colon == len(b) || b[colon] != ':' {
		return nil, nil, nil, false
	}
	end := colon + 1
	for end < len(b) && valueByte[b[end]] {
		end++
	}
	if end+1 >= len(b) || b[end] != '\r' || b[end+1] != '\n' {
		return nil, nil, nil, false
	}
	return b[:colon], bytes.Trim(b[colon+1:end], " \t"), b[end+2:], true
}

// What a header means for plainGet.
const (
	isHarmless = iota
	isHost
	isDoubtful
)

// doubt classifies a header by its name; names that are not listed say nothing
// about the message itself.
func doubt(name, value []byte) int {
	is := func(s string) bool { return len(name) == len(s) && bytes.EqualFold(name, []byte(s)) }
	switch {
	case is("Host"):
		if len(value) == 0 || !all(value, &hostByte) {
			return isDoubtful
		}
		return isHost
	case is("Connection"):
		if bytes.EqualFold(value, []byte("keep-alive")) {
			return isHarmless
		}
		return isDoubtful
	case is("Content-Length"), is("Transfer-Encoding"), is("Expect"), is("Upgrade"), is("Trailer"), is("TE"),
		is("Keep-Alive"), is("Proxy-Connection"), is("HTTP2-Settings"):
		return isDoubtful
	}
	return isHarmless
}

// all reports whether every byte of v is in a set.
func all(v []byte, in *[256]bool) bool {
	for _, c := range v {
		if !in[c] {
			return false
		}
	}
	return true
}

// Sets of bytes: those of a plain host and port, of a target, of a token (RFC 9110 section 5.6.2) and of a
// field value.
var (
	hostByte   = set(func(c byte) bool { return letter(c) || digit(c) || bytes.IndexByte([]byte(".-:[]"), c) >= 0 })
	targetByte = set(func(c byte) bool { return 0x21 <= c && c <= 0x7e && c != '#' })
	tokenByte  = set(func(c byte) bool {
		return letter(c) || digit(c) || bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), c) >= 0
	})
	valueByte = set(func(c byte) bool { return c == '\t' || 0x20 <= c && c != 0x7f })
)

func letter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func set(has func(byte) bool) (s [256]bool) {
	for c := range s {
		s[c] = has(byte(c))
	}
	return s
}
