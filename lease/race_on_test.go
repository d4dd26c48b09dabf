//go:build race

package lease

// fleetAtOnce is half a space: starting all of it takes two busy cores half a
// minute with the race detector.
const fleetAtOnce = 512
