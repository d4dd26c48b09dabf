package main

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"waybill/generator"
	"waybill/lease"
	"waybill/persist"

	"github.com/sethvargo/go-envconfig"
)

// variables are the environment as it is given. Help and the README's table are
// made from their tags.
type variables struct {
	Port         string `env:"PORT,default=8000" help:"public listener on all interfaces; 0 picks a free port and logs it, at level info"`
	OpsAddr      string `env:"OPS_ADDR,default=127.0.0.1:8001" help:"operators' listener, host:port, where port 0 picks a free one and logs it; shared: their routes on the public listener, with OPS_TOKEN"`
	OpsToken     string `env:"OPS_TOKEN" help:"what operators send as Authorization: Bearer …; at least 16 bytes; needed beyond loopback"`
	OpsAuth      string `env:"OPS_AUTH" help:"none: OPS_ADDR may be beyond loopback without OPS_TOKEN"`
	DataDir      string `env:"DATA_DIR,default=waybill-data" help:"spools, the lease file, and the embedded database when DATABASE_URL is unset"`
	DatabaseURL  string `env:"DATABASE_URL" help:"Postgres primary; unset: embedded SQLite in DATA_DIR"`
	RedisURL     string `env:"REDIS_URL" help:"leases of a fleet: redis:// or rediss://, further nodes of a cluster or Sentinels as ?addr=host:port, a Sentinel's master as master_name=…"`
	RedisTLS     string `env:"REDIS_TLS,default=verify" help:"for rediss://: verify, pin:SHA-256 of the server's public key in hexadecimal, or insecure"`
	RedisReplica string `env:"REDIS_REPLICAS,default=0" help:"replicas that confirm each grant when Redis is the only lease; a property of the number space"`
	SecretKey    string `env:"SECRET_KEY" help:"set: opaque numbers; at least 16 bytes, for ever the same in one number space"`
	RecordAck    string `env:"RECORD_ACK,default=spool" help:"when a reply is sent: spool (survives kill -9; memory means the same), fsync (survives a power cut), database"`
	SpoolLimit   string `env:"SPOOL_LIMIT,default=4GiB" help:"disk space for records that wait for the database; at least 128MiB"`
	LeaseWindow  string `env:"LEASE_WINDOW,default=60s" help:"how long an instance can run without Redis, and a worker ID of a crashed one rests there; a property of the number space"`
	LeaseClaim   string `env:"LEASE_CLAIM,default=30m" help:"the same for Postgres, or the lease file of a single instance"`
	Instance     string `env:"INSTANCE" help:"this instance's name for operators; unset: host:port"`
	WorkerBits   string `env:"WORKER_BITS,default=10" help:"layout of an ID, a property of the number space: bits of the worker"`
	SequenceBits string `env:"SEQUENCE_BITS,default=12" help:"bits of the number within a millisecond"`
	NumberEpoch  string `env:"NUMBER_EPOCH,default=2026-01-01T00:00:00Z" help:"time 0 of the IDs"`
	LogLevel     string `env:"LOG_LEVEL,default=info" help:"debug, info, warn or error"`
	LogFormat    string `env:"LOG_FORMAT" help:"json or text; unset: text at a terminal, json elsewhere"`
}

// Config is the environment, understood.
type Config struct {
	Port        int
	OpsAddr     string // host:port, or shared
	OpsToken    string // empty: operators are not asked for one
	DataDir     string
	DatabaseURL string // empty: embedded
	RedisURL    string // empty: leases are Postgres's, or the file's
	RedisTLS    string
	Instance    string // empty: made from the address

	RedisReplicas int
	LeaseWindow   time.Duration
	Layout        generator.Layout
	Form          generator.Form
	Ack           persist.Ack
	SpoolLimit    int64 // bytes
	LeaseClaim    time.Duration
	LogLevel      slog.Level
	LogFormat     string
}

// segmentSize is the size of a spool's segments.
const segmentSize = 64 << 20

