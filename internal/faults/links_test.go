package faults

import (
	"context"
	"strings"
	"testing"
	"time"

	"waybill/internal/testenv"
)

// A call that is never answered is given up after five seconds.
const callLimit = 5 * time.Second

func TestRedisFrozen(t *testing.T) {
	in(t, withRedis, func(t *testing.T, space string) {
		for _, how := range []string{"stopped", "asleep"} {
			t.Run(how, func(t *testing.T) {
				t.Parallel()
				f := start(t, space, plan{window: 2 * time.Second, redis: testenv.Redis(t, "--enable-debug-command", "yes")})
				was, frozen := f.runID(), time.Now()
				if how == "stopped" {
					f.redis.Pause()
				} else if _, err := f.redis.Do("DEBUG", "SLEEP", "6"); err == nil {
					t.Fatal("Redis did not sleep")
				}
				f.refuses(frozen, f.window+busy)
				time.Sleep(time.Until(frozen.Add(3 * f.window)))
				if how == "stopped" {
					f.redis.Resume()
				}
				f.issues("after the frost", probe+busy)
				if f.runID() != was {
					t.Error("Redis is another process")
				}
				f.finish()
			})
		}
	})
}

// One instance is cut off from a store, another's connections hang, a third is well.
func TestLinksCutAndHalfOpen(t *testing.T) {
	in(t, allSpaces, func(t *testing.T, space string) {
		f := start(t, space, plan{instances: 3, window: 2 * time.Second, linked: true})
		cut, hung, well := f.members[0], f.members[1], f.members[2]
		links := []*testenv.Proxy{cut.redis, hung.redis}
		if space == byPostgres {
			links = []*testenv.Proxy{cut.postgres, hung.postgres}
		}
		begin := time.Now()
		links[0].Cut()
		links[1].HalfOpen()
		lasts := f.window
		if space == byPostgres {
			lasts = claim
		}
		f.refuses(begin, lasts+busy, cut, hung)
		time.Sleep(f.window)
		for _, link := range links {
			link.Restore()
		}
		f.issues("after the cut", probe+busy, cut)
		f.issues("after the silence", callLimit+probe+busy, hung)
		f.servedAll(begin, well)
		f.finish()
	})
}

// A slow link loses nothing: replies come late, and windows are counted from before the question.
func TestSlowLinks(t *testing.T) {
	in(t, allSpaces, func(t *testing.T, space string) {
		f := start(t, space, plan{linked: true})
		begin := time.Now()
		for _, m := range f.members {
			for _, link := range []*testenv.Proxy{m.redis, m.postgres} {
				if link != nil {
					link.Delay(100 * time.Millisecond)
				}
			}
		}
		time.Sleep(2 * f.window)
		f.issues("over slow links", probe+busy)
		f.servedAll(begin)
		f.finish()
	})
}

func TestPostgresKilledAndRestarted(t *testing.T) {
	in(t, []string{byPostgres, byBoth}, func(t *testing.T, space string) {
		f := start(t, space, plan{})
		begin := time.Now()
		f.postgres.Kill()
		time.Sleep(2 * time.Second)
		f.issues("without Postgres", probe+busy)
		f.postgres.Start()
		time.Sleep(claim) // beyond the claims that were held when it went
		f.issues("with Postgres", probe+busy)
		f.servedAll(begin)
		f.finish()
	})
}

func TestPostgresGoneBeyondTheClaim(t *testing.T) {
	in(t, []string{byPostgres, byBoth}, func(t *testing.T, space string) {
		f := start(t, space, plan{})
		f.postgres.Kill()
		f.refuses(time.Now(), claim+busy)
		f.postgres.Start()
		f.issues("with Postgres", probe+busy)
		f.finish()
	})
}

// Postgres forgets claims that it granted; Redis does not.
func TestPostgresRestoredFromAnOlderBaseBackup(t *testing.T) {
	in(t, []string{byBoth}, func(t *testing.T, space string) {
		f := start(t, space, plan{})
		saved := f.postgres.SaveFiles()
		late := f.join()
		late.WaitReady(t) // its claim is not in the backup
		f.load()
		f.issues("after the backup", probe+busy, late)
		lost := time.Now()
		f.postgres.Kill()
		f.postgres.RestoreFiles(saved)
		f.postgres.Start()
		// The database has lost records that it had: an instance that loaded some stops with an alarm, and is started
		// again by whatever keeps services running.
		for _, m := range f.members {
			stopped, cancel := context.WithTimeout(t.Context(), probe+busy)
			if state, err := m.Wait(stopped); err == nil {
				if state.ExitCode() != 1 || strings.Contains(m.Output(), "exists twice") {
					t.Errorf("instance %d ended with %v", m.index, state)
				}
				m.again()
			}
			cancel()
		}
		f.renews(lost, claim+4*probe+busy, late)
		f.issues("after the restore", claim+probe+busy)
		f.finish()
	})
}
