package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"

	"golang.org/x/term"
)

func usage() string {
	return `waybill issues tracking numbers: unique for ever, and recorded before they are answered.

usage:
  waybill [serve]         serve HTTP until SIGTERM or SIGINT; a second signal hurries
  waybill migrate up      bring the database to this program's schema (the embedded one comes by itself)
  waybill migrate status  tell the schema's version and this program's
  waybill migrate down    undo the last migration, with all the data in its tables
  waybill migrate force VERSION  note a version after a repair by hand
  waybill leases          tell which instances there are and what they hold: waybill leases -h
  waybill decode NUMBER   explain a tracking number, offline
  waybill version
  waybill help

environment (name, default, meaning):
` + variableTable()
}

// version is what the build knows of itself.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && (v == "(devel)" || v == "") {
			v = "devel-" + setting.Value[:min(12, len(setting.Value))]
		}
	}
	return fmt.Sprintf("%s (%s)", v, info.GoVersion)
}

// newLogger logs to w as the configuration says.
func newLogger(c Config, w io.Writer, people bool) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "text" || c.LogFormat == "" && people {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// isTerminal reports whether a person reads w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// banner is the greeting at a terminal.
func banner(c Config, address, operators string) string {
	database := "SQLite in " + c.DataDir
	if c.DatabaseURL != "" {
		database = "Postgres"
	}
	if operators == "" {
		operators = address
	}
	return fmt.Sprintf(`
  waybill %s
  address   http://%s
  operators http://%s/leases, or: waybill leases
  records   %s, safe before the reply as RECORD_ACK=%s says
  numbers   %s form; worker leased from %s
  try       curl '%s'

`, version(), address, operators, database, c.Ack, c.Form, c.DataDir, "http://"+address+example)
}

// example is a request that is answered with a number.
const example = "/next-tracking-number?origin_country_id=MY&destination_country_id=ID&weight=1.234" +
	"&created_at=2018-11-20T19:29:32+08:00&customer_id=de619854-b59b-425e-9db4-943979e1bd49" +
	"&customer_name=RedBox%20Logistics&customer_slug=redbox-logistics"
