package httpapi

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"waybill/generator"
)

// theOriginalsQuery is that of the README of the service this one replaces, with
// its raw + in created_at.
const theOriginalsQuery = "origin_country_id=MY&destination_country_id=ID&weight=1.234&created_at=2018-11-20T19:29:32+08:00" +
	"&customer_id=de619854-b59b-425e-9db4-943979e1bd49&customer_name=RedBox%20Logistics&customer_slug=redbox-logistics"

func parsed(t testing.TB, query string) *call {
	t.Helper()
	c := new(call)
	if err := c.parse([]byte(query)); err != nil {
		p, _ := problemOf(err)
		t.Fatalf("%s: %v %v", query, err, p.Errors)
	}
	return c
}

func TestTheOriginalsQueryIsUnderstood(t *testing.T) {
	for _, query := range []string{
		theOriginalsQuery, strings.Replace(theOriginalsQuery, "+", "%2B", 1), strings.Replace(theOriginalsQuery, "+", "%20", 1),
		"unknown=1&&" + theOriginalsQuery + "&%zz=1&x", strings.ReplaceAll(theOriginalsQuery, "_", "%5f"),
	} {
		r := parsed(t, query).record
		if r.Origin.String() != "MY" || r.Destination.String() != "ID" || r.Weight != 1234 ||
			r.CustomerID.String() != "de619854-b59b-425e-9db4-943979e1bd49" || r.CustomerName != "RedBox Logistics" ||
			r.CustomerSlug != "redbox-logistics" || !time.UnixMicro(r.OrderedAt).Equal(time.Date(2018, 11, 20, 11, 29, 32, 0, time.UTC)) {
			t.Errorf("%s reads %+v", query, r)
		}
	}
}

func TestWhatIsAllowedAtTheEdges(t *testing.T) {
	for parameter, values := range map[string][]string{
		"weight": {"1", "999999", "999999.999", "0.001", "000001", "1.0", "1.25"},
		"created_at": {
			"1970-01-01T00:00:00Z", "2018-11-20T19:29:32.5Z", "2018-11-20T19:29:32.123456789-23:59", "2024-02-29T23:59:59Z",
			"9999-12-31T23:59:59Z", "2018-11-20t19:29:32z", "2000-02-29T00:00:00-00:00", "1970-01-01T00:00:00+08:00",
		},
		"customer_id":            {"DE619854-B59B-425E-9DB4-943979E1BD49", "00000000-0000-0000-0000-000000000000"},
		"customer_name":          {"x", strings.Repeat("x", 255), "株式会社", "  a  ", "O'Brien & Søns <b>", "🙂"},
		"customer_slug":          {"a", "0", "a-b-c", strings.Repeat("s", 255)},
		"origin_country_id":      {"AD", "ZW", "GB"},
		"destination_country_id": {"AX", "BQ", "SS"},
	} {
		for _, v := range values {
			parsed(t, with(parameter, url.QueryEscape(v)))
		}
	}
}

// with is a good query with one parameter's raw value changed.
func with(parameter, raw string) string {
	var pairs []string
	for pair := range strings.SplitSeq(theOriginalsQuery, "&") {
		if name, _, _ := strings.Cut(pair, "="); name == parameter {
			pair = name + "=" + raw
		}
		pairs = append(pairs, pair)
	}
	return strings.Join(pairs, "&")
}

func without(parameter string) string {
	var pairs []string
	for pair := range strings.SplitSeq(theOriginalsQuery, "&") {
		if name, _, _ := strings.Cut(pair, "="); name != parameter {
			pairs = append(pairs, pair)
		}
	}
	return strings.Join(pairs, "&")
}

