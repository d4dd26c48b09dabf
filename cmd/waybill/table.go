package main

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"waybill/lease"
)

// fleetTable is a fleet for people: a line for each instance, the counts, and
// what could not be found out.
func fleetTable(f lease.Fleet) []byte {
	authorities := strings.Split(f.Authorities, "+")
	head := []string{"INSTANCE", "WORKER", "STATE"}
	for _, a := range authorities {
		head = append(head, strings.ToUpper(a))
	}
	head = append(head, "REFRESHED", "ISSUED", "OFFSET", "VERSION", "ADDRESS")
	lines := [][]string{head}
	failing := false
	for _, m := range f.Instances {
		lines = append(lines, memberCells(m, authorities, f.Time))
		failing = failing || m.Err != ""
	}
	if failing {
		lines[0] = append(lines[0], "ERROR")
		for i, m := range f.Instances {
			lines[i+1] = append(lines[i+1], m.Err)
		}
	}
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, cells := range lines {
		for i := range cells {
			if cells[i] = printable(cells[i]); cells[i] == "" {
				cells[i] = "-"
			}
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	_ = w.Flush() // a bytes.Buffer never fails
	fmt.Fprintf(&b, "workers: %s total, %s held, %s free, %s parked; %s days left\n", grouped(int64(f.Workers.Total)), grouped(int64(f.Workers.Held)),
		grouped(int64(f.Workers.Free)), grouped(int64(f.Workers.Parked)), grouped(int64(math.Floor(f.DaysLeft))))
	for _, p := range f.Problems {
		fmt.Fprintln(&b, "problem:", printable(p))
	}
	return b.Bytes()
}

// memberCells is one line; what is not known is empty.
func memberCells(m lease.Member, authorities []string, now time.Time) []string {
	worker, refreshed, offset := "", "", ""
	if m.Worker != nil {
		worker = strconv.Itoa(*m.Worker)
	}
	if !m.Time.IsZero() {
		refreshed = max(0, now.Sub(m.Time)).Round(time.Second).String() + " ago"
	}
	if m.OffsetMS != nil {
		offset = fmt.Sprintf("%+d ms", *m.OffsetMS)
	}
	cells := []string{m.Name, worker, string(m.State)}
	for _, a := range authorities {
		left := ""
		for _, w := range m.Windows {
			if w.Name == a {
				left = fmt.Sprintf("%.0f s", math.Floor(w.SecondsLeft))
			}
		}
		cells = append(cells, left)
	}
	return append(cells, refreshed, grouped(int64(m.Issued)), offset, m.Version, m.Address)
}

// grouped is n with a comma between thousands.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// printable is text that others wrote, without what would move the cursor of a
// terminal or break a table.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
}
