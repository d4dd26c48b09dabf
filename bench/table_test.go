package main

import (
	"strings"
	"testing"
)

func TestRatiosAreOfTheSameRoundAndSayWhoIsFaster(t *testing.T) {
	reference := []sample{{figure: 100}, {figure: 200}, {figure: 100}}
	half := []sample{{figure: 50, extras: []float64{1}}, {figure: 100, extras: []float64{9}}, {figure: 80, extras: []float64{2}}}
	c := contestant{name: "half", note: "%.0f each"}
	if r := (group{}).row(c, half, reference, false); median(r.ratios) != 0.5 || r.note != "2 each" {
		t.Errorf("a rate half as high: ratios %v, note %q", r.ratios, r.note)
	}
	if r := (group{time: true}).row(c, half, reference, false); median(r.ratios) != 2 {
		t.Errorf("a time half as long: ratios %v", r.ratios)
	}
}

func TestFiguresHaveThreeDigits(t *testing.T) {
	for x, want := range map[float64]string{
		0.123456: "0.123", 38.26: "38.3", 244.1: "244", 999.4: "999", 999.7: "1,000",
		39062: "39,100", 83449: "83,400", 1234567: "1,230,000",
	} {
		if got := figureText(x); got != want {
			t.Errorf("%v is written %s, want %s", x, got, want)
		}
	}
}

func TestTheTableLinesUp(t *testing.T) {
	text := table([]row{
		{group: "g", name: "one", figures: []float64{1}, ratios: []float64{1}, reference: true},
		{group: "g", name: "another", figures: []float64{2000}, ratios: []float64{2000}, note: "µs"},
	})
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, line := range lines {
		if len([]rune(line)) != len([]rune(lines[0])) {
			t.Fatalf("ragged:\n%s", text)
		}
	}
}
