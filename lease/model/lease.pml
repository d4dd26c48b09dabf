/*
The lease protocol for one worker: can a timestamp ever belong to two tokens?

Read in this order: bounds, stores, instances, rules, invariants; then what is done: the script, the claim, the instance,
the faults.

Time is an integer, `now`; windows and clocks count in the same unit. All that happens is one atomic step of somebody.
Between two steps anything else may happen, so a pause, a late answer and a lost answer need no code of their own.

Issuing is not a step. An instance with a usable window may stamp any timestamp of it at once, or never, or long after:
any clock, any pause. So the moment a timestamp becomes usable it is booked for the instance, in `booked`, and a timestamp
that is booked already is a duplicate that some clock would have made. Unused timestamps come back in one way: the generator
is closed, at any last stamp, and the rest is trimmed.

Every rule can be removed alone (-DNO_RULE...), and every fault has to be asked for.
*/

/* ---- Bounds ---------------------------------------------------------------------------------------------------------- */

#ifndef N
#define N 2             /* instances, all after the same worker */
#endif
#ifndef TOKENS
#define TOKENS 3        /* acquisitions in all */
#endif
#ifndef TMAX
#define TMAX 6          /* the model ends here */
#endif
#ifndef L
#define L 2             /* length of a Redis window */
#endif
#ifndef P
#define P 3             /* length of a Postgres claim */
#endif

/* Redis node n shows now + an offset. Node 0 may change its offset once, to JUMP. */
#ifndef OFFSET0
#define OFFSET0 0
#endif
#ifndef OFFSET1
#define OFFSET1 0
#endif
#ifndef CLAMP
#define CLAMP 0         /* the largest offset that the script accepts */
#endif
#ifndef EPS
#define EPS (2*CLAMP)   /* one clock may have been CLAMP ahead, the next may be CLAMP behind */
#endif

/* How often each fault may happen. With SPLIT, a fail-over leaves the old primary serving. */
#ifndef FLUSHES
#define FLUSHES 0
#endif
#ifndef FAILOVERS
#define FAILOVERS 0
#endif
#ifndef RESTARTS
#define RESTARTS 0      /* of the primary, with an old dump: 0 or 1 */
#endif
#ifndef ROLLBACKS
#define ROLLBACKS 0     /* of Postgres, by its last write */
#endif
#ifndef POSTGRES
#define POSTGRES 0      /* 1: the space is redis+postgres, 0: redis */
#endif
#ifndef CLONES
#define CLONES 0        /* 0 or 1 */
#endif

#define MAX(a,b) ((a) > (b) -> (a) : (b))
#define MIN(a,b) ((a) < (b) -> (a) : (b))
#define BITS(a,b) ((b) > (a) -> ((1<<(b)) - (1<<(a))) : 0)      /* the timestamps [a,b) as a set */

/* ---- Stores ---------------------------------------------------------------------------------------------------------- */

typedef Memory {        /* what a Redis node remembers of the worker */
  byte lock;            /* whose; 0: nobody's. It may expire at any moment: see obtain */
  byte writer;           /* run id of the server that wrote the hash; 0: there is no hash */
  byte mark;            /* the quarantine's end */
  byte token;           /* the record: whose; 0: void */
  byte from, until;     /* its window, which is also the stored answer */
  byte number, nonce    /* its last request */
};
#define DUMP 2
Memory mem[3];          /* node 0, node 1, and what the disk has */
byte runId[2];            /* each node's run id */
bit primary;            /* the other node is its replica */
bit split;              /* ... or believes that it is still the primary */
bit jumped;             /* the clock of node 0 */

typedef Row { byte token, from, until };
Row pg, pgOld;          /* Postgres' row of the worker, and the one before */

byte now;
#define BIAS 2          /* keeps clocks positive */
#ifdef JUMP
#define OFFSET(n) ((n) == 1 -> OFFSET1 : (jumped -> JUMP : OFFSET0))
#else
#define OFFSET(n) ((n) == 1 -> OFFSET1 : OFFSET0)
#endif
#define CLOCK(n) (now + BIAS + OFFSET(n))

/* ---- Instances ------------------------------------------------------------------------------------------------------- */