// loadConfig reads the environment. The error lists everything that is wrong
// with it.
func loadConfig(ctx context.Context, l envconfig.Lookuper) (c Config, err error) {
	var v variables
	if err := envconfig.ProcessWith(ctx, &envconfig.Config{Target: &v, Lookuper: l}); err != nil {
		return c, fmt.Errorf("configuration: %w", err)
	}
	var faults []string
	fault := func(name, format string, args ...any) {
		faults = append(faults, name+": "+fmt.Sprintf(format, args...))
	}
	c.DataDir, c.DatabaseURL = v.DataDir, v.DatabaseURL

	if c.Port, err = strconv.Atoi(v.Port); err != nil || c.Port < 0 || c.Port > 65535 {
		fault("PORT", "%q is no port: use 0 to 65535", v.Port)
	}
	c.operators(v, fault)
	if v.DatabaseURL != "" && !strings.HasPrefix(v.DatabaseURL, "postgres://") && !strings.HasPrefix(v.DatabaseURL, "postgresql://") {
		fault("DATABASE_URL", "must begin with postgres://")
	} else if err := persist.CheckPostgresURL(v.DatabaseURL); v.DatabaseURL != "" && err != nil {
		fault("DATABASE_URL", "%v", err)
	}
	c.RedisURL, c.RedisTLS, c.Instance = v.RedisURL, v.RedisTLS, v.Instance
	if v.RedisURL != "" {
		if err := lease.CheckRedisURL(v.RedisURL, v.RedisTLS); err != nil {
			fault("REDIS_URL, REDIS_TLS", "%v", err)
		}
	}
	if c.RedisReplicas, err = strconv.Atoi(v.RedisReplica); err != nil || c.RedisReplicas < 0 || c.RedisReplicas > 16 {
		fault("REDIS_REPLICAS", "%q is no number from 0 to 16", v.RedisReplica)
	}
	if c.LeaseWindow, err = time.ParseDuration(v.LeaseWindow); err != nil || c.LeaseWindow < 2*time.Second || c.LeaseWindow > 10*time.Minute {
		fault("LEASE_WINDOW", "%q is no duration from 2s to 10m, such as 60s", v.LeaseWindow)
	}
	if len(v.Instance) > 200 {
		fault("INSTANCE", "has %d bytes: use 200 or fewer", len(v.Instance))
	}
	if c.Form, err = form(v.SecretKey); err != nil {
		fault("SECRET_KEY", "has %d bytes: use %d random ones or more, for instance of: openssl rand -hex 32", len(v.SecretKey), generator.MinSecret)
	}
	c.Ack = persist.Ack(v.RecordAck)
	switch c.Ack {
	case persist.AckMemory, persist.AckSpool, persist.AckFsync, persist.AckDatabase:
	default:
		fault("RECORD_ACK", "%q is unknown: use memory, spool, fsync or database", v.RecordAck)
	}
	if c.SpoolLimit, err = parseBytes(v.SpoolLimit); err != nil || c.SpoolLimit < 2*segmentSize {
		fault("SPOOL_LIMIT", "%q is no size of at least 128MiB, such as 4GiB", v.SpoolLimit)
	}
	if c.LeaseClaim, err = time.ParseDuration(v.LeaseClaim); err != nil || c.LeaseClaim < 10*time.Second || c.LeaseClaim > 24*time.Hour {
		fault("LEASE_CLAIM", "%q is no duration from 10s to 24h, such as 30m", v.LeaseClaim)
	}
	c.Layout = layout(v, fault)
	switch err := c.LogLevel.UnmarshalText([]byte(v.LogLevel)); {
	case err != nil || strings.ContainsAny(v.LogLevel, "+-"):
		fault("LOG_LEVEL", "%q is unknown: use debug, info, warn or error", v.LogLevel)
	}
	if c.LogFormat = v.LogFormat; c.LogFormat != "" && c.LogFormat != "json" && c.LogFormat != "text" {
		fault("LOG_FORMAT", "%q is unknown: use json or text", v.LogFormat)
	}
	if faults != nil {
		return Config{}, fmt.Errorf("the configuration is wrong in %d places:\n  %s\n%w", len(faults), strings.Join(faults, "\n  "), errUsage)
	}
	return c, nil
}

func form(secret string) (generator.Form, error) {
	if secret == "" {
		return generator.Form{}, nil
	}
	return generator.Opaque([]byte(secret))
}

// layout reads the three variables of the number space.
func layout(v variables, fault func(name, format string, args ...any)) generator.Layout {
	worker, workerErr := strconv.Atoi(v.WorkerBits)
	if workerErr != nil {
		fault("WORKER_BITS", "%q is no number", v.WorkerBits)
	}
	sequence, sequenceErr := strconv.Atoi(v.SequenceBits)
	if sequenceErr != nil {
		fault("SEQUENCE_BITS", "%q is no number", v.SequenceBits)
	}
	epoch, epochErr := time.Parse(time.RFC3339, v.NumberEpoch)
	if epochErr != nil {
		fault("NUMBER_EPOCH", "%q is no RFC 3339 time, such as 2026-01-01T00:00:00Z", v.NumberEpoch)
	} else if epoch.After(time.Now()) {
		fault("NUMBER_EPOCH", "%s is in the future: numbers cannot be issued before it", v.NumberEpoch)
	}
	if workerErr != nil { // so that the others are checked all the same
		worker = 10
	}
	if sequenceErr != nil {
		sequence = 12
	}
	if epochErr != nil {
		epoch = time.Unix(0, 0)
	}
	l, err := generator.NewLayout(worker, sequence, epoch)
	if err != nil {
		fault("WORKER_BITS, SEQUENCE_BITS, NUMBER_EPOCH", "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return l
}

// parseBytes reads a size such as 512MiB or 4GiB.
func parseBytes(s string) (int64, error) {
	unit := int64(1)
	for suffix, u := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40} {
		if number, ok := strings.CutSuffix(s, suffix); ok {
			s, unit = number, u
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > 1<<62/unit {
		return 0, fmt.Errorf("%q is no size", s)
	}
	return n * unit, nil
}

// variableTable lists every variable with its default and meaning.
func variableTable() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, field := range reflect.VisibleFields(reflect.TypeFor[variables]()) {
		name, initial, _ := strings.Cut(field.Tag.Get("env"), ",default=")
		if initial == "" {
			initial = "-"
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\n", name, initial, field.Tag.Get("help"))
	}
	_ = w.Flush() // a strings.Builder never fails
	return b.String()
}
