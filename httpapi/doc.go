// Package httpapi is the service over HTTP: numbers out, records in, look-ups,
// health; and, for operators, the leases.
//
// All routes stand in api.go. A handler returns an error instead of writing
// one; a single function turns errors into RFC 9457 problems, and a single table
// says which error is which problem. A request goes straight down:
//
//	connection ─▶ a plain GET? ── for a number ─▶ parse ─▶ generator.Next ─▶ spool.Append ─▶ bytes
//	                  │       └── another route ─▶ router ─▶ handler ─▶ bytes
//	                  └ anything else, from its first byte ─▶ net/http ─▶ the same router
//
// (ADR 8). Issuing allocates nothing but the customer's name and slug. The query
// string is read in one pass over one buffer; it appears in no log and in no
// answer.
//
// Operators have routes of their own, on a listener of their own or, behind a
// token, on the public one. What they are told is not known here: functions in
// the configuration have it.
package httpapi
