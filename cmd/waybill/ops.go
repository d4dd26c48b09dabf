package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"waybill/httpapi"
	"waybill/lease"
)

// opsShared is the OPS_ADDR of a platform with one port: the operators' routes
// are on the public listener.
const opsShared = "shared"

// minToken is the least length of OPS_TOKEN, in bytes.
const minToken = 16

// operators reads the three variables of the operators' listener.
func (c *Config) operators(v variables, fault func(name, format string, args ...any)) {
	c.OpsAddr, c.OpsToken = v.OpsAddr, v.OpsToken
	if len(v.OpsToken) > 0 && len(v.OpsToken) < minToken {
		fault("OPS_TOKEN", "has %d bytes: use %d random ones or more, for instance of: openssl rand -hex 32", len(v.OpsToken), minToken)
	}
	if strings.ContainsFunc(v.OpsToken, func(r rune) bool { return r <= ' ' || r > '~' }) {
		fault("OPS_TOKEN", "has characters that an HTTP header cannot carry: use visible ASCII without spaces, for instance of: openssl rand -hex 32")
	}
	if v.OpsAuth != "" && v.OpsAuth != "none" {
		fault("OPS_AUTH", "%q is unknown: use none, or leave it out", v.OpsAuth)
	}
	if v.OpsAddr == opsShared {
		if v.OpsToken == "" {
			fault("OPS_ADDR", "is shared, so the world can reach the operators' routes: set OPS_TOKEN")
		}
		return
	}
	host, port, err := net.SplitHostPort(v.OpsAddr)
	number, portErr := strconv.Atoi(port)
	switch {
	case err != nil || portErr != nil || number < 0 || number > 65535:
		fault("OPS_ADDR", "%q is no address: use host:port, such as 127.0.0.1:8001, or shared", v.OpsAddr)
	case number > 0 && number == c.Port:
		fault("OPS_ADDR", "has the port of PORT, %d: use another, or OPS_ADDR=shared with an OPS_TOKEN", number)
	case !isLoopback(host) && v.OpsToken == "" && v.OpsAuth != "none":
		fault("OPS_ADDR", "%s can be reached from other machines: set OPS_TOKEN, or OPS_AUTH=none if something else keeps strangers out", v.OpsAddr)
	}
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// operators is the operators' listener: up before the stores have admitted this
// instance, gone after its lease was given back.
type operators struct {
	server   *http.Server
	listener net.Listener
	ended    chan struct{}
}

// openOperators listens, and answers until Close. It returns nil when the public
// listener has the operators' routes.
func (s *server) openOperators(ctx context.Context, api *httpapi.API) (*operators, error) {
	if s.OpsAddr == opsShared {
		return nil, nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", s.OpsAddr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("OPS_ADDR: %w; another program has it, or another instance on this machine: "+
			"give each its own, such as OPS_ADDR=127.0.0.1:8002, or OPS_ADDR=127.0.0.1:0 for a free port, which is logged", err)
	}
	if err != nil {
		return nil, fmt.Errorf("OPS_ADDR: %w", err)
	}
	o := &operators{server: httpapi.NewOperatorsServer(api), listener: l, ended: make(chan struct{})}
	go func() {
		defer close(o.ended)
		if err := o.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("operators are not answered any more", "error", err) // the world is
		}
	}()
	s.log.Info("operators listening", "addr", l.Addr().String(), "token", s.OpsToken != "")
	return o, nil
}

// at is an address that a person can use; empty when it is the public one.
func (o *operators) at() string {
	if o == nil {
		return ""
	}
	return dialable(o.listener.Addr())
}

// opsLimit is for answers to operators that are under way at the end.
const opsLimit = time.Second

// Close waits for answers under way, but not for long.
func (o *operators) Close() error {
	if o == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), opsLimit)
	defer cancel()
	err := o.server.Shutdown(ctx)
	if err != nil { // somebody reads slowly
		err = o.server.Close()
	}
	<-o.ended
	return err
}

// lease is what this instance holds.
func (s *server) lease() any {
	if v := s.service.Load(); v != nil {
		return v.keeper.Status()
	}
	return lease.Waiting(s.self, s.Layout, s.refused())
}

// leases is what all instances hold.
func (s *server) leases(ctx context.Context) (any, error) {
	v := s.service.Load()
	if v == nil {
		return nil, s.refused()
	}
	return v.keeper.Fleet(ctx), nil
}

// refused is why the stores have not admitted this instance, in full.
func (s *server) refused() error {
	if refusal := s.refusal.Load(); refusal != nil {
		return *refusal
	}
	return errStarting
}