byte drawn;             /* tokens, so far */
typedef Instance {
  byte token;           /* 0: none */
  byte number;          /* of the last request that was answered */
  byte last;            /* its nonce */
  byte nonce;           /* of the open request; 0: none is open */
  byte from;            /* where the window starts in which it issues */
  byte next;            /* all below is booked, or not usable */
  byte redisUntil, pgUntil;
  byte gotFrom, gotUntil; bit confirmed;        /* the answer on its way (until 0: none); the replica has it too */
  bit node                                      /* the node it talks to, in a split brain */
};
Instance in[N];

bit cloned; byte copy;  /* in[copy] came to life as a copy of another instance */

/* A nonce is only compared with others of one token and number, so it is enough to know who drew it, and when. */
#define DRAW(i) (!cloned -> 1 : (copy == (i) -> 2 : 3))

#ifdef SPLIT
#define NODE(i) (split -> in[i].node : primary)
#else
#define NODE(i) primary
#endif

/* The space: redis, or redis+postgres. A mixture is what rule 10 forbids. */
#if defined(NO_RULE10_QUARANTINE) || defined(NO_RULE10_AUTHORITY)
#define CLAIMS(i) ((i) == 0)
#elif POSTGRES
#define CLAIMS(i) true
#else
#define CLAIMS(i) false
#endif

/* ---- Rules, and what stands in their place when they are removed ------------------------------------------------------ */

/* 1. Every request is compared with the token. */
#ifdef NO_RULE1_EXTEND
#define HOLDS_LOCK(i,k) true
#define HAS_RECORD(i,k) (mem[k].token != 0 && in[i].number != 0)
#else
#define HOLDS_LOCK(i,k) (mem[k].lock == in[i].token)
#define HAS_RECORD(i,k) (mem[k].token == in[i].token)
#endif
#ifdef NO_RULE1_TRIM
#define MAY_TRIM(tok,i) true
#else
#define MAY_TRIM(tok,i) ((tok) == in[i].token)
#endif

/* 2. Judging and writing are one step (see Runner), by the server's clock. */
#ifdef NO_RULE2_TIME
#define TIME(k,i) (CLOCK(k) + 2*(i))
#else
#define TIME(k,i) CLOCK(k)
#endif

/* 3. A new holder starts where the last one ends, an end never goes back, and an answer is for one token (see forget). */
#ifdef NO_RULE3_START
#define START(k) clk
#else
#define START(k) MAX(clk, mem[k].until)
#endif
#ifdef NO_RULE3_GROW
#define GROW(k,i) (clk + LENGTH(i))
#else
#define GROW(k,i) MAX(mem[k].until, clk + LENGTH(i))
#endif

/* 4. A request has the next number, a nonce that was drawn for it once, and the nonce of the last answered one. A record that
   is behind it is a store's loss: refused. One that is ahead, or has another nonce, is a copy's doing. */
#ifdef NO_RULE4
#define IS_REPLAY(k,i) false
#define IS_NEXT(k,i) true
#define IS_BEHIND(k,i) false
#else
#ifdef NO_RULE4_NONCE
#define IS_REPLAY(k,i) (mem[k].number == in[i].number + 1)
#else
#define IS_REPLAY(k,i) (mem[k].number == in[i].number + 1 && mem[k].nonce == in[i].nonce)
#endif
#ifdef NO_RULE4_CHAIN
#define IS_NEXT(k,i) (mem[k].number == in[i].number)
#else
#define IS_NEXT(k,i) (mem[k].number == in[i].number && mem[k].nonce == in[i].last)
#endif
#ifdef NO_RULE4_STALE
#define IS_BEHIND(k,i) false
#else
#define IS_BEHIND(k,i) (mem[k].number < in[i].number)
#endif
#endif
#ifdef NO_RULE4_REFUSAL
#define TRIM_POSTGRES true
#else
#define TRIM_POSTGRES (verdict != REFUSED)      /* which has no numbers of its own */
#endif
#define CLONE 255       /* instead of a record's number: nobody's next */

/* 5. A hash that another incarnation wrote, or none, means that memory may be lost: all records are void. */
#if defined(NO_RULE5)
#define FORGETFUL(k) false
#elif defined(NO_RULE5_RUN)
#define FORGETFUL(k) (mem[k].writer == 0)
#else
#define FORGETFUL(k) (mem[k].writer != runId[k])
#endif

