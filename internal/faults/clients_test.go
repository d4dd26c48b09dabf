package faults

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"

	"waybill/generator"
)

// example is the request that clients send.
const example = "/next-tracking-number?origin_country_id=MY&destination_country_id=ID&weight=1.234" +
	"&created_at=2018-11-20T19:29:32%2B08:00&customer_id=de619854-b59b-425e-9db4-943979e1bd49" +
	"&customer_name=RedBox%20Logistics&customer_slug=redbox-logistics"

const (
	lanes     = 2                     // clients of an instance; each sends one request after the other
	pace      = 20 * time.Millisecond // between the requests of a client
	patience  = 3 * time.Second       // with a request
	readEvery = 150 * time.Millisecond

	readLogEvery = 2 * time.Second
)

// given is one number as a client got it.
type given struct {
	text   string
	id     generator.ID
	member int
	run    int // of the member: how often it was started before the request
	lane   int
	at     time.Time
}

// refusal is a request that got no number.
type refusal struct {
	member     int
	status     int // 0 is no answer
	retryAfter string
	body       string
	at         time.Time // of the request
	took       time.Duration
}

// clients ask and keep books.
type clients struct {
	layout generator.Layout
	web    *http.Client
	done   chan struct{}
	all    sync.WaitGroup

	mu       sync.Mutex
	numbers  []given
	refusals []refusal
	misread  []string // answers with status 200 that hold no number
}

func (c *clients) init(layout generator.Layout) {
	c.layout, c.done = layout, make(chan struct{})
	c.web = &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
}

// ask sends one request after the other until done.
func (c *clients) ask(m *member, lane int) {
	pause := time.NewTicker(pace)
	defer pause.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-pause.C:
			c.one(m, lane)
		}
	}
}

func (c *clients) one(m *member, lane int) {
	run, begin := m.runs(), time.Now()
	status, header, body := c.get(m.URL + example)
	end := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if status != http.StatusOK {
		c.refusals = append(c.refusals, refusal{m.index, status, header.Get("Retry-After"), string(body), begin, end.Sub(begin)})
		return
	}
	var reply struct {
		Number string `json:"tracking_number"`
	}
	err := json.Unmarshal(body, &reply)
	id, _, parseErr := (generator.Form{}).Parse(reply.Number)
	if err != nil || parseErr != nil {
		c.misread = append(c.misread, string(body))
		return
	}
	c.numbers = append(c.numbers, given{reply.Number, id, m.index, run, lane, end})
}

// get returns status 0 for no answer.
func (c *clients) get(url string) (status int, header http.Header, body []byte) {
	r, err := c.web.Get(url)
	if err != nil {
		return 0, nil, []byte(err.Error())
	}
	defer r.Body.Close()
	if body, err = io.ReadAll(r.Body); err != nil {
		return 0, nil, []byte(err.Error())
	}
	return r.StatusCode, r.Header, body
}

// since returns what an instance gave and refused from begin on; member -1 stands for all.
func (c *clients) since(begin time.Time, member int) (numbers []given, refusals []refusal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.numbers) - 1; i >= 0 && !c.numbers[i].at.Before(begin); i-- {
		if n := c.numbers[i]; member < 0 || n.member == member {
			numbers = append(numbers, n)
		}
	}
	for i := len(c.refusals) - 1; i >= 0 && c.refusals[i].at.After(begin.Add(-patience)); i-- {
		if r := c.refusals[i]; (member < 0 || r.member == member) && !r.at.Before(begin) {
			refusals = append(refusals, r)
		}
	}
	return numbers, refusals
}

// load sets clients and a watch on every instance that has none.
func (f *fleet) load() {
	for _, m := range f.members {
		if !m.begin() {
			continue
		}
		for lane := range lanes {
			f.clients.all.Go(func() { f.clients.ask(m, lane) })
		}
		f.clients.all.Go(func() { f.observe(m) })
	}
}

// stop ends the load.
func (f *fleet) stop() {
	select {
	case <-f.clients.done:
	default:
		close(f.clients.done)
	}
	f.clients.all.Wait()
}
