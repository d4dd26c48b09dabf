package httpapi

import "time"

// parseTime reads an RFC 3339 time (section 5.6) as Unix microseconds. Where the
// offset's + stood, a space is accepted: that is what a raw + in a query string
// decodes to. Lower-case t and z are allowed, as there; a leap second is not.
func parseTime(v []byte) (micros int64, fault string) {
	const shape = "0000-00-00T00:00:00"
	if len(v) < len(shape)+1 {
		return 0, mustBeTime
	}
	for i := range len(shape) {
		c := v[i]
		switch {
		case shape[i] == '0' && digit(c), shape[i] == c, shape[i] == 'T' && c == 't':
		default:
			return 0, mustBeTime
		}
	}
	year, month, day := number(v[0:4]), number(v[5:7]), number(v[8:10])
	hour, minute, second := number(v[11:13]), number(v[14:16]), number(v[17:19])
	rest := v[len(shape):]

	fraction := 0
	if rest[0] == '.' {
		digits := 1
		for unit := 100_000; digits < len(rest) && digit(rest[digits]); digits++ {
			fraction += int(rest[digits]-'0') * unit // what is finer than a microsecond is cut off
			unit /= 10
		}
		if digits == 1 || digits > 10 {
			return 0, mustBeTime
		}
		rest = rest[digits:]
	}
	offset, fault := parseOffset(rest)
	switch {
	case fault != "":
		return 0, fault
	case month < 1 || month > 12 || day < 1 || day > days(year, month) || hour > 23 || minute > 59 || second > 59:
		return 0, mustBeDate
	case year < 1970:
		return 0, mustBeSince1970
	}
	unix := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC).Unix() - int64(offset)*60
	return unix*1_000_000 + int64(fraction), ""
}

// parseOffset reads Z, +08:00 or -08:00 as minutes.
func parseOffset(v []byte) (minutes int, fault string) {
	if len(v) == 1 && (v[0] == 'Z' || v[0] == 'z') {
		return 0, ""
	}
	if len(v) != 6 || v[3] != ':' || !digit(v[1]) || !digit(v[2]) || !digit(v[4]) || !digit(v[5]) {
		return 0, mustBeTime
	}
	sign := 1
	switch v[0] {
	case '+', ' ':
	case '-':
		sign = -1
	default:
		return 0, mustBeTime
	}
	hour, minute := number(v[1:3]), number(v[4:6])
	if hour > 23 || minute > 59 {
		return 0, mustBeDate
	}
	return sign * (hour*60 + minute), ""
}

// number is the value of digits.
func number(v []byte) (n int) {
	for _, c := range v {
		n = n*10 + int(c-'0')
	}
	return n
}

// days is how many days a month has.
func days(year, month int) int {
	switch {
	case month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0):
		return 29
	case month == 2:
		return 28
	case month == 4 || month == 6 || month == 9 || month == 11:
		return 30
	}
	return 31
}