/* 6. Then nobody is granted anything before every lost window has passed. */
#if defined(NO_RULE6) || defined(NO_RULE6_WAIT)
#define QUARANTINED(k,i) false
#else
#define QUARANTINED(k,i) (!CLAIMS(i) && clk < mem[k].mark)
#endif
#ifdef NO_RULE6_LENGTH
#define LENGTH(i) ((i) == 0 -> L+2 : L)
#else
#define LENGTH(i) L
#endif
#ifdef NO_RULE6_CAP
#define END(i) (lo + LENGTH(i))
#else
#define END(i) (clk + LENGTH(i))
#endif

/* 7. A grant is used only when the replica has it. */
#ifdef NO_RULE7
#define USABLE(i) true
#else
#define USABLE(i) (in[i].confirmed || CLAIMS(i))
#endif

/* 8. No grant by a clock that differs too much from the caller's. */
#ifdef NO_RULE8
#define SKEWED(k) false
#else
#define SKEWED(k) (OFFSET(k) > CLAMP || OFFSET(k) < -CLAMP)
#endif

/* 9. A generator is closed before its last stamp is read: see giveBack. */

/* 10. One kind of space for all. */
#ifdef NO_RULE10_AUTHORITY
#define ASKS_REDIS(i) ((i) == 1)
#else
#define ASKS_REDIS(i) true
#endif

/* Instances without a token are alike where all play the same part: the first of them moves, the others would do the same. */
#if defined(NO_RULE2_TIME) || defined(NO_RULE6_LENGTH) || defined(NO_RULE10_QUARANTINE) || defined(NO_RULE10_AUTHORITY)
#define IDLE(i) (in[i].token == 0)
#elif N == 2
#define IDLE(i) (in[i].token == 0 && ((i) == 0 || in[0].token != 0))
#else
#define IDLE(i) (in[i].token == 0 && ((i) == 0 || (in[0].token != 0 && ((i) == 1 || in[1].token != 0))))
#endif

/* ---- Invariants ------------------------------------------------------------------------------------------------------ */

int booked;             /* timestamps that are somebody's */
byte shared;            /* a clone shares what was granted or asked for when it was made: all of it is below */
bit I1_duplicate, I3_redis_overlap, I3_postgres_overlap, I4_false_clone_alarm, I7_trimmed_below_a_stamp;
#ifdef CHECK_I3_REDIS
int grantedByRedis;
#endif
#ifdef CHECK_I3_POSTGRES
int grantedByPostgres;
#endif

hidden byte here, clk, lo, hi, cut;      /* scratch of one step */
hidden byte verdict, new;

inline book(i) {        /* what lies in every window that the instance holds is its own from now on */
  lo = in[i].next;
  hi = MIN((ASKS_REDIS(i) -> in[i].redisUntil : 255), (CLAIMS(i) -> in[i].pgUntil : 255));
  if
  :: lo < hi ->
     I1_duplicate = ((booked & BITS(lo,hi) & ~BITS(0,shared)) != 0);
     assert(!I1_duplicate);
     booked = booked | BITS(lo,hi);
     in[i].next = hi
  :: else
  fi
}

inline forget(i) {      /* its stamps stay booked, for good */
  in[i].token = 0; in[i].number = 0; in[i].last = 0; in[i].nonce = 0; in[i].from = 0; in[i].next = 0;
  in[i].redisUntil = 0; in[i].pgUntil = 0; in[i].node = 0;
#ifndef NO_RULE3_OBJECT
  drop(i)
#endif
}

inline drop(i) { in[i].gotFrom = 0; in[i].gotUntil = 0; in[i].confirmed = 0 }

/* ---- The script of a Redis node k ------------------------------------------------------------------------------------- */

inline notice(k,i) {
  if
  :: FORGETFUL(k) ->
     mem[k].writer = runId[k];
#if !POSTGRES            /* there nobody waits for it */
     mem[k].mark = MAX(mem[k].mark, TIME(k,i) + L + EPS);
#endif
#ifndef NO_RULE5_VOID
     mem[k].token = 0; mem[k].number = 0; mem[k].nonce = 0
#endif
  :: else
  fi
}

inline alarm(k,i) {
#ifdef CHECK_I4
  I4_false_clone_alarm = !cloned;
  assert(!I4_false_clone_alarm);
#endif
  mem[k].number = CLONE; mem[k].nonce = 0       /* the other copy is to hear of it too */
}

#define REFUSED 0
#define REPLAYED 1
#define EXTENDED 2
#define GRANTED 3

