package lease

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// go-redis returns what goes wrong and logs it too, in lines that are not JSON:
// once is enough.
func init() { redis.SetLogger(quiet{}) }

type quiet struct{}

// Printf discards a line.
func (quiet) Printf(context.Context, string, ...any) {}

// connect returns a client of a single server, of a cluster when the URL has
// addr parameters with more of its nodes (redis://a:6379?addr=b:6379), and of
// what Sentinels watch when it has a master_name
// (redis://sentinel-a:26379/0?master_name=main&addr=sentinel-b:26379), as
// go-redis defines these. An answer is waited for as long as timeout says.
func connect(address, tlsMode string, timeout time.Duration) (redis.UniversalClient, error) {
	u, err := url.Parse(address)
	if err != nil || strings.Contains(u.Host, ",") {
		return nil, errors.New("lease: redis: the URL cannot be read: use redis://[user:password@]host:port[/database], " +
			"with ?addr=host:port for each further node of a cluster or Sentinel")
	}
	secure, err := secured(u, tlsMode)
	if err != nil {
		return nil, err
	}
	const connections = 4 // refreshes, and operators who look
	switch q := u.Query(); {
	case q.Has("master_name"):
		o, err := redis.ParseFailoverURL(address)
		if err != nil {
			return nil, unreadable(err)
		}
		o.TLSConfig = secure
		o.ContextTimeoutEnabled, o.MaxRetries, o.PoolSize = true, 1, connections
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout = timeout, timeout, timeout
		return redis.NewFailoverClient(o), nil
	case q.Has("addr"):
		o, err := redis.ParseClusterURL(address)
		if err != nil {
			return nil, unreadable(err)
		}
		o.TLSConfig = secure
		o.ContextTimeoutEnabled, o.MaxRetries, o.PoolSize = true, 1, connections
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout = timeout, timeout, timeout
		o.ReadOnly, o.RouteByLatency, o.RouteRandomly = false, false, false // a replica's memory is old
		return redis.NewClusterClient(o), nil
	default:
		o, err := redis.ParseURL(address)
		if err != nil {
			return nil, unreadable(err)
		}
		o.TLSConfig = secure
		o.ContextTimeoutEnabled, o.MaxRetries, o.PoolSize = true, 1, connections
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout = timeout, timeout, timeout
		return redis.NewClient(o), nil
	}
}

// unreadable keeps a parser's error from showing the password in a URL.
func unreadable(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err
	}
	return fmt.Errorf("lease: redis: the URL cannot be used: %w", err)
}

// CheckRedisURL returns what is wrong with a URL and a TLS mode, without
// connecting and without showing the password.
func CheckRedisURL(address, tlsMode string) error {
	client, err := connect(address, tlsMode, time.Second)
	if err != nil {
		return err
	}
	return client.Close()
}

// secured is the TLS configuration of a mode; nil for redis://.
func secured(u *url.URL, mode string) (*tls.Config, error) {
	pin, pinned := strings.CutPrefix(mode, "pin:")
	key, err := hex.DecodeString(pin)
	switch {
	case mode != "" && mode != "verify" && mode != "insecure" && !pinned:
		return nil, errors.New(`lease: redis: the TLS mode is unknown: use verify, pin:<SHA-256 of the server's public key in hexadecimal>, or insecure`)
	case pinned && (err != nil || len(key) != sha256.Size):
		return nil, errors.New("lease: redis: the pin must be the SHA-256 of the server's public key (SubjectPublicKeyInfo), 64 hexadecimal digits")
	case u.Scheme != "rediss" && mode != "" && mode != "verify":
		return nil, errors.New("lease: redis: a TLS mode is given, but the URL is not rediss://")
	case u.Scheme != "rediss":
		return nil, nil
	case mode == "insecure":
		return &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}, nil //nolint:gosec // asked for in so many words
	case pinned:
		check := func(state tls.ConnectionState) error { return checkPin(state.PeerCertificates, key) }
		return &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, VerifyConnection: check}, nil //nolint:gosec // a stricter check: this one key
	}
	return &tls.Config{MinVersion: tls.VersionTLS12}, nil // each server is verified by the name it was dialled by
}

// checkPin compares the server's key (RFC 7469, section 2.4: of the
// SubjectPublicKeyInfo, which survives a renewed certificate).
func checkPin(chain []*x509.Certificate, key []byte) error {
	if len(chain) == 0 {
		return errors.New("the server has no certificate")
	}
	seen := sha256.Sum256(chain[0].RawSubjectPublicKeyInfo)
	if subtle.ConstantTimeCompare(seen[:], key) != 1 {
		return fmt.Errorf("the server's key is not the pinned one; its pin is pin:%x", seen)
	}
	return nil
}

// eval runs the script. Where a write is to be confirmed, the server that took
// it waits for its replicas, on the same connection, before the answer counts.
func (r *Redis) eval(ctx context.Context, confirm bool, keys []string, args []any) ([]any, error) {
	if replicas := r.space.Replicas; confirm && (replicas > 0 || r.aof) {
		return r.evalConfirmed(ctx, replicas, keys, args)
	}
	reply, err := r.client.Eval(ctx, grantScript, keys, args...).Slice()
	if err != nil {
		return nil, &StoreError{"redis", err}
	}
	return reply, nil
}

func (r *Redis) evalConfirmed(ctx context.Context, replicas int, keys []string, args []any) ([]any, error) {
	node, err := r.node(ctx, keys[0])
	if err != nil {
		return nil, &StoreError{"redis", err}
	}
	pipe := node.Pipeline()
	script := pipe.Eval(ctx, grantScript, keys, args...)
	limit := (r.timeout / 2).Milliseconds()
	copies := redis.NewIntCmd(ctx, "wait", replicas, limit)
	_ = pipe.Process(ctx, copies)
	var disks *redis.IntSliceCmd
	if r.aof {
		disks = redis.NewIntSliceCmd(ctx, "waitaof", 1, replicas, limit)
		_ = pipe.Process(ctx, disks)
	}
	_, err = pipe.Exec(ctx)
	if err != nil {
		return nil, &StoreError{"redis", err}
	}
	reply, err := script.Slice()
	if err != nil || len(reply) > 0 && reply[0] != "OK" {
		return reply, err // a refusal grants nothing: there is nothing to confirm
	}
	if n := copies.Val(); n < int64(replicas) {
		return nil, fmt.Errorf("lease: redis: %d of %d replicas confirmed the grant in time: it is not used", n, replicas)
	}
	if disks != nil && (len(disks.Val()) != 2 || disks.Val()[0] < 1 || disks.Val()[1] < int64(replicas)) {
		return nil, fmt.Errorf("lease: redis: the grant is on %v disks (here, of replicas) in time, not on 1 and %d: it is not used", disks.Val(), replicas)
	}
	return reply, nil
}

// node is the server that has the keys: WAIT is a connection's affair.
func (r *Redis) node(ctx context.Context, key string) (*redis.Client, error) {
	if cluster, ok := r.client.(*redis.ClusterClient); ok {
		return cluster.MasterForKey(ctx, key)
	}
	return r.client.(*redis.Client), nil
}
