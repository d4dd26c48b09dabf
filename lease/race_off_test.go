//go:build !race

package lease

// fleetAtOnce is as many instances as a space has workers.
const fleetAtOnce = 1024