inline judge(i) {
  here = NODE(i); clk = TIME(here,i); verdict = REFUSED;
  if
  :: SKEWED(here)
  :: else ->
     notice(here,i);
     if
     :: !HOLDS_LOCK(i,here) || QUARANTINED(here,i)
     :: else ->
        if
        :: !HAS_RECORD(i,here) -> verdict = GRANTED
        :: else ->
           if
           :: IS_REPLAY(here,i) -> verdict = REPLAYED
           :: else ->
              if
              :: IS_NEXT(here,i) -> verdict = EXTENDED
              :: else ->
                 if
                 :: IS_BEHIND(here,i)
                 :: else -> alarm(here,i)
                 fi
              fi
           fi
        fi
     fi
  fi
}

inline answer(i) {      /* after judge: writes, and sends the answer on its way */
  here = NODE(i); clk = TIME(here,i);
  lo = 0; hi = 0;
  if
  :: verdict == REFUSED
  :: verdict == REPLAYED -> lo = mem[here].from; hi = mem[here].until
  :: verdict == EXTENDED -> lo = mem[here].from; hi = GROW(here,i)
  :: verdict == GRANTED -> lo = START(here); hi = END(i);
#ifdef NO_RULE6_WAIT
     if
     :: clk < mem[here].mark -> lo = MAX(START(here), mem[here].mark); hi = lo + LENGTH(i)
     :: else
     fi
#endif
  fi;
  if
  :: hi > lo && (verdict == REPLAYED || hi != mem[here].until) ->     /* BUSY, or nothing new: as if not asked */
#ifdef CHECK_I3_REDIS
     if
     :: verdict == GRANTED -> cut = lo
     :: else -> cut = mem[here].until
     fi;
     if
     :: verdict != REPLAYED ->
        I3_redis_overlap = ((grantedByRedis & BITS(cut,hi)) != 0);
        assert(!I3_redis_overlap);
        grantedByRedis = grantedByRedis | BITS(cut,hi)
     :: else
     fi;
#endif
     mem[here].token = in[i].token; mem[here].from = lo; mem[here].until = hi;
     mem[here].number = in[i].number + 1; mem[here].nonce = in[i].nonce;
     in[i].gotFrom = lo; in[i].gotUntil = hi; in[i].confirmed = 0
#if CLONES              /* an open request that never arrived: only a copy could tell it from none */
  :: else
#else
  :: else -> in[i].nonce = (new -> 0 : in[i].nonce)
#endif
  fi
}

inline disconnect(i) {  /* an answer that waits for the replica is lost with the connection */
  if
  :: !USABLE(i) -> drop(i)
  :: else
  fi
}

/* ---- What an instance does -------------------------------------------------------------------------------------------- */

inline obtain(i) {      /* takes the lock with a new token: any lock may just have expired, so nothing rests on its TTL */
  drawn++;
  in[i].token = drawn;
#ifdef SPLIT
  if
  :: split -> in[i].node = 1 - primary
  :: in[i].node = primary
  fi;
#endif
  here = NODE(i);
  mem[here].lock = in[i].token
}

inline open(i) {        /* a request keeps its number and nonce until it is answered */
  new = (in[i].nonce == 0);
  if
  :: new -> in[i].nonce = DRAW(i)
  :: else
  fi
}

inline receive(i) {     /* an answer to the open request */
  if
  :: cloned && in[i].nonce == 1 -> shared = MAX(shared, in[i].gotUntil)         /* asked for before the cloning */
  :: else
  fi;
  in[i].number++; in[i].last = in[i].nonce; in[i].nonce = 0;
  if
  :: in[i].redisUntil == 0 || in[i].gotFrom > in[i].from ->                     /* a window of its own */
     in[i].from = in[i].gotFrom; in[i].next = MAX(in[i].next, in[i].gotFrom)
  :: else
  fi;
  in[i].redisUntil = MAX(in[i].redisUntil, in[i].gotUntil);
  drop(i);
  book(i)
}

