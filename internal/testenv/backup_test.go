package testenv

import (
	"testing"
)

func TestRedisComesBackWithOldFiles(t *testing.T) {
	t.Parallel()
	redis := Redis(t, "--appendonly", "yes", "--appendfsync", "always")
	mustDo(t, redis, "SET", "k", "old")
	saved := redis.SaveFiles()
	mustDo(t, redis, "SET", "k", "new")
	mustDo(t, redis, "SET", "later", "1")
	was, err := redis.Info("run_id")
	if err != nil {
		t.Fatal(err)
	}
	redis.Kill()
	redis.RestoreFiles(saved)
	redis.Start()
	if got := mustDo(t, redis, "MGET", "k", "later"); got != "old\n" {
		t.Errorf("it has %q", got)
	}
	if now, err := redis.Info("run_id"); err != nil || now == was || len(now) != 40 {
		t.Errorf("run_id %q after %q, %v", now, was, err)
	}
}

func TestPostgresComesBackFromABaseBackup(t *testing.T) {
	t.Parallel()
	Need(t, "psql")
	postgres := Postgres(t)
	url := postgres.NewDatabase(t)
	psql(t, url, "create table kept (n int); insert into kept values (1)")
	saved := postgres.SaveFiles()
	psql(t, url, "insert into kept values (2)")
	postgres.Kill()
	postgres.RestoreFiles(saved)
	postgres.Start()
	if got := psql(t, url, "select n from kept"); got != "1" {
		t.Errorf("it has %q", got)
	}
	psql(t, url, "insert into kept values (3)")
}
