//go:build !race

package generator

import "testing"

func TestTheIssuePathDoesNotAllocate(t *testing.T) {
	g := unbounded()
	buffer := make([]byte, 0, NumberLength)
	ids := make([]ID, 100)
	for _, form := range []Form{{}, opaque(t)} {
		n := form.Format(1, malaysia)
		for name, path := range map[string]func(){
			"Next":   func() { _, _ = g.Next(t.Context()) },
			"NextN":  func() { _ = g.NextN(t.Context(), ids) },
			"Append": func() { buffer = form.Append(buffer[:0], 1, malaysia) },
			"Parse":  func() { _, _, _ = form.Parse(n) },
		} {
			if allocs := testing.AllocsPerRun(1000, path); allocs > 0 {
				t.Errorf("%s (%s form) allocates %v times", name, form, allocs)
			}
		}
	}
}
