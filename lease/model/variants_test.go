package model_test

// A variant is the model with some faults, and with all its rules or all but one.
type variant struct {
	name     string
	expected string // an invariant that breaks, or unique
	slow     bool   // only with -full
	flags    []string
}

const duplicate = "I1_duplicate"

// variants, by what they prove. The defaults of the bounds are in lease.pml.
var variants = []variant{
	// All rules, a redis space.
	{"redis", unique, false, []string{"-DTMAX=5", "-DCHECK_I3_REDIS", "-DCHECK_I4", "-DCHECK_I7"}},
	{"redis, flush", unique, false, []string{"-DTMAX=5", "-DFLUSHES=1", "-DCHECK_I3_REDIS", "-DCHECK_I4", "-DCHECK_I7"}},
	{"redis, longer", unique, true, []string{"-DTMAX=9", "-DTOKENS=4"}},
	{"redis, three instances", unique, true, []string{"-DN=3", "-DFLUSHES=1"}},
	{"redis, flushes", unique, true, []string{"-DTMAX=7", "-DFLUSHES=2"}},
	{"redis, old dump", unique, true, []string{"-DTMAX=5", "-DRESTARTS=1", "-DCHECK_I4"}},
	{"redis, fail-over, skew", unique, true, []string{"-DFAILOVERS=1", "-DCLAMP=1", "-DOFFSET0=1", "-DOFFSET1=-1"}},
	{"redis, fail-over and back", unique, true, []string{"-DTMAX=5", "-DFAILOVERS=2", "-DCHECK_I4"}},
	{"redis, split brain", unique, true, []string{"-DTMAX=5", "-DFAILOVERS=1", "-DSPLIT", "-DCHECK_I4"}},
	{"redis, clock back, flush", unique, true, []string{"-DTMAX=7", "-DFLUSHES=1", "-DCLAMP=1", "-DOFFSET0=1", "-DJUMP=-1"}},
	{"redis, clock far off, flush", unique, true, []string{"-DFLUSHES=1", "-DJUMP=-2"}},
	{"redis, clone", unique, true, []string{"-DTMAX=5", "-DCLONES=1"}},
	{"redis, clone, fail-over", unique, true, []string{"-DTMAX=5", "-DTOKENS=2", "-DCLONES=1", "-DFAILOVERS=1"}},
	{"redis, clone, flush", unique, true, []string{"-DTMAX=5", "-DTOKENS=2", "-DCLONES=1", "-DFLUSHES=1"}},

	// All rules, a redis+postgres space: Redis may do what it likes.
	{"redis+postgres", unique, false, []string{"-DPOSTGRES=1", "-DTMAX=4", "-DTOKENS=2", "-DCHECK_I3_REDIS", "-DCHECK_I3_POSTGRES", "-DCHECK_I4", "-DCHECK_I7"}},
	{"redis+postgres, flush", unique, true, []string{"-DPOSTGRES=1", "-DTMAX=5", "-DFLUSHES=1", "-DCHECK_I3_POSTGRES"}},
	{"redis+postgres, old row", unique, true, []string{"-DPOSTGRES=1", "-DTMAX=5", "-DROLLBACKS=1", "-DCHECK_I3_REDIS"}},

	{"redis+postgres, flush, fail-over", unique, true, []string{"-DPOSTGRES=1", "-DTMAX=4", "-DTOKENS=2", "-DFLUSHES=1", "-DFAILOVERS=1"}},
	{"redis+postgres, split brain", unique, true, []string{"-DPOSTGRES=1", "-DTMAX=4", "-DTOKENS=2", "-DFAILOVERS=1", "-DSPLIT", "-DCHECK_I4"}},
	{"redis+postgres, split brain, flush", unique, true, []string{"-DPOSTGRES=1", "-DTMAX=3", "-DTOKENS=2", "-DFLUSHES=1", "-DFAILOVERS=1", "-DSPLIT"}},
	{"redis+postgres, clone, flush", unique, true, []string{"-DPOSTGRES=1", "-DTMAX=3", "-DTOKENS=2", "-DCLONES=1", "-DFLUSHES=1"}},
	{"redis+postgres, clone", unique, true, []string{"-DPOSTGRES=1", "-DTMAX=4", "-DTOKENS=2", "-DCLONES=1"}},

	// One rule removed.
	{"1 extend by anybody", duplicate, false, []string{"-DNO_RULE1_EXTEND"}},
	{"1 trim by anybody", duplicate, false, []string{"-DNO_RULE1_TRIM"}},
	{"2 two steps", duplicate, false, []string{"-DNO_RULE2"}},
	{"2 clocks of the callers", duplicate, false, []string{"-DNO_RULE2_TIME", "-DFLUSHES=1", "-DTMAX=7"}},
	{"3 start now", duplicate, false, []string{"-DNO_RULE3_START"}},
	{"3 an end goes back", duplicate, false, []string{"-DNO_RULE3_GROW", "-DCLAMP=1", "-DJUMP=-1"}},
	{"3 a window object reused", duplicate, false, []string{"-DNO_RULE3_OBJECT"}},
	{"4 no number", duplicate, false, []string{"-DNO_RULE4", "-DCLONES=1"}},
	{"4 no nonce", duplicate, false, []string{"-DNO_RULE4_NONCE", "-DCLONES=1"}},
	{"4 the last nonce not compared", duplicate, false, []string{"-DNO_RULE4_CHAIN", "-DTMAX=5", "-DTOKENS=2", "-DCLONES=1", "-DFAILOVERS=1"}},
	{"4 a trim without number", duplicate, false, []string{"-DNO_RULE4_TRIM", "-DCLONES=1"}},
	{"4 Postgres trimmed all the same", duplicate, false, []string{"-DNO_RULE4_REFUSAL", "-DPOSTGRES=1", "-DTMAX=3", "-DTOKENS=2", "-DCLONES=1", "-DFLUSHES=1"}},
	{"4 a stale record is a clone", "I4_false_clone_alarm", false, []string{"-DNO_RULE4_STALE", "-DPOSTGRES=1", "-DFAILOVERS=1", "-DSPLIT", "-DCHECK_I4"}},
	{"5 no incarnation", duplicate, false, []string{"-DNO_RULE5", "-DFLUSHES=1"}},
	{"5 a lost hash only", duplicate, false, []string{"-DNO_RULE5_RUN", "-DRESTARTS=1"}},
	{"5 records stay valid", duplicate, false, []string{"-DNO_RULE5_VOID", "-DRESTARTS=1", "-DTOKENS=2"}},
	{"6 no quarantine", duplicate, false, []string{"-DNO_RULE6", "-DFLUSHES=1"}},
	{"6 a future window, no wait", duplicate, false, []string{"-DNO_RULE6_WAIT", "-DFLUSHES=2"}},
	{"6 eps is the clamp, not twice", duplicate, false, []string{"-DEPS=1", "-DCLAMP=1", "-DOFFSET0=1", "-DJUMP=-1", "-DFLUSHES=1"}},
	{"6 a longer window", duplicate, false, []string{"-DNO_RULE6_LENGTH", "-DFLUSHES=1"}},
	{"6 an end beyond now + L", duplicate, false, []string{"-DNO_RULE6_CAP", "-DFLUSHES=1"}},
	{"7 unconfirmed, split brain", duplicate, false, []string{"-DNO_RULE7", "-DFAILOVERS=1", "-DSPLIT"}},
	{"7 unconfirmed, fail-over and back", duplicate, false, []string{"-DNO_RULE7", "-DFAILOVERS=2"}},
	{"8 any clock", duplicate, false, []string{"-DNO_RULE8", "-DFLUSHES=1", "-DJUMP=-2"}},
	{"9 trimmed before it is closed", duplicate, false, []string{"-DNO_RULE9"}},
	{"9 the invariant", "I7_trimmed_below_a_stamp", false, []string{"-DNO_RULE9", "-DCHECK_I7"}},
	{"10 quarantine for some (G1)", duplicate, false, []string{"-DNO_RULE10_QUARANTINE", "-DFLUSHES=1"}},
	{"10 another authority (G2)", duplicate, false, []string{"-DNO_RULE10_AUTHORITY"}},

	// What is promised to nobody: both stores forget.
	{"both stores forget", duplicate, false, []string{"-DPOSTGRES=1", "-DFLUSHES=1", "-DROLLBACKS=1"}},
}
