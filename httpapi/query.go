package httpapi

import "bytes"

// The parameters of a request for a number, in the order of the contract.
const (
	origin = iota
	destination
	weight
	createdAt
	customerID
	customerName
	customerSlug
	parameters
)

var parameterNames = [parameters]string{
	"origin_country_id", "destination_country_id", "weight", "created_at",
	"customer_id", "customer_name", "customer_slug",
}

// parse reads a query string, which it decodes in place, into c.record. What is
// wrong with it is a problem that lists every bad parameter.
func (c *call) parse(query []byte) error {
	if len(query) > queryLimit {
		return errQueryTooLong
	}
	clear(c.values[:])
	clear(c.seen[:])
	faults := c.split(query)
	r := &c.record
	check := func(parameter int, fault string) {
		if faults[parameter] == "" {
			faults[parameter] = fault
		}
	}
	var fault string
	r.Origin, fault = parseCountry(c.values[origin])
	check(origin, fault)
	r.Destination, fault = parseCountry(c.values[destination])
	check(destination, fault)
	r.Weight, fault = parseWeight(c.values[weight])
	check(weight, fault)
	r.OrderedAt, fault = parseTime(c.values[createdAt])
	check(createdAt, fault)
	r.CustomerID, fault = parseUUID(c.values[customerID])
	check(customerID, fault)
	r.CustomerName, fault = parseName(c.values[customerName])
	check(customerName, fault)
	r.CustomerSlug, fault = parseSlug(c.values[customerSlug])
	check(customerSlug, fault)

	if faults == [parameters]string{} {
		return nil
	}
	return invalidParameters(faults)
}

// split finds the parameters' values and decodes them in place. The faults are
// those of the query string itself.
func (c *call) split(query []byte) (faults [parameters]string) {
	for rest := query; len(rest) > 0; {
		var pair []byte
		pair, rest = cut(rest, '&')
		name, value := cut(pair, '=')
		p := parameterOf(name)
		if p < 0 {
			if name, ok := unescape(name); ok {
				p = parameterOf(name)
			}
		}
		if p < 0 {
			continue // not one of ours
		}
		if c.seen[p] {
			faults[p] = mustBeOnce
			continue
		}
		c.seen[p] = true
		decoded, ok := unescape(value)
		if !ok {
			faults[p] = mustDecode
		}
		c.values[p] = decoded
	}
	for p := range faults {
		if !c.seen[p] {
			faults[p] = mustBeGiven
		}
	}
	return faults
}

// parameterOf is the parameter of a name, or -1.
func parameterOf(name []byte) int {
	switch string(name) {
	case "origin_country_id":
		return origin
	case "destination_country_id":
		return destination
	case "weight":
		return weight
	case "created_at":
		return createdAt
	case "customer_id":
		return customerID
	case "customer_name":
		return customerName
	case "customer_slug":
		return customerSlug
	}
	return -1
}

// cut splits b at the first sep.
func cut(b []byte, sep byte) (before, after []byte) {
	if i := bytes.IndexByte(b, sep); i >= 0 {
		return b[:i], b[i+1:]
	}
	return b, nil
}

// unescape decodes a part of a query string in place.
func unescape(b []byte) (decoded []byte, ok bool) {
	if bytes.IndexByte(b, '%') < 0 && bytes.IndexByte(b, '+') < 0 {
		return b, true
	}
	n := 0
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if i+2 >= len(b) {
				return nil, false
			}
			high, low := hex(b[i+1]), hex(b[i+2])
			if high|low > 15 {
				return nil, false
			}
			c = high<<4 | low
			i += 2
		}
		b[n] = c
		n++
	}
	return b[:n], true
}

// hex is the value of a hexadecimal digit, or 255.
func hex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}
