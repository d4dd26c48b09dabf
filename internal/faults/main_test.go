package faults

import (
	"flag"
	"os"
	"testing"
	"time"
)

var long = flag.Bool("long", os.Getenv("LONG") != "", "let the test of endurance last a minute")

// atOnce is how many tests run at the same time, on any number of cores: they wait for windows to end.
const atOnce = "8"

func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		_ = flag.Set("test.parallel", atOnce)
	}
	os.Exit(m.Run())
}

// The rules that the tests expect to be kept.
const (
	quarantineMargin = 5 * time.Second  // beyond the window, after a loss of memory
	claim            = 10 * time.Second // LEASE_CLAIM in all tests
	probe            = 2 * time.Second  // an instance that can reach its stores is ready within it
	begins           = 5 * time.Second  // a process, until it listens and has read its spools, on a busy machine
	busy             = 2 * time.Second  // what a busy machine may add to any bound
)
