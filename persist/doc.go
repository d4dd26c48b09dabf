// Package persist keeps the promise that replied means recorded: every number
// that reached a caller is in the database exactly once, or in a spool that will
// get it there. The converse is allowed: a recorded number may never have
// reached its caller.
//
// # The path of a record
//
//	Append ──▶ spool (mapped file) ──▶ reply
//	              │
//	              ▼  Loader: batches, in order
//	           Store (SQLite or Postgres)
//
// The [Spool] is the queue; there is no second buffer beside it. A record is
// copied into a mapped file, so from that moment the kernel has it and kill -9
// cannot take it; [Options.Ack] says what else Append waits for. The spool is a
// folder of segments:
//
//	DATA_DIR/spool/<uuid>/lock               names the process that holds the folder
//	                     /00000001.segment   header, frame, frame, …, cut to size
//	                     /00000002.segment   header, frame, …, zeros up to 64 MiB
//
// A segment's space is reserved before it is used: a full disk is found out when
// the next segment is prepared, not in the middle of a record. Every frame has
// its sequence number and a check sum. After a crash what is torn at the end is
// cut off, and damage before whole frames is reported and stepped over.
//
// Each start begins a spool of its own, and adopts what others left behind
// ([Orphans]). A sequence number is therefore never used for a second record,
// not even when a power cut took the end of a file that the database has seen.
//
// # Exactly once
//
// The [Loader] stores a batch and moves its spool's progress row in one
// transaction, which requires the row to stand just before the batch. After a
// commit whose answer was lost it asks for the row: at the end of the batch, all
// is done; before it, nothing is. Nothing is ever skipped for being there
// already: an ID that is stored twice is a duplicate number, goes to
// issued_conflicts with both origins, and is an alarm.
package persist
