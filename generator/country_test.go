package generator

import (
	"encoding/json"
	"os"
	"testing"
)

// Debian's iso-codes is the reference; its package is among the test's needs.
func TestCountriesAreISO3166s(t *testing.T) {
	data, err := os.ReadFile("/usr/share/iso-codes/json/iso_3166-1.json")
	if err != nil {
		t.Fatalf("the list to compare with is not here (%v): run make deps, or apt-get install iso-codes", err)
	}
	var list struct {
		Countries []struct {
			Alpha2 string `json:"alpha_2"`
		} `json:"3166-1"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	official := map[Country]bool{}
	for _, c := range list.Countries {
		official[Country([]byte(c.Alpha2))] = true
	}
	if len(official) != 249 {
		t.Errorf("the reference has %d countries, not 249", len(official))
	}
	for first := range 256 {
		for second := range 256 {
			c := Country{byte(first), byte(second)}
			if c.Assigned() != official[c] {
				t.Errorf("%q: assigned is %v, ISO says %v", c, c.Assigned(), official[c])
			}
		}
	}
}