inline claim(i) {       /* Postgres' one statement; cut is the floor, where the Redis window starts */
  clk = now + BIAS;
  cut = (ASKS_REDIS(i) -> in[i].from : clk);
  if
  :: pg.token == in[i].token -> lo = pg.from; hi = MAX(pg.until, clk + P)
  :: pg.token != in[i].token && pg.until <= MAX(cut, clk) -> lo = MAX(MAX(pg.until, cut), clk); hi = lo + P
  :: else -> lo = 0; hi = 0
  fi;
  if
  :: hi != 0 && (pg.token != in[i].token || hi != pg.until) ->
#ifdef CHECK_I3_POSTGRES
     I3_postgres_overlap = ((grantedByPostgres & BITS((pg.token == in[i].token -> pg.until : lo), hi)) != 0);
     assert(!I3_postgres_overlap);
     grantedByPostgres = grantedByPostgres | BITS((pg.token == in[i].token -> pg.until : lo), hi);
#endif
#if ROLLBACKS
     pgOld.token = pg.token; pgOld.from = pg.from; pgOld.until = pg.until;
#endif
     pg.token = in[i].token; pg.from = lo; pg.until = hi
  :: else
  fi;
  if
  :: hi != 0 ->          /* answered */
     in[i].from = MAX(in[i].from, lo); in[i].next = MAX(in[i].next, lo);
     in[i].pgUntil = MAX(in[i].pgUntil, hi);
     book(i)
  :: true               /* lost, or refused */
  fi
}

inline giveBack(i) {    /* from cut on, one above the last stamp; Redis decides, then Postgres follows */
  cut = in[i].from;
  do
  :: cut < in[i].next -> cut++
  :: break
  od;
#ifndef NO_RULE9        /* closed before cut was read: nothing is stamped from there on */
  booked = booked & ~BITS(cut, in[i].next);
#endif
  here = NODE(i);
  verdict = EXTENDED;
  if
  :: !MAY_TRIM(mem[here].token, i) -> verdict = REFUSED
  :: else ->
     if
#ifndef NO_RULE4_TRIM
     :: !IS_NEXT(here,i) ->
        verdict = REFUSED;
        if
        :: IS_BEHIND(here,i)
        :: else -> alarm(here,i)
        fi
#endif
     :: else ->
#ifdef CHECK_I3_REDIS
        grantedByRedis = grantedByRedis & ~BITS(cut, mem[here].until);
#endif
        mem[here].until = cut; mem[here].token = 0; mem[here].number = 0; mem[here].nonce = 0;
        if
        :: MAY_TRIM(mem[here].lock, i) -> mem[here].lock = 0
        :: else
        fi
     fi
  fi;
#ifdef CHECK_I7
  I7_trimmed_below_a_stamp = (verdict != REFUSED && (booked & BITS(cut, in[i].next)) != 0);
  assert(!I7_trimmed_below_a_stamp);
#endif
  if
  :: TRIM_POSTGRES && CLAIMS(i) && MAY_TRIM(pg.token, i) ->
#ifdef CHECK_I3_POSTGRES
     grantedByPostgres = grantedByPostgres & ~BITS(cut, pg.until);
#endif
     pg.until = cut; pg.token = 0
  :: true
  fi;
  forget(i)
}

proctype Runner(byte i) {       /* an instance's life */
#ifdef NO_RULE2
  byte seen;
#endif
end:
  do
  :: atomic { now < TMAX && IDLE(i) && drawn < TOKENS -> obtain(i) }
#ifdef NO_RULE2
  :: atomic { now < TMAX && in[i].token != 0 && seen == 0 && ASKS_REDIS(i) -> open(i); judge(i); seen = verdict }
  :: atomic { now < TMAX && in[i].token != 0 && seen != 0 -> verdict = seen; answer(i); seen = 0 }
  :: atomic { now < TMAX && in[i].token != 0 -> seen = 0; forget(i) }
#else
  :: atomic { now < TMAX && in[i].token != 0 && ASKS_REDIS(i) -> open(i); judge(i); answer(i) }
  :: atomic { now < TMAX && in[i].token != 0 -> forget(i) }     /* crash, or orphaned */
#endif
  :: atomic { now < TMAX && in[i].token != 0 && in[i].gotUntil != 0 && USABLE(i) -> receive(i) }
  :: atomic { now < TMAX && in[i].token != 0 && CLAIMS(i) && (in[i].redisUntil != 0 || !ASKS_REDIS(i)) -> claim(i) }
  :: atomic { now < TMAX && in[i].token != 0 && in[i].next != 0 && in[i].nonce == 0 -> giveBack(i) }
#ifdef SPLIT
  :: atomic { now < TMAX && split && in[i].token != 0 -> in[i].node = 1 - in[i].node; disconnect(i) }
#endif
  od
}

/* ---- What fails ------------------------------------------------------------------------------------------------------- */

byte flushes, failovers, restarts, rollbacks;

