package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// plan says how much is measured.
type plan struct {
	rounds  int
	window  time.Duration // of a generator in one round
	store   time.Duration // of a spool or a loader
	load    time.Duration // of a server: whole seconds
	warmUp  time.Duration // before load
	clients int           // connections
}

// sections are what -only chooses from, in the table's order.
var sections = []struct {
	name    string
	measure func(context.Context, *lifetime, plan) ([]row, error)
}{
	{"generator", measureGenerators},
	{"http", measureHTTP},
	{"spool", measureSpools},
	{"loader", measureLoaders},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	quick := flags.Bool("quick", false, "a short run that shows that all works; its figures are worth little")
	only := flags.String("only", "", "sections to measure, separated by commas: "+sectionNames())
	rounds := flags.Int("rounds", 0, "rounds (default 5, 2 with -quick)")
	serve := flags.String("serve", "", "be this server; the benchmark starts itself that way")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *serve != "" {
		return serveAs(ctx, *serve)
	}
	p := plan{rounds: 5, window: 300 * time.Millisecond, store: 600 * time.Millisecond, load: 4 * time.Second, warmUp: time.Second, clients: 64}
	if *quick {
		p = plan{rounds: 2, window: 60 * time.Millisecond, store: 100 * time.Millisecond, load: time.Second, warmUp: time.Second, clients: 64}
	}
	if *rounds > 0 {
		p.rounds = *rounds
	}
	names, err := chosen(*only)
	if err != nil {
		return err
	}

	// Package testenv asks testing.Short, which wants its flags parsed.
	testing.Init()
	if err := flag.CommandLine.Parse(nil); err != nil {
		return err
	}
	description := describeMachine()
	var rows []row
	for _, section := range sections {
		if !slices.Contains(names, section.name) {
			continue
		}
		some, err := within(func(t *lifetime) ([]row, error) { return section.measure(ctx, t, p) })
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", section.name, err)
		}
		rows = append(rows, some...)
	}
	fmt.Printf("%s\n%s\n\n%s", description, p, table(rows))
	return nil
}

func (p plan) String() string {
	return fmt.Sprintf("%d rounds, shuffled: %v a generator, %v a store, %v a server after %v. Ratio: speed over that of the row "+
		"marked 1 in the same round; median (min-max); higher is faster.", p.rounds, p.window, p.store, p.load, p.warmUp)
}

func sectionNames() string {
	var names []string
	for _, s := range sections {
		names = append(names, s.name)
	}
	return strings.Join(names, ",")
}

// chosen splits the flag -only; nothing means all.
func chosen(only string) ([]string, error) {
	all := strings.Split(sectionNames(), ",")
	if only == "" {
		return all, nil
	}
	names := strings.Split(only, ",")
	for _, name := range names {
		if !slices.Contains(all, name) {
			return nil, errors.New("no section " + name + ": there are " + sectionNames())
		}
	}
	return names, nil
}
