package model_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"waybill/internal/testenv"
)

var full = flag.Bool("full", false, "search every variant in its full bounds: minutes, and up to 3 GB")

// unique is the outcome of a search that went everywhere and broke no invariant.
const unique = "unique"

func TestEveryRuleIsNeededAndTogetherTheyAreEnough(t *testing.T) {
	testenv.Need(t, "spin", "gcc")
	for _, v := range variants {
		if v.slow && !*full {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			began := time.Now()
			outcome, states := v.search(t)
			if outcome != v.expected {
				t.Errorf("%s (%s): %s, expected %s", v.name, strings.Join(v.flags, " "), outcome, v.expected)
			}
			if *full {
				fmt.Printf("%-36s expected %-24s found %-24s %11s states %6.1f s\n",
					v.name, v.expected, outcome, states, time.Since(began).Seconds())
			}
		})
	}
}

// A rule that the model knows and no variant removes would be unproved.
func TestEverySwitchOfTheModelIsTried(t *testing.T) {
	source, err := os.ReadFile("lease.pml")
	if err != nil {
		t.Fatal(err)
	}
	tried := map[string]bool{}
	for _, v := range variants {
		for _, flag := range v.flags {
			tried[strings.TrimPrefix(flag, "-D")] = true
		}
		removed := slices.ContainsFunc(v.flags, func(f string) bool { return strings.HasPrefix(f, "-DNO_RULE") })
		if removed && v.expected == unique {
			t.Errorf("%s removes a rule and expects nothing to break", v.name)
		}
	}
	for _, name := range regexp.MustCompile(`\b(NO_RULE|CHECK_)\w+`).FindAllString(string(source), -1) {
		if !tried[name] {
			t.Errorf("no variant tries %s", name)
		}
	}
}

// optimised is worth its time only where the search takes longer.
func (v variant) optimised() string {
	if v.slow {
		return "-O2"
	}
	return "-O0"
}

var (
	assertion = regexp.MustCompile(`assertion violated\s+!\((\w+)\)`)
	stored    = regexp.MustCompile(`(\S+) states, stored`)
)

// search has spin make the verifier of the variant, and gcc compile it, and lets it search. It returns the invariant that
// broke, or that none did, and the number of states.
func (v variant) search(t *testing.T) (outcome, states string) {
	t.Helper()
	source, err := os.ReadFile("lease.pml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir() // pan leaves its trail beside the model
	if err := os.WriteFile(filepath.Join(dir, "lease.pml"), source, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, dir, "spin", append(slices.Clone(v.flags), "-a", "lease.pml")...)
	run(t, dir, "gcc", v.optimised(), "-w", "-DSAFETY", "-DMEMLIM=3000", "-o", "pan", "pan.c")
	out := run(t, dir, "./pan", "-n", "-m100000", "-w20")
	if m := stored.FindStringSubmatch(out); m != nil {
		states = m[1]
	}
	if m := assertion.FindStringSubmatch(out); m != nil {
		if outcome = m[1]; outcome != v.expected {
			t.Logf("what happened:\n%s", run(t, dir, "spin", append(slices.Clone(v.flags), "-p", "-k", "lease.pml.trail", "lease.pml")...))
		}
		return outcome, states
	}
	for _, sign := range []string{"Search not completed", "search depth too small", "MEMLIM", "out of memory"} {
		if strings.Contains(out, sign) {
			return "an incomplete search (" + sign + ")", states
		}
	}
	if !strings.Contains(out, "errors: 0") {
		t.Fatalf("not the report of a search:\n%s", out)
	}
	return unique, states
}

func run(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, args...)
	command.Dir = dir
	out, err := command.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && (program != "./pan" || !errors.As(err, &exit)) {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return string(out)
}