// badValues are raw values, each of which must be refused with its parameter's
// name and nothing else.
var badValues = map[string][]string{
	"origin_country_id":      {"", "my", "My", "ZZ", "UK", "XK", "MYS", "M", "M%20", "%20MY", "MY%20", "458", "M%00", "%D0%9CY", "MY%0A", "%FF%FE", "AN", "YU", "SU", "EU"},
	"destination_country_id": {"", "id", "ZZ", "UK", "XK", "IDN", "I", "1D", "%CE%99D", "I%44%00", "%", "%4", "%GG"},
	"weight": {
		"", "NaN", "-1", "%2B1", "0", "0.0", "0.000", "000000", "1e2", ".5", "1.", "1.2345", "%D9%A3", "1,5", "1%20", "%201", "0x1", "1_0",
		"1000000", "1234567", "Infinity", "1.2.3", "1kg", "%EF%BC%91", "1%00", "--1", "%zz", "1.-2", "99999999999999999999",
	},
	"created_at": {
		"", "2018-11-20", "2018-11-20T19:29:32", "2018-11-20T19:29:32.Z", "2018-11-20%2019:29:32Z", "2018-11-20T25:00:00Z",
		"2018-02-30T00:00:00Z", "2018-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2018-13-01T00:00:00Z", "2018-00-01T00:00:00Z", "2018-01-00T00:00:00Z",
		"2018-04-31T00:00:00Z", "2018-11-20T19:60:00Z", "2018-11-20T19:29:60Z", "2018-11-20T19:29:32%2B24:00", "2018-11-20T19:29:32%2B08:60",
		"2018-11-20T19:29:32%2B0800", "2018-11-20T19:29:32%2B8:00", "2018-11-20T19:29:32,5Z", "2018-11-20T9:29:32Z", "18-11-20T19:29:32Z",
		"1969-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "1542713372", "now", "2018-11-20T19:29:32Z%00", "%D9%A2018-11-20T19:29:32Z",
		"2018-11-20T19:29:32ZZ", "2018-11-20T19:29:32%20%2B08:00", "2018-11-20T19:29:32.1234567890Z", "20181120T192932Z", "2018-11-20T24:00:00Z", "2018-11-20T19:29:32*08:00",
	},
	"customer_id": {
		"", "de619854b59b425e9db4943979e1bd49", "{de619854-b59b-425e-9db4-943979e1bd49}", "urn:uuid:de619854-b59b-425e-9db4-943979e1bd49",
		"de619854-b59b-425e-9db4-943979e1bd4", "de619854-b59b-425e-9db4-943979e1bd499", "ge619854-b59b-425e-9db4-943979e1bd49",
		"de619854_b59b_425e_9db4_943979e1bd49", "%D0%B5e619854-b59b-425e-9db4-943979e1bd4", "de619854-b59b-425e-9db4-943979e1bd4%00",
		"de61985-4b59b-425e-9db4-943979e1bd49", "12345", "null", "%20de619854-b59b-425e-9db4-943979e1bd49",
	},
	"customer_name": {
		"", "%20", "%20%20%09", "%09", "+", "a%00b", "a%0Ab", "a%7Fb", "a%C2%85b", "%FF", "%C3%28", "%E2%82", "%ED%A0%80", "%C0%AF",
		strings.Repeat("x", 256), strings.Repeat("%C3%B8", 128), "%C2%A0%E3%80%80", "%1B[31m", "%", "a%2", "a%2x",
	},
	"customer_slug": {
		"", "RedBox", "redbox_logistics", "-redbox", "redbox-", "red--box", "red%20box", "red+box", "r%C3%A9dbox", "red.box", "red/box",
		"-", strings.Repeat("s", 256), "red%00box", "red%E2%80%90box", "%D0%B0bc",
	},
}

func TestEveryBadValueIsRefusedByName(t *testing.T) {
	n := 0
	for parameter, values := range badValues {
		for _, raw := range values {
			n++
			assertFaults(t, with(parameter, raw), parameter)
		}
		n += 3
		assertFaults(t, without(parameter), parameter)
		assertFaults(t, theOriginalsQuery+"&"+parameter+"=MY", parameter)
		assertFaults(t, strings.Replace(theOriginalsQuery, parameter+"=", parameter+"&x=", 1), parameter)
	}
	if n < 80 {
		t.Errorf("only %d bad requests", n)
	}
	t.Logf("%d bad requests", n)
}

