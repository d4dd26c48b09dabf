package main

import (
	"math/rand"
	"time"

	"github.com/bwmarrin/snowflake"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	"github.com/rs/xid"
	"github.com/segmentio/ksuid"
	"github.com/sony/sonyflake"
)

// peerMakers are the libraries that one would take instead. What their layouts
// cap is said in README.md.
func peerMakers() []maker {
	return []maker{
		{"bwmarrin/snowflake", "by ms; cap 4,096/ms = 244 ns", 1024, 0, newSnowflake(10, 12)},
		{"bwmarrin/snowflake, no cap", "by ms; no worker, 22 bits of sequence", 1024, 0, newSnowflake(0, 22)},
		{"sony/sonyflake", "by 10 ms; cap 256 per 10 ms = 39,062 ns", 256, 0, newSonyflake},
		{"rs/xid", "by s; repeats beyond 2^24/s = 59.6 ns", 1024, 0, stateless(func() error { _ = xid.New(); return nil })},
		{"oklog/ulid Make", "by ms, then as issued; no cap", 1024, 0, stateless(func() error { _ = ulid.Make(); return nil })},
		{"oklog/ulid, locked monotonic", "by ms, then as issued; no cap", 1024, 0, newULID},
		{"google/uuid v7", "by 1/4 µs; no cap", 1024, 0, stateless(func() error { _, err := uuid.NewV7(); return err })},
		{"google/uuid v4", "unordered; no cap", 1024, 0, stateless(func() error { _, err := uuid.NewRandom(); return err })},
		{"segmentio/ksuid", "by s; no cap", 1024, 0, stateless(func() error { _, err := ksuid.NewRandom(); return err })},
	}
}

// stateless repeats what is the same for all goroutines.
func stateless(one func() error) func() (func() loop, error) {
	return func() (func() loop, error) { return func() loop { return repeat(one) }, nil }
}

func repeat(one func() error) loop {
	return func(n int) error {
		for range n {
			if err := one(); err != nil {
				return err
			}
		}
		return nil
	}
}

// newSnowflake makes nodes of a layout, which is in globals of the library.
// NewNode copies them, so they are as shipped again when the node is used.
func newSnowflake(nodeBits, stepBits uint8) func() (func() loop, error) {
	return func() (func() loop, error) {
		defer func(node, step uint8) { snowflake.NodeBits, snowflake.StepBits = node, step }(snowflake.NodeBits, snowflake.StepBits)
		snowflake.NodeBits, snowflake.StepBits = nodeBits, stepBits
		node, err := snowflake.NewNode(0)
		return func() loop { return repeat(func() error { _ = node.Generate(); return nil }) }, err
	}
}

// newSonyflake makes one at the beginning of a tick: it has 256 IDs at once
// where the measured time begins, and that would count double in a short window.
func newSonyflake() (func() loop, error) {
	flake, err := sonyflake.New(sonyflake.Settings{MachineID: func() (uint16, error) { return 1, nil }})
	if err != nil {
		return nil, err
	}
	draw := repeat(func() error { _, err := flake.NextID(); return err })
	return func() loop { return draw }, draw(2 * 256)
}

// newULID is the monotonic reader as its documentation shows it, with a lock.
func newULID() (func() loop, error) {
	entropy := &ulid.LockedMonotonicReader{MonotonicReader: ulid.Monotonic(rand.New(rand.NewSource(time.Now().UnixNano())), 0)}
	return func() loop {
		return repeat(func() error { _, err := ulid.New(ulid.Now(), entropy); return err })
	}, nil
}
