//go:build !linux

package disk

import "os"

// Reserve gives f its size. Only Linux reserves the space too.
func Reserve(f *os.File, size int64) error { return f.Truncate(size) }
