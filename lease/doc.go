// Package lease holds the right to issue: windows of the timestamp space,
// reserved ahead of their use.
//
// # The model
//
// An ID is time + worker + sequence, so two instances can only collide on the
// same worker at the same timestamp. A lease therefore does not grant a worker
// until some clock says otherwise. It grants a worker for a window of
// timestamps [from, until), and the generator never stamps outside it:
//
//	worker 5 ───────[ instance A ──────────)[ instance B ─────)──────▶ timestamps
//	worker 6 ───[ instance C ─────────────────────)──────────────────▶
//
// An [Authority] hands windows out and promises that those of one worker never
// overlap. It stores until before anybody uses a timestamp below it, so neither
// a crash, nor a pause, nor a clock that steps can bring a stamp back. Windows
// are stable facts: a late or repeated answer is harmless, because an end only
// grows, and only giving back what was not used ([Authority.Trim]) lowers it.
//
// With more than one authority an instance issues only inside the intersection
// of the windows that all of them granted: a duplicate then needs all of them to
// break their word at once.
//
// # The keeper
//
//	            acquired          refreshed, or lost and another worker acquired
//	starting ─────────────▶ live ◀─┐ (until then the old window runs on)
//	   │                     ▲ │ └─┘
//	   │ no worker free      │ │ Run's context ends
//	   ▼                     │ ▼
//	standby ─────────────────┘ draining ── Release ──▶ released
//
// A failed refresh changes nothing: the window runs on and its end is in the
// generator's arithmetic, so nothing has to notice in time. [Keeper.Run] only
// sleeps, asks and hands on; giving back happens in [Keeper.Release], after the
// generator was closed and has said what its last timestamp is.
//
// # The file authority
//
// [File] serves one instance on one machine without any server: a locked file,
// replaced atomically and synced before a window in it is used. A crash leaves
// its worker parked until its window has passed; the restart takes another
// worker and issues at once. A clock that went back across a restart finds the
// windows of its future still parked, and cannot enter them.
package lease
