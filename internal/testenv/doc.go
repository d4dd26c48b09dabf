// Package testenv starts private Redis, Postgres, PgBouncer, HAProxy, Toxiproxy and waybill processes for tests, and
// hurts them.
//
// Every server listens on a loopback port of its own, keeps its files in a temporary folder of its own, and belongs to
// the test that started it: it is killed and its folder removed when that test ends. Nothing is installed and nothing
// that already runs on the machine is touched. A missing program fails the test (see [Need]); it never skips silently.
//
// Each server is a [Process], and the same verbs hurt each of them:
//
//	          Start                     Pause
//	stopped ─────────► running, ready ─────────► frozen
//	   ▲                 │   │     ▲                │
//	   ├──── Stop ───────┘   │     └──── Resume ────┤
//	   └──── Kill ───────────┴──────────────────────┘
//
// Some can be hurt in ways of their own: [RedisServer.StepClock] and [PostgresServer.StepClock] put the wall clock wrong,
// SaveFiles and RestoreFiles bring old data back, [RedisServer.Promote] makes a stale replica the primary, and a [Proxy]
// in front of any of them cuts, silences or delays its connections.
//
// The invariants that the rest of the package rests on:
//
//   - A process never outlives the test binary, however that binary dies: the kernel kills it (Linux, Pdeathsig).
//   - Kill and Pause reach the whole family. Postgres puts each backend in a session of its own, so signals to a
//     process group would miss them: the descendants are found by their parent's id.
//   - When Kill or Stop returns, no member of the family is left, so a Restart finds its port, files and shared memory
//     free. They wait for the end of the process and of its output too, which descendants inherit.
//   - When Pause returns, every thread of the family has stopped.
//   - A port stays reserved until the test ends, also while its server is down: see [FreePort].
//
// Start, Stop and Restart end the test when they fail, so they belong on its goroutine, one at a time. Kill, Pause,
// Resume, Signal, Wait and Output may be called from any goroutine.
package testenv
