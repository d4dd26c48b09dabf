package httpapi

import (
	"unicode"
	"unicode/utf8"

	"waybill/generator"
	"waybill/persist"

	"github.com/google/uuid"
)

// What a parameter can have wrong.
const (
	mustBeGiven     = "is missing"
	mustBeOnce      = "is given more than once"
	mustDecode      = "has a % that two hexadecimal digits do not follow"
	mustBeCountry   = "must be one of the 249 ISO 3166-1 alpha-2 country codes, in upper case"
	mustBeWeight    = "must be kilograms: 1 to 6 digits, and at most 3 more after a point"
	mustBePositive  = "must be greater than 0"
	mustBeTime      = "must be an RFC 3339 time with an offset, such as 2018-11-20T19:29:32+08:00"
	mustBeDate      = "must be a time that exists"
	mustBeSince1970 = "must not be before 1970"
	mustBeUUID      = "must be a UUID of 36 characters, hyphens included"
	mustBeName      = "must have 1 to 255 bytes"
	mustBeUTF8      = "must be valid UTF-8"
	mustNotBeBlank  = "must not be blank"
	mustBePrintable = "must not have control characters"
	mustBeSlug      = "must have 1 to 255 lower-case letters and digits, in words joined by single hyphens"
)

func digit(c byte) bool { return '0' <= c && c <= '9' }

func parseCountry(v []byte) (c generator.Country, fault string) {
	if len(v) == len(c) {
		c = generator.Country(v)
	}
	if !c.Assigned() {
		return c, mustBeCountry
	}
	return c, ""
}

// parseWeight reads kilograms as grams.
func parseWeight(v []byte) (grams uint32, fault string) {
	whole, fraction := cut(v, '.')
	if len(whole) < 1 || len(whole) > 6 || len(fraction) > 3 || len(whole) < len(v) && len(fraction) == 0 {
		return 0, mustBeWeight
	}
	for _, c := range whole {
		if !digit(c) {
			return 0, mustBeWeight
		}
		grams = grams*10 + uint32(c-'0')
	}
	for i := range 3 {
		grams *= 10
		if i < len(fraction) {
			if !digit(fraction[i]) {
				return 0, mustBeWeight
			}
			grams += uint32(fraction[i] - '0')
		}
	}
	if grams == 0 {
		return 0, mustBePositive
	}
	return grams, ""
}

func parseUUID(v []byte) (id uuid.UUID, fault string) {
	if len(v) != 36 {
		return id, mustBeUUID
	}
	id, err := uuid.ParseBytes(v)
	if err != nil {
		return id, mustBeUUID
	}
	return id, ""
}

func parseName(v []byte) (name, fault string) {
	switch {
	case len(v) == 0 || len(v) > persist.MaxText:
		return "", mustBeName
	case !utf8.Valid(v):
		return "", mustBeUTF8
	}
	name = string(v)
	blank := true
	for _, r := range name {
		if unicode.IsControl(r) {
			return "", mustBePrintable
		}
		blank = blank && unicode.IsSpace(r)
	}
	if blank {
		return "", mustNotBeBlank
	}
	return name, ""
}

func parseSlug(v []byte) (slug, fault string) {
	if len(v) == 0 || len(v) > persist.MaxText {
		return "", mustBeSlug
	}
	hyphen := true // so far a hyphen may not come next
	for _, c := range v {
		switch {
		case c == '-' && !hyphen:
			hyphen = true
		case digit(c) || 'a' <= c && c <= 'z':
			hyphen = false
		default:
			return "", mustBeSlug
		}
	}
	if hyphen {
		return "", mustBeSlug
	}
	return string(v), ""
}