inline wipe(m) {
  mem[m].lock = 0; mem[m].writer = 0; mem[m].mark = 0; mem[m].token = 0;
  mem[m].from = 0; mem[m].until = 0; mem[m].number = 0; mem[m].nonce = 0
}

inline copyMemory(src, dst) {
  mem[dst].lock = mem[src].lock; mem[dst].writer = mem[src].writer; mem[dst].mark = mem[src].mark;
  mem[dst].token = mem[src].token; mem[dst].from = mem[src].from; mem[dst].until = mem[src].until;
  mem[dst].number = mem[src].number; mem[dst].nonce = mem[src].nonce
}

inline confirm(i) { in[i].confirmed = (in[i].gotUntil != 0) }
inline stay(i) { in[i].node = primary }
inline leave(i) { in[i].node = 0 }

#if N == 3
#define forAll(act) act(0); act(1); act(2)
#else
#define forAll(act) act(0); act(1)
#endif

inline clone(i,j) {     /* a virtual machine restored twice */
  in[j].token = in[i].token; in[j].number = in[i].number; in[j].last = in[i].last; in[j].nonce = in[i].nonce;
  in[j].from = in[i].from; in[j].next = in[i].next;
  in[j].redisUntil = in[i].redisUntil; in[j].pgUntil = in[i].pgUntil; in[j].node = in[i].node;
  cloned = 1; copy = j; shared = in[i].redisUntil
}

/* A memory that no later step can read is left alone, or wiped: fewer states, no behaviour less. */
proctype World() {
end:
  do
  :: atomic { now < TMAX -> now++ }
#if FAILOVERS || !POSTGRES
  :: atomic { now < TMAX && !split ->                           /* replication, with any lag */
       if
       :: failovers < FAILOVERS -> copyMemory(primary, 1-primary)
       :: else
       fi;
#if POSTGRES             /* nobody waits for the replica either */
       skip
#else
       forAll(confirm)
#endif
     }
#endif
#if FLUSHES
  :: atomic { now < TMAX && flushes < FLUSHES -> flushes++; wipe(primary) }
#endif
#if FAILOVERS
  :: atomic { now < TMAX && failovers < FAILOVERS && !split -> failovers++;
#ifdef SPLIT
       forAll(stay); split = 1;
#else
       forAll(disconnect);
       if
       :: failovers == FAILOVERS -> wipe(primary)
       :: else
       fi;
#endif
       primary = 1 - primary }
#endif
#ifdef SPLIT
  :: atomic { now < TMAX && split ->                            /* healed: the old primary becomes a replica */
       split = 0; forAll(disconnect); forAll(leave);
       if
       :: failovers == FAILOVERS -> wipe(1 - primary)
       :: else
       fi }
#endif
#if RESTARTS
  :: atomic { now < TMAX && restarts < RESTARTS -> copyMemory(primary, DUMP) }
  :: atomic { now < TMAX && restarts < RESTARTS -> restarts++;
       copyMemory(DUMP, primary); runId[primary] = 2 + restarts; forAll(disconnect);
       if
       :: restarts == RESTARTS -> wipe(DUMP)
       :: else
       fi }
#endif
#ifdef JUMP
  :: atomic { now < TMAX && !jumped -> jumped = 1 }
#endif
#if ROLLBACKS
  :: atomic { now < TMAX && rollbacks < ROLLBACKS -> rollbacks++;
       pg.token = pgOld.token; pg.from = pgOld.from; pg.until = pgOld.until }
#endif
#if CLONES
  :: atomic { now < TMAX && !cloned && in[0].token != 0 && in[1].token == 0 -> clone(0,1) }
  :: atomic { now < TMAX && !cloned && in[1].token != 0 && in[0].token == 0 -> clone(1,0) }
#if N == 3
  :: atomic { now < TMAX && !cloned && in[0].token != 0 && in[1].token != 0 && in[2].token == 0 -> clone(0,2) }
  :: atomic { now < TMAX && !cloned && in[0].token != 0 && in[1].token != 0 && in[2].token == 0 -> clone(1,2) }
#endif
#endif
  od
}

init {
  atomic {
    runId[0] = 1; runId[1] = 2;
    mem[0].writer = 1; mem[1].writer = 1; mem[DUMP].writer = 1;
    in[0].token = 0;
    run Runner(0); run Runner(1);
#if N == 3
    run Runner(2);
#endif
    run World()
  }
}
