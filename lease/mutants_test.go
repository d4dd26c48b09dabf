package lease

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var mutants = flag.String("mutants", "", "remove the rules whose name matches this, one at a time, and see the simulator notice: . for all")

// mutant is the protocol without one of its rules: each pair replaces text that
// occurs exactly once.
type mutant struct {
	name, file string
	pairs      []string
}

// The rules are those of the package comment and of the twins, which the
// differential tests keep equal to grant.lua and claim.sql.
var removals = []mutant{
	{"token: one for all instances", "acquire.go", []string{"token: drawToken(c.random)", "token: Token{1}"}},
	{"token: Redis trims for anyone", "sim_redis_test.go", []string{"if !ok || record.token != token || record.gn != r.gen {", "if !ok {"}},
	{"token: Postgres trims for anyone", "sim_postgres_test.go", []string{"if !ok || row.token != token {", "if !ok {"}},
	{"contiguity: Redis grants what is not past", "sim_redis_test.go", []string{
		"case known && record.till > now:", "case false:", "max(now, record.till, floor), now + c.window", "max(now, floor), now + c.window",
	}},
	{"contiguity: Postgres grants what is not past", "sim_postgres_test.go", []string{
		"case number != 1 || row.until > start:", "case number != 1:", "from := max(row.until, start)", "from := start",
	}},
	{"contiguity: a window grows beyond now + its length", "sim_redis_test.go", []string{"max(record.till, now+c.window), number, nonce", "record.till+2*c.window, number, nonce"}},
	{"request number: a late one marks a clone", "sim_redis_test.go", []string{"case mine && number < record.number:", "case false:"}},
	{"request number: a repetition gets a fresh nonce", "core.go", []string{"		p.err = e.err\n", "		p.err, p.nonce = e.err, 0\n"}},
	{"request number: a memory that went back is a clone", "sim_postgres_test.go", []string{"case row.token == token && row.number >= 0 && number > row.number+1:", "case false:"}},
	{"incarnation: a restart is not noticed", "sim_redis_test.go", []string{"if r.wrote != r.run || r.second", "if r.wrote == \"\" || r.second"}},
	{"incarnation: a promotion is not noticed", "sim_redis_test.go", []string{" || r.second != noPromotion && r.seen != r.second {", " {"}},
	{"quarantine: none", "sim_redis_test.go", []string{"return c.quarantine > 0 && now < r.mark, nil", "return false, nil"}},
	{"quarantine: without the slack", "sim_redis_test.go", []string{"now+c.window+c.quarantine)", "now+c.window-400)"}},
	{"quarantine: a window in the future in place of a wait", "sim_redis_test.go", []string{
		"return c.quarantine > 0 && now < r.mark, nil", "return false, nil", "max(now, record.till, floor), now + c.window", "max(now, r.mark*min(1, c.quarantine), floor), max(now, r.mark*min(1, c.quarantine)) + c.window",
	}},
	{"split brain: unconfirmed grants are used", "sim_instance_test.go", []string{"			if !confirmed {\n", "			if false {\n"}},
	{"clock clamp: Redis's steps are believed", "sim_redis_test.go", []string{"if max(now-c.wall, c.wall-now) > c.skew {", "if false {"}},
	{"clock clamp: Postgres's steps are believed", "sim_postgres_test.go", []string{"|| max(now-wall, wall-now) > skew {", "{"}},
	{"close before trim: given back while in use", "leave.go", []string{"{ c.leaving = append(c.leaving, h) }", "{ h.told = true; c.returnNow(h); c.leaving = append(c.leaving, h) }"}},
	{"trim: at the last stamp, not after it", "leave.go", []string{"max(last+1, h.window().From)", "max(last, h.window().From)"}},
	{"intersection: the first authority's word is enough", "holding.go", []string{"for _, p := range h.parts[1:] {\n		w = w.Intersect(p.grant.Window)\n	}", "_ = h"}},
	{"mixing: an instance that does without Postgres", "sim_instance_test.go", []string{"if w.plan.authorities != ByRedis {\n		periods", "if w.plan.authorities != ByRedis && (w.plan.authorities == ByPostgres || i.id > 0) {\n		periods"}},
	{"mixing: an instance that skips the quarantine", "sim_instance_test.go", []string{"if w.plan.authorities == ByRedisAndPostgres {\n		quarantine", "if w.plan.authorities == ByRedisAndPostgres || i.id == 0 {\n		quarantine"}},
	{"layout: another space is served", "sim_redis_test.go", []string{"if r.exists && r.space != c.space {", "if false {"}},
	{"clock: ahead of the store's", "core.go", []string{"c.do(anchor{h.parts[0].grant.Now})", "c.do(anchor{h.parts[0].grant.Now + 3000})"}},
	{"liveness: the loop wakes for what was never asked", "core.go", []string{"if h.told && p.asked && !p.gone", "if h.told && !p.gone"}},
	{"liveness: a window that is over is kept", "acquire.go", []string{"if c.using == nil || !c.using.over(c.now) {", "if true {"}},
	{"liveness: a lock stays while the clock is wrong", "sim_redis_test.go", []string{
		"	r.expire(now)\n	if r.lock[worker].token == token {\n		delete(r.lock, worker)\n	}\n	_, reply := r.head(now, c)\n	if reply != nil {\n		return reply\n	}\n",
		"	r.expire(now)\n	_, reply := r.head(now, c)\n	if reply != nil {\n		return reply\n	}\n	if r.lock[worker].token == token {\n		delete(r.lock, worker)\n	}\n",
	}},
}

// seedsForMutants is within how many seeds each removal must be noticed.
const seedsForMutants = "3000"

func TestTheSimulatorNoticesARuleThatIsRemoved(t *testing.T) {
	if *mutants == "" {
		t.Skip("takes minutes: make mutants")
	}
	wanted := regexp.MustCompile(*mutants)
	found := regexp.MustCompile(`seed (\d+) .*?: (.*)`)
	for _, m := range removals {
		if !wanted.MatchString(m.name) {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			source, err := os.ReadFile(m.file)
			if err != nil {
				t.Fatal(err)
			}
			text := string(source)
			for i := 0; i < len(m.pairs); i += 2 {
				text = replaceOnce(t, text, m.pairs[i], m.pairs[i+1])
			}
			changed, overlay := filepath.Join(t.TempDir(), "changed.go"), filepath.Join(t.TempDir(), "overlay.json")
			here, err := filepath.Abs(m.file)
			if err != nil {
				t.Fatal(err)
			}
			list, err := json.Marshal(map[string]any{"Replace": map[string]string{here: changed}})
			if err != nil {
				t.Fatal(err)
			}
			for path, data := range map[string][]byte{changed: []byte(text), overlay: list} {
				if err := os.WriteFile(path, data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			out, err := exec.Command("go", "test", "-overlay", overlay, "-run", "^TestSimulation$|^TestAnEmptiedRedisStallsNobody", ".", "-sim.from", "1", "-sim.seeds", seedsForMutants).CombinedOutput()
			seed := found.FindStringSubmatch(string(out) + "\nseed 0 of one fleet: it stalls\n")
			if err == nil || !strings.Contains(string(out), "--- FAIL") || strings.Contains(string(out), "[build failed]") {
				t.Fatalf("not noticed: %v\n%s", err, out)
			}
			t.Logf("seed %s: %s", seed[1], seed[2])
		})
	}
}
