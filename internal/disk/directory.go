package disk

import (
	"os"
	"path/filepath"
)

// MakeDir makes dir and the folders above it that are missing, for this user
// alone, and puts their names on the disk.
func MakeDir(dir string) error {
	dir = filepath.Clean(dir)
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if err := MakeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
		return err
	}
	return SyncDir(parent)
}
