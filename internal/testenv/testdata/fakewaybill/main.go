// Command fakewaybill stands in for waybill in the tests of testenv: it starts, logs and stops as waybill promises to.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 {
		fmt.Println("args", os.Args[1:], "env", os.Getenv("MARK"))
		fmt.Fprintln(os.Stderr, "refused")
		os.Exit(3)
	}
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))

	ops, err := net.Listen("tcp", os.Getenv("OPS_ADDR"))
	if err != nil {
		return err
	}
	defer ops.Close()
	public, err := net.Listen("tcp", ":"+os.Getenv("PORT"))
	if err != nil {
		return err
	}
	defer public.Close()
	fmt.Println("a line that is not JSON")
	log.Info("listening", "addr", ops.Addr().String())
	time.Sleep(50 * time.Millisecond) // Whoever takes the first line takes the wrong one.
	log.Info("listening", "addr", public.Addr().String())

	runs, err := os.OpenFile(filepath.Join(os.Getenv("DATA_DIR"), "runs"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer runs.Close()
	fmt.Fprintln(runs, os.Getpid())

	readyAt := time.Now().Add(200 * time.Millisecond)
	http.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if time.Now().Before(readyAt) {
			http.Error(w, "no window yet", http.StatusServiceUnavailable)
		}
	})
	http.HandleFunc("/env", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strings.Join(os.Environ(), "\n"))
	})
	go http.Serve(public, nil)
	<-ctx.Done()
	log.Info("stopped")
	return nil
}
