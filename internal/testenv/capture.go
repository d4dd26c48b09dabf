package testenv

import (
	"bytes"
	"sync"
)

const captureLimit = 256 << 10

// capture keeps the end of what a process writes and shows each whole line to a reader as it comes.
type capture struct {
	line func([]byte) // may be nil; must not keep the slice

	mu      sync.Mutex
	kept    []byte
	partial []byte
}

// Write never fails. One process writes at a time, so line is never called twice at once.
func (c *capture) Write(b []byte) (int, error) {
	for _, line := range c.keep(b) {
		c.line(line)
	}
	return len(b), nil
}

// keep stores b and returns the lines that it completes, if anyone reads them.
func (c *capture) keep(b []byte) [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = append(c.kept, b...)
	if len(c.kept) > 2*captureLimit {
		c.kept = bytes.Clone(c.kept[len(c.kept)-captureLimit:])
	}
	if c.line == nil {
		return nil
	}
	lines := bytes.Split(append(c.partial, b...), []byte("\n"))
	c.partial = bytes.Clone(lines[len(lines)-1])
	return lines[:len(lines)-1]
}

// tail returns the last n bytes.
func (c *capture) tail(n int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.kept[max(0, len(c.kept)-n):])
}