func TestSeveralFaultsAreListedInTheContractsOrder(t *testing.T) {
	assertFaults(t, "", parameterNames[:]...)
	assertFaults(t, "customer_slug=A&weight=0&origin_country_id=my&customer_id=1&created_at=x&customer_name=%20&destination_country_id=", parameterNames[:]...)
	assertFaults(t, strings.Repeat("weight=1&", 256)+theOriginalsQuery, "weight")
	assertFaults(t, "customer_slug=A&"+without("customer_slug")+"&weight=1&weight=2", "weight", "customer_slug")
}

func assertFaults(t *testing.T, query string, want ...string) {
	t.Helper()
	p, ok := errors.AsType[*problem](new(call).parse([]byte(query)))
	if !ok {
		t.Errorf("%s was accepted", query)
		return
	}
	var got []string
	for _, f := range p.Errors {
		got = append(got, f.Parameter)
		if f.Detail == "" {
			t.Errorf("%s: no detail for %s", query, f.Parameter)
		}
	}
	if p.Status != 400 || strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%s: status %d naming %v, want %v", query, p.Status, got, want)
	}
}

func TestAnyCountryCodeButThe249IsRefused(t *testing.T) {
	accepted := 0
	for a := range 256 {
		for b := range 256 {
			v := []byte{byte(a), byte(b)}
			_, fault := parseCountry(v)
			if (fault == "") != generator.Country(v).Assigned() {
				t.Errorf("%q: %s", v, fault)
			}
			if fault == "" {
				accepted++
			}
		}
	}
	if accepted != 249 {
		t.Errorf("%d countries", accepted)
	}
}

// FuzzParse holds the one-pass parser against net/url and package time.
func FuzzParse(f *testing.F) {
	f.Add(theOriginalsQuery)
	f.Add(strings.Replace(theOriginalsQuery, "+", "%2B", 1))
	f.Add("weight=1&weight=2&customer_name=%FF&%=&=&&")
	f.Fuzz(func(t *testing.T, query string) {
		c := new(call)
		err := c.parse([]byte(query))
		if len(query) > queryLimit {
			if !errors.Is(err, errQueryTooLong) {
				t.Fatalf("%d bytes: %v", len(query), err)
			}
			return
		}
		if err != nil {
			if p, ok := errors.AsType[*problem](err); !ok || len(p.Errors) == 0 {
				t.Fatalf("%q: %v", query, err)
			}
			return
		}
		r := c.record
		values := map[string][]string{}
		for pair := range strings.SplitSeq(query, "&") { // url.ParseQuery refuses semicolons, which are ordinary here
			name, value, _ := strings.Cut(pair, "=")
			name, nameErr := url.QueryUnescape(name)
			value, valueErr := url.QueryUnescape(value)
			if nameErr == nil && valueErr == nil {
				values[name] = append(values[name], value)
			}
		}
		for _, name := range parameterNames {
			if len(values[name]) != 1 {
				t.Fatalf("%q: accepted with %d times %s", query, len(values[name]), name)
			}
		}
		at := values["created_at"][0]
		if i := len(at) - 6; at[i] == ' ' {
			at = at[:i] + "+" + at[i+1:]
		}
		want, err := time.Parse(time.RFC3339Nano, strings.ToUpper(at))
		if err != nil || want.UnixMicro() != r.OrderedAt {
			t.Fatalf("%q: read as %d, package time says %v, %v", at, r.OrderedAt, want.UnixMicro(), err)
		}
		if r.CustomerName != values["customer_name"][0] || r.CustomerSlug != values["customer_slug"][0] || !utf8.ValidString(r.CustomerName) ||
			r.CustomerID.String() != strings.ToLower(values["customer_id"][0]) || r.Origin.String() != values["origin_country_id"][0] || r.Weight == 0 {
			t.Fatalf("%q reads %+v", query, r)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	c := new(call)
	query := strings.Replace(theOriginalsQuery, "+", "%2B", 1)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.parse([]byte(query)); err != nil {
			b.Fatal(err)
		}
	}
}
