package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
)

// body is an answer of waybill's; the servers here answer as many bytes.
const body = `{"tracking_number":"038QBTZSC0M15MY9","created_at":"2026-11-22T09:15:30.123Z"}`

// serveAs makes this process one of the servers that waybill is compared with.
// Each is the least that does its job: no router, no validation, no log.
func serveAs(ctx context.Context, role string) error {
	handler, err := handlerFor(ctx, role)
	if err != nil {
		return err
	}
	return http.ListenAndServe(os.Getenv("LISTEN"), handler)
}

func handlerFor(ctx context.Context, role string) (http.HandlerFunc, error) {
	switch role {
	case "body":
		return constant(body), nil
	case "hello":
		return constant("hello"), nil
	case "incr":
		client := redis.NewClient(&redis.Options{Addr: os.Getenv("REDIS_ADDR"), PoolSize: pooled})
		return counter(func(r *http.Request) (int64, error) { return client.Incr(r.Context(), "bench").Result() }), nil
	}
	pool, err := openPool(ctx)
	if err != nil {
		return nil, err
	}
	switch role {
	case "nextval":
		return counter(func(r *http.Request) (n int64, err error) {
			err = pool.QueryRow(r.Context(), "SELECT nextval('bench_sequence')").Scan(&n)
			return n, err
		}), nil
	case "insert":
		return counter(func(r *http.Request) (int64, error) { return insert(pool, r) }), nil
	}
	return nil, fmt.Errorf("no server is called %s", role)
}

// constant answers always the same.
func constant(answer string) http.HandlerFunc {
	data := []byte(answer)
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) }
}

// counter answers with a number that somebody else counts.
func counter(next func(*http.Request) (int64, error)) http.HandlerFunc {
	const before, after, digits = len(`{"tracking_number":"`), len(`","created_at":"2026-11-22T09:15:30.123Z"}`), 16
	return func(w http.ResponseWriter, r *http.Request) {
		n, err := next(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		number := strconv.AppendInt(nil, n, 10)
		answer := []byte(body[:before] + "0000000000000000" + body[len(body)-after:])
		copy(answer[before+digits-len(number):], number)
		_, _ = w.Write(answer)
	}
}

// pooled is how many connections a server may hold to Redis or Postgres: one
// for each of wrk's, so that none waits for another.
const pooled = 64

// openPool connects and makes what the servers need.
func openPool(ctx context.Context) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		return nil, err
	}
	config.MaxConns = pooled
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	_, err = pool.Exec(ctx, `
		CREATE SEQUENCE IF NOT EXISTS bench_sequence;
		DROP TABLE IF EXISTS bench_numbers;
		CREATE TABLE bench_numbers (
			id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, issued_at timestamptz NOT NULL DEFAULT now(),
			origin_country_id text NOT NULL, destination_country_id text NOT NULL, weight numeric(9,3) NOT NULL,
			order_created_at timestamptz NOT NULL, customer_id uuid NOT NULL, customer_name text NOT NULL, customer_slug text NOT NULL);
		CREATE INDEX ON bench_numbers (customer_id, id)`)
	return pool, err
}

// insert records a request and returns the number that Postgres gave it.
func insert(pool *pgxpool.Pool, r *http.Request) (n int64, err error) {
	q := r.URL.Query()
	err = pool.QueryRow(r.Context(), `INSERT INTO bench_numbers
		(origin_country_id, destination_country_id, weight, order_created_at, customer_id, customer_name, customer_slug)
		VALUES ($1, $2, $3, $4::text::timestamptz, $5, $6, $7) RETURNING id`,
		q.Get("origin_country_id"), q.Get("destination_country_id"), q.Get("weight"), q.Get("created_at"), q.Get("customer_id"),
		q.Get("customer_name"), q.Get("customer_slug")).Scan(&n)
	return n, err
}

// sizeIsThatOf fails unless url answers as many bytes as the reference does.
func sizeIsThatOf(ctx context.Context, url, reference string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && (response.StatusCode != http.StatusOK || len(answer) != len(reference)) {
		err = fmt.Errorf("the reference answers %d bytes, waybill %s: %q", len(reference), response.Status, answer)
	}
	return err
}
