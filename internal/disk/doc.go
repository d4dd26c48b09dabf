// Package disk has the few file operations that leases and spools rest on:
// making and locking folders, replacing a file whole, and reserving and mapping
// a file's space. What MakeDir, Replace and SyncDir
// did is on the disk when they return.
package disk
