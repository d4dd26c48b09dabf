package testenv

import (
	"bufio"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestTheClockOfRedisStepsWhileItRuns(t *testing.T) {
	t.Parallel()
	redis := RedisWithClock(t)
	wantOffset(t, redisOffset(t, redis), 0)
	mustDo(t, redis, "SET", "k", "v", "EX", "60")
	redis.StepClock(-time.Hour)
	wantOffset(t, redisOffset(t, redis), -time.Hour)
	mustDo(t, redis, "PING")
	redis.StepClock(2 * time.Hour)
	wantOffset(t, redisOffset(t, redis), time.Hour)
	if got := mustDo(t, redis, "GET", "k"); got != "" {
		t.Errorf("a key of a minute lives on an hour later: %q", got)
	}
	// Its pace is true: only the offset is not.
	before := redisOffset(t, redis)
	time.Sleep(300 * time.Millisecond)
	if drift := redisOffset(t, redis) - before; drift.Abs() > 200*time.Millisecond {
		t.Errorf("the clock drifts by %v", drift)
	}
	pid := redis.PID()
	redis.Kill()
	redis.Start()
	wantOffset(t, redisOffset(t, redis), time.Hour)
	for _, id := range []int{pid, redis.PID()} {
		if _, err := os.Stat("/dev/shm/faketime_shm_" + strconv.Itoa(id)); err == nil {
			t.Errorf("process %d left shared memory behind", id)
		}
	}
}

func TestTheClockOfPostgresStepsForOpenSessionsToo(t *testing.T) {
	t.Parallel()
	Need(t, "psql")
	postgres := PostgresWithClock(t)
	session := command("psql", "", "-XAtq", "-d", postgres.URL)
	in, _ := session.StdinPipe()
	out, _ := session.StdoutPipe()
	if err := session.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close(); _ = session.Wait() }()
	lines := bufio.NewScanner(out)
	offset := func() time.Duration {
		_, _ = io.WriteString(in, postgresMillis+";\n")
		if !lines.Scan() {
			t.Fatalf("the session ended: %v", lines.Err())
		}
		return offsetOf(t, lines.Text())
	}
	wantOffset(t, offset(), 0)
	postgres.StepClock(time.Hour)
	wantOffset(t, offset(), time.Hour)
	postgres.StepClock(-2 * time.Hour)
	wantOffset(t, offset(), -time.Hour)
	postgres.Restart()
	wantOffset(t, offsetOf(t, psql(t, postgres.URL, postgresMillis)), -time.Hour)
}

const postgresMillis = "select (extract(epoch from clock_timestamp()) * 1000)::bigint"

func redisOffset(t *testing.T, redis *RedisServer) time.Duration {
	t.Helper()
	seconds, micros, _ := strings.Cut(mustDo(t, redis, "TIME"), "\n")
	return offsetOf(t, seconds+("000000" + micros)[len(micros):][:3])
}

// offsetOf is how far a clock that shows these milliseconds is ahead of ours.
func offsetOf(t *testing.T, millis string) time.Duration {
	t.Helper()
	ms, err := strconv.ParseInt(millis, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Until(time.UnixMilli(ms))
}

func wantOffset(t *testing.T, got, want time.Duration) {
	t.Helper()
	if (got - want).Abs() > 2*time.Second {
		t.Errorf("the clock is off by %v, want %v", got, want)
	}
}
