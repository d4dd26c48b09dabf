// Package generator makes tracking numbers in memory: 63-bit IDs that never
// repeat, and their printed form with a check character.
//
// # The ID
//
// An ID is a positive 63-bit integer, most significant bits first:
//
//	 62                    22 21        12 11         0
//	+------------------------+------------+------------+
//	| time: ms since epoch   | worker     | sequence   |
//	+------------------------+------------+------------+
//	  41 bits (69.7 years)     10 bits      12 bits       (the default Layout)
//
// Two generators can only collide on the same worker at the same time, so the
// right to issue is a [Window]: one worker, and a half-open span of timestamps
// that was reserved for it before any of them is used. Who reserves windows
// and how is package lease's business; a Generator never stamps outside the
// one it was given, whatever the clock does.
//
// # The state
//
// The last ID issued is one 64-bit word, moved by an addition within a
// millisecond, and by a compare-and-swap when the clock has moved on (ADR 2):
//
//	last = time<<sequenceBits | sequence
//
//	next = max(last+1, now<<sequenceBits | offset(now))
//
//	            Use(window)                    Close, or Use of another window
//	  no window ──────────────▶ issuing ────────────────────────────▶ closed
//	                           │   ▲                              (last = 1<<63)
//	      next ≥ until         │   │ Use(same window, later until)
//	                           ▼   │
//	                          spent (ErrWindowSpent)
//
// The end of the window is in the comparison, so there is no flag for a
// background loop to set too late. A clock that steps back only stops
// max(last+1, …) from following it. A burst of more than one millisecond's
// worth of sequence numbers takes the following milliseconds of the window, up
// to one second ahead of now, and only then waits, under the caller's context.
// A millisecond that the clock reaches starts at a small offset hashed from
// it, so that slow traffic does not produce IDs that all end in zeros and land
// on one shard; a burst wastes
// nothing but one number each time there is no room.
//
// # The number
//
//	038QBTZSC0M15 MY 9
//	└── ID, 13 ──┘└┘ └ check character, ISO 7064 MOD 37,36 over the first 15
//	               └ origin country, ISO 3166-1 alpha-2
//
// The ID is written in Crockford base 32, fixed width, so that text order is
// issue order; or, with a secret key, permuted by FF1 (NIST SP 800-38G) so that
// nothing can be read from it or guessed. See [Form].
//
// The package uses the standard library only, and the issue path does not
// allocate.
package generator
