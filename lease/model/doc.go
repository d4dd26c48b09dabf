// Package model holds the lease protocol as a Promela model.
package model
