package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// table renders rows as one Markdown table that also reads well as it is.
func table(rows []row) string {
	lines := [][]string{{"measure", "contestant", "median", "min-max", "ratio", "notes"}, nil}
	for _, r := range rows {
		ratio := "1"
		if !r.reference {
			ratio = fmt.Sprintf("%s (%s-%s)", ratioText(median(r.ratios)), ratioText(slices.Min(r.ratios)), ratioText(slices.Max(r.ratios)))
		}
		lines = append(lines, []string{
			r.group, r.name, figureText(median(r.figures)),
			figureText(slices.Min(r.figures)) + "-" + figureText(slices.Max(r.figures)), ratio, r.note,
		})
	}
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, width := range widths {
		lines[1] = append(lines[1], strings.Repeat("-", width))
	}
	var b strings.Builder
	for _, line := range lines {
		for i, cell := range line {
			fmt.Fprintf(&b, "| %-*s ", widths[i], cell)
		}
		b.WriteString("|\n")
	}
	return b.String()
}

// figureText is three significant digits, with commas in what is left of the point.
func figureText(x float64) string {
	if x < 999.5 {
		return fmt.Sprintf("%.3g", x)
	}
	unit := 1.0
	for x/unit >= 1000 {
		unit *= 10
	}
	digits := fmt.Sprintf("%.0f", float64(int64(x/unit+0.5))*unit)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// ratioText has two decimals near 1 and two or three digits elsewhere.
func ratioText(x float64) string {
	switch {
	case x >= 10:
		return figureText(x)
	case x >= 0.1:
		return fmt.Sprintf("%.2f", x)
	default:
		return fmt.Sprintf("%.2g", x)
	}
}
