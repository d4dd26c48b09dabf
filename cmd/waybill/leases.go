package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/signal"
	"syscall"
	"time"

	"waybill/lease"

	"github.com/sethvargo/go-envconfig"
)

const leasesHelp = `waybill leases asks a running instance which instances there are, and what each holds.

usage:
  waybill leases [--watch] [--json] [--url http://host:port]

  --watch  again every second, until Ctrl-C; an instance that is away is waited for
  --json   what the instance answers, as it is
  --url    the operators' listener to ask; without it that of OPS_ADDR is asked, on this machine by default

OPS_TOKEN is sent when it is set.

examples:
  waybill leases
  waybill leases --watch
  OPS_ADDR=127.0.0.1:8002 waybill leases
  OPS_TOKEN=… waybill leases --json --url http://waybill-1:8001 | jq .workers
`

// runLeases is `waybill leases`.
func runLeases(ctx context.Context, args []string, l envconfig.Lookuper, stdout, stderr io.Writer) error {
	var watch, raw bool
	var address string
	flags := flag.NewFlagSet("leases", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&watch, "watch", false, "")
	flags.BoolVar(&raw, "json", false, "")
	flags.StringVar(&address, "url", "", "")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, err := fmt.Fprint(stdout, leasesHelp)
		return err
	case err != nil:
		return fmt.Errorf("leases: %w: %w", err, errLeasesUsage)
	case flags.NArg() > 0:
		return fmt.Errorf("leases: %q is not understood: %w", flags.Arg(0), errLeasesUsage)
	}
	var v variables
	if err := envconfig.ProcessWith(ctx, &envconfig.Config{Target: &v, Lookuper: l}); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	o := newObserver(v.OpsToken, raw)
	if o.url, err = leasesURL(address, v); err != nil {
		return err
	}
	if !watch {
		view, err := o.view(ctx)
		if err != nil {
			return err
		}
		_, err = stdout.Write(view)
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return o.watch(ctx, stdout, stderr, isTerminal(stdout))
}

// errLeasesUsage is errUsage with the place to look.
var errLeasesUsage = fmt.Errorf("see waybill leases -h (%w)", errUsage)

// leasesURL is where to ask: what was given, or else the operators' listener of
// the environment.
func leasesURL(given string, v variables) (string, error) {
	if given != "" {
		u, err := url.Parse(given)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return "", fmt.Errorf("leases: --url %q is no address: use http://host:port: %w", given, errLeasesUsage)
		}
		return u.JoinPath("leases").String(), nil
	}
	address, name := v.OpsAddr, "OPS_ADDR"
	if address == opsShared {
		address, name = "localhost:"+v.Port, "PORT"
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || port == "" {
		return "", fmt.Errorf("leases: OPS_ADDR %q is no address: use host:port, or --url http://host:port: %w", address, errLeasesUsage)
	}
	if port == "0" {
		return "", fmt.Errorf("leases: with port 0 in %s the instance picks a port, and logs it: use --url http://host:port: %w", name, errLeasesUsage)
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port) + "/leases", nil
}

// observer asks one instance.
type observer struct {
	client     http.Client
	url, token string
	raw        bool          // what is answered is shown as it is
	every      time.Duration // a watch asks
}

// newObserver follows nothing and asks no proxy: the token is for the instance
// alone.
func newObserver(token string, raw bool) *observer {
	return &observer{token: token, raw: raw, every: watchEvery, client: http.Client{
		Timeout:       askLimit,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// watch prints a view again and again until ctx ends. At a terminal each takes the
// place of the one before.
func (o *observer) watch(ctx context.Context, stdout, stderr io.Writer, terminal bool) error {
	tick := time.NewTicker(o.every)
	defer tick.Stop()
	for {
		view, err := o.view(ctx)
		if ctx.Err() != nil {
			return nil
		}
		to := stdout
		if err != nil {
			view = fmt.Appendf(nil, "%s  %v\n", time.Now().Format(time.TimeOnly), err)
			if o.raw && !terminal {
				to = stderr // a program reads the rest
			}
		}
		switch {
		case terminal:
			view = append([]byte("\x1b[H\x1b[2J"), view...) // home, clear; in one write: it does not flicker
		case !o.raw:
			view = append(view, '\n')
		}
		if _, err := to.Write(view); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// view is what there is to print now.
func (o *observer) view(ctx context.Context) ([]byte, error) {
	answer, err := o.ask(ctx)
	if err != nil {
		return nil, fmt.Errorf("leases: %w", err)
	}
	if o.raw {
		return append(bytes.TrimSpace(answer), '\n'), nil
	}
	var f lease.Fleet
	if err := json.Unmarshal(answer, &f); err != nil {
		return nil, fmt.Errorf("leases: the answer of %s cannot be read: %w", o.url, err)
	}
	return fleetTable(f), nil
}

// How often --watch asks, and the limits of one question.
const (
	watchEvery  = time.Second
	askLimit    = 5 * time.Second
	answerBytes = 16 << 20
)

// ask returns the answer, or why there is none and what to do.
func (o *observer) ask(ctx context.Context) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.url, nil)
	if err != nil {
		return nil, err
	}
	if o.token != "" {
		request.Header.Set("Authorization", "Bearer "+o.token)
	}
	response, err := o.client.Do(request)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err
		}
		return nil, fmt.Errorf("no instance answers at %s: %w: is it running, and is this its OPS_ADDR? Another is asked with --url", o.url, err)
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	body, err := io.ReadAll(io.LimitReader(response.Body, answerBytes))
	if err != nil {
		return nil, fmt.Errorf("%s broke off: %w", o.url, err)
	}
	if response.StatusCode == http.StatusOK {
		return body, nil
	}
	return nil, o.refused(response.StatusCode, body)
}

// refused says what an answer that is not 200 means.
func (o *observer) refused(status int, body []byte) error {
	var problem struct{ Title, Detail string }
	_ = json.Unmarshal(body, &problem) // whatever it is, the status says enough
	switch {
	case status == http.StatusUnauthorized && o.token == "":
		return fmt.Errorf("%s wants a token: set OPS_TOKEN to that of the instance", o.url)
	case status == http.StatusUnauthorized:
		return fmt.Errorf("%s does not take this OPS_TOKEN: set it to that of the instance", o.url)
	case status == http.StatusNotFound:
		return fmt.Errorf("%s is not there: is this the public listener? The operators' is at OPS_ADDR, 127.0.0.1:8001 by default", o.url)
	case status == http.StatusServiceUnavailable && problem.Detail != "":
		return fmt.Errorf("the instance is starting: %s", printable(problem.Detail))
	}
	return fmt.Errorf("%s answered %d %s", o.url, status, printable(problem.Title))
}
