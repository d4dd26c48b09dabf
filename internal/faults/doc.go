// Package faults breaks a fleet of waybill processes and all that they rest on, under load, and counts. It has tests
// only: everything is asked and seen from outside, of the program as it is shipped.
//
// A fleet is some instances with their Redis, their Postgres, or both. Clients ask each of them for numbers and keep
// every one with who gave it and when; beside them the lease is read from the operators' listener and from the log.
// Whatever a test breaks, the same is true at its end, and its own books say so, not the service's table:
//
//   - No number was given twice.
//   - The IDs that one client was given by one instance, one after the other, increase.
//   - Each stamp lies in a window that its instance had acquired for that worker.
//   - No stamp of a worker was used by two processes, nor one between two stamps of another's.
//
// What differs from test to test is how long nobody is served, and that follows from the rules of the lease: for nothing
// as long as a window lasts, and where Redis is the only lease and lost its memory, for the quarantine and no longer.
//
// Each test also sees to it that the fault happened and that numbers were given before and after. LONG=1, or the flag
// -long, makes the test of endurance last a minute.
package faults
