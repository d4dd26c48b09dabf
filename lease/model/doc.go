// Package model shows, by searching all that can happen within small bounds, that the rules of the lease protocol keep one
// promise together, and that none of them can be left out: no timestamp of a worker is ever used by two tokens.
//
// lease.pml is the model, in Promela. The tests have spin turn it into a verifier for each variant, and run that:
//
//	go test ./lease/model    every rule removed once, and three searches with all rules
//	make model               everything below; minutes, at most 3 GB
//
// # The shape
//
//	instances ──── lock, ask, trim ────▶ Redis node 0 ──replicates──▶ node 1      a dump on disk
//	   │  ▲                                 one of them is the primary, or both believe it
//	   │  └── answers: late, lost, repeated
//	   └───────── claim, trim ─────────▶ Postgres: one row
//
// All instances want the same worker, which is the worst case. A fault process flushes the primary, fails over to a replica
// of any age, leaves the old primary serving, restarts the primary with an old dump, moves its clock, rolls Postgres back by
// a write, and copies an instance. Crashes, pauses and lost or late answers are always on. A lock may expire at any moment, so
// what is shown holds for every TTL.
//
// Issuing is not a step. What becomes usable is booked at once for its token, as some clock might stamp it now, and another
// might after any pause; a second booking is the duplicate. Closing a generator may happen at any last stamp. This loses no
// behaviour and saves nearly all states.
//
// # What is asserted
//
//	I1_duplicate              a timestamp is booked twice (all variants)
//	I3_redis_overlap          Redis granted a timestamp to two tokens (where it has not lost memory, or waits it out)
//	I3_postgres_overlap       Postgres did (where it has not lost memory)
//	I4_false_clone_alarm      a token is called a clone and is none
//	I7_trimmed_below_a_stamp  a window was given back that its generator may still stamp in
//
// A clone cannot be prevented. What is shown of it: only timestamps below the end of what was granted, or asked for, before
// the copying can be duplicates; a timestamp above belongs to one copy and to nobody else, with a flush or a fail-over too.
// Nobody is called a clone that is none. By construction, and not asserted: the copy that asks second is refused and the
// record marked, so that the other one is refused as well. A copy that never asks is not noticed, and ends with its window.
//
// # Rule 4, as it has to be
//
// A request carries the next number, a nonce that was drawn for it once, and the nonce of the last answered request.
//
//   - The nonce stays with its number until the request is answered, however often it is sent. A new nonce for each sending
//     would make a lost answer look like a clone.
//   - A trim is such a request too. Otherwise a copy that stops gives back what the other one was granted since.
//     It comes last: with a request unanswered, the window is orphaned.
//   - Redis is trimmed first, and Postgres only if Redis agreed. Otherwise a copy and a flush make a duplicate.
//   - The last nonce is compared. Otherwise, after a fail-over, one copy takes the record that the other one has just made
//     for its own, as the numbers agree, and extends over it.
//   - A record that is behind the request is a store that lost memory: refused, without an alarm. One that is ahead, or
//     has another nonce, is a clone.
//
// # Bounds and results
//
// Time unit: a Redis window has length 2, a claim 3. Unless the table says otherwise: two instances, three acquisitions, six
// instants of which the last one only ends it, perfect clocks. "Unique" is exhaustive for its bounds, and says nothing beyond; a
// duplicate is a proof that the rule is needed. The number before a variant is that of the rule of which a part was removed;
// an asterisk means that only make model searches it. The seconds, with the compilation, are those of one of two cores of a
// busy machine, where all of it took 316, and the tests without -full 28.
//
//	variant                             bounds and faults                                       found       states   secs
//	redis                               TMAX=5                                                  unique      55 333    1.2
//	redis, flush                        TMAX=5 FLUSHES=1                                        unique     227 395    1.5
//	redis, longer                       TMAX=9 TOKENS=4                                         unique   4 235 787   13.6 *
//	redis, three instances              N=3 FLUSHES=1                                           unique     630 791    5.2 *
//	redis, flushes                      TMAX=7 FLUSHES=2                                        unique   1 690 902    6.8 *
//	redis, old dump                     TMAX=5 RESTARTS=1                                       unique   1 660 090    7.0 *
//	redis, fail-over, skew              FAILOVERS=1 CLAMP=1 OFFSET0=1 OFFSET1=-1                unique     864 416    6.6 *
//	redis, fail-over and back           TMAX=5 FAILOVERS=2                                      unique   1 836 238    8.8 *
//	redis, split brain                  TMAX=5 FAILOVERS=1 SPLIT                                unique   2 854 450   16.0 *
//	redis, clock back, flush            TMAX=7 FLUSHES=1 CLAMP=1 OFFSET0=1 JUMP=-1              unique   2 333 663   12.9 *
//	redis, clock far off, flush         FLUSHES=1 JUMP=-2                                       unique     827 061    5.1 *
//	redis, clone                        TMAX=5 CLONES=1                                         unique   2 889 042   10.9 *
//	redis, clone, fail-over             TMAX=5 TOKENS=2 CLONES=1 FAILOVERS=1                    unique   3 478 874   17.7 *
//	redis, clone, flush                 TMAX=5 TOKENS=2 CLONES=1 FLUSHES=1                      unique   1 449 423   11.7 *
//	redis+postgres                      TMAX=4 TOKENS=2                                         unique      34 845    1.5
//	redis+postgres, flush               TMAX=5 FLUSHES=1                                        unique   3 762 930   19.0 *
//	redis+postgres, old row             TMAX=5 ROLLBACKS=1                                      unique   5 159 807   24.6 *
//	redis+postgres, flush, fail-over    TMAX=4 TOKENS=2 FLUSHES=1 FAILOVERS=1                   unique   3 161 399   11.1 *
//	redis+postgres, split brain         TMAX=4 TOKENS=2 FAILOVERS=1 SPLIT                       unique  10 816 795   35.9 *
//	redis+postgres, split brain, flush  TMAX=3 TOKENS=2 FLUSHES=1 FAILOVERS=1 SPLIT             unique   6 642 633   33.2 *
//	redis+postgres, clone, flush        TMAX=3 TOKENS=2 CLONES=1 FLUSHES=1                      unique   2 205 918   14.8 *
//	redis+postgres, clone               TMAX=4 TOKENS=2 CLONES=1                                unique   3 354 735   18.3 *
//	1 extend by anybody                                                                         I1           5 909    1.3
//	1 trim by anybody                                                                           I1           1 167    1.2
//	2 two steps                                                                                 I1             786    1.1
//	2 clocks of the callers             FLUSHES=1 TMAX=7                                        I1             423    1.1
//	3 start now                                                                                 I1              72    1.2
//	3 an end goes back                  CLAMP=1 JUMP=-1                                         I1           3 767    1.1
//	3 a window object reused                                                                    I1             749    1.4
//	4 no number                         CLONES=1                                                I1          11 731    1.3
//	4 no nonce                          CLONES=1                                                I1             860    1.5
//	4 the last nonce not compared       TMAX=5 TOKENS=2 CLONES=1 FAILOVERS=1                    I1         104 046    1.9
//	4 a trim without number             CLONES=1                                                I1          23 514    1.4
//	4 Postgres trimmed all the same     POSTGRES=1 TMAX=3 TOKENS=2 CLONES=1 FLUSHES=1           I1         165 921    1.7
//	4 a stale record is a clone         POSTGRES=1 FAILOVERS=1 SPLIT                            I4          45 952    1.5
//	5 no incarnation                    FLUSHES=1                                               I1             508    1.2
//	5 a lost hash only                  RESTARTS=1                                              I1           1 372    1.1
//	5 records stay valid                RESTARTS=1 TOKENS=2                                     I1          48 385    1.5
//	6 no quarantine                     FLUSHES=1                                               I1             550    1.3
//	6 a future window, no wait          FLUSHES=2                                               I1           1 782    1.8
//	6 eps is the clamp, not twice       EPS=1 CLAMP=1 OFFSET0=1 JUMP=-1 FLUSHES=1               I1         114 592    0.9
//	6 a longer window                   FLUSHES=1                                               I1          32 389    0.7
//	6 an end beyond now + L             FLUSHES=1                                               I1          34 666    0.7
//	7 unconfirmed, split brain          FAILOVERS=1 SPLIT                                       I1         211 734    1.1
//	7 unconfirmed, fail-over and back   FAILOVERS=2                                             I1           4 526    0.6
//	8 any clock                         FLUSHES=1 JUMP=-2                                       I1          40 708    0.7
//	9 trimmed before it is closed                                                               I1              72    0.6
//	9 the invariant                                                                             I7              60    0.6
//	10 quarantine for some (G1)         FLUSHES=1                                               I1           1 030    0.6
//	10 another authority (G2)                                                                   I1             118    0.6
//	both stores forget                  POSTGRES=1 FLUSHES=1 ROLLBACKS=1                        I1           8 328    0.6
//
// # What is not modelled
//
// Rule 10 compares layouts when an instance starts. Its timing is here as three mixtures: quarantine for some (G1), an authority
// for some (G2), a longer window for some (rule 6). Different bits or epochs are arithmetic, which tests show better. Rule 11
// (numbers in Lua) and rule 12 (anchoring the clock after a suspend) concern the code and the freshness of stamps: any clock is
// allowed here already. The file authority, several workers, an instance that holds two of them, and liveness are not here.
// Instances' own clocks are taken to be right where rule 8 compares with them: their error adds to the clamp, twice.
package model
