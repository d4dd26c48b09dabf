package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/sethvargo/go-envconfig"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2 // the command line or the configuration is wrong
)

// errUsage is wrapped by errors that better arguments or configuration cure.
var errUsage = errors.New("see waybill help")

// run is the program: its exit code follows from arguments and environment.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	command, rest := "serve", args
	if len(args) > 0 {
		command, rest = args[0], args[1:]
	}
	lookuper := envconfig.MapLookuper(environment(environ))
	var err error
	switch command {
	case "serve":
		err = runServe(ctx, rest, lookuper, stdout, stderr)
	case "migrate":
		err = runMigrate(ctx, rest, lookuper, stdout)
	case "leases":
		err = runLeases(ctx, rest, lookuper, stdout, stderr)
	case "decode":
		err = runDecode(ctx, rest, lookuper, stdout)
	case "version", "--version", "-v":
		fmt.Fprintln(stdout, "waybill", version())
	case "help", "--help", "-h":
		fmt.Fprint(stdout, usage())
	default:
		err = fmt.Errorf("unknown command %q: %w", command, errUsage)
	}
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(stderr, "waybill:", err)
	if errors.Is(err, errUsage) {
		return exitUsage
	}
	return exitFailure
}

// runServe serves until a signal; see serve.
func runServe(ctx context.Context, args []string, l envconfig.Lookuper, stdout, stderr io.Writer) error {
	if len(args) > 0 {
		if args[0] == "--help" || args[0] == "-h" {
			fmt.Fprint(stdout, usage())
			return nil
		}
		return fmt.Errorf("serve takes no arguments, only environment variables: %w", errUsage)
	}
	c, err := loadConfig(ctx, l)
	if err != nil {
		return err
	}
	people := isTerminal(stdout)
	s := &server{Config: c, log: newLogger(c, stderr, isTerminal(stderr)), stop: make(chan os.Signal, 2)}
	if people {
		s.greet = func(address, operators string) { fmt.Fprint(stdout, banner(c, address, operators)) }
	}
	signal.Notify(s.stop, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(s.stop)
	return s.serve(ctx)
}

// environment makes a map of os.Environ's strings. A variable that is set to
// nothing counts as not set.
func environment(environ []string) map[string]string {
	m := make(map[string]string, len(environ))
	for _, pair := range environ {
		if name, value, _ := strings.Cut(pair, "="); value != "" {
			m[name] = value
		}
	}
	return m
}
