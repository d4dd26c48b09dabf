package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"
)

// issuedReply is the answer to a request for a number.
type issuedReply struct {
	TrackingNumber string `json:"tracking_number"`
	CreatedAt      string `json:"created_at"`
}

// client asks one service for numbers and remembers all it was given.
type client struct {
	web     *http.Client
	mu      sync.Mutex
	numbers []string
	refused map[int]int // by status; 0 is no answer
}

func newClient() *client {
	return &client{web: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}, refused: map[int]int{}}
}

// get returns status and body; status 0 stands for no answer.
func (c *client) get(url string) (status int, body []byte, header http.Header) {
	r, err := c.web.Get(url)
	if err != nil {
		return 0, []byte(err.Error()), nil
	}
	defer r.Body.Close()
	if body, err = io.ReadAll(r.Body); err != nil {
		return 0, []byte(err.Error()), nil
	}
	return r.StatusCode, body, r.Header
}

// next asks for one number.
func (c *client) next(base string) bool {
	status, body, _ := c.get(base + example)
	var reply issuedReply
	if status == 200 && json.Unmarshal(body, &reply) != nil {
		status = -1
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if status != 200 {
		c.refused[status]++
		return false
	}
	c.numbers = append(c.numbers, reply.TrackingNumber)
	return true
}

// load asks from several goroutines until the returned stop is called.
func (c *client) load(base string) (stop func()) {
	done := make(chan struct{})
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					if !c.next(base) {
						time.Sleep(time.Millisecond)
					}
				}
			}
		})
	}
	return sync.OnceFunc(func() { close(done); workers.Wait() })
}

// count is how many numbers were given so far.
func (c *client) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.numbers)
}

// assertUnique fails when a number was given twice.
func (c *client) assertUnique(t *testing.T) {
	t.Helper()
	seen := make(map[string]bool, len(c.numbers))
	for _, n := range c.numbers {
		if seen[n] {
			t.Fatalf("%s was given twice", n)
		}
		seen[n] = true
	}
}

// state looks a number up.
func (c *client) state(base, number string) string {
	status, body, _ := c.get(base + "/tracking-numbers/" + number)
	var found struct {
		State string `json:"state"`
	}
	if status != 200 || json.Unmarshal(body, &found) != nil {
		return fmt.Sprint(status)
	}
	return found.State
}

// assertRecorded waits until every number is in the database.
func (c *client) assertRecorded(t *testing.T, base string, within time.Duration) {
	t.Helper()
	deadline := time.Now().Add(within)
	for _, n := range c.numbers {
		for {
			state := c.state(base, n)
			if state == "recorded" {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s is %s after %s", n, state, within)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// eventually repeats do until it reports true.
func eventually(t *testing.T, within time.Duration, what string, do func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !do(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}
