package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sethvargo/go-envconfig"
)

// command runs the program's function with an environment of its own.
func command(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(context.Background(), args, environ, &out, &err)
	return code, out.String(), err.String()
}

func TestDecodeExplainsANumber(t *testing.T) {
	want := `number    038QBTZSC0M15MY9
id        117915852988239909
time      2026-11-22T09:15:30.123Z
worker    5
sequence  37
origin    MY
form      plain
`
	for _, typed := range [][]string{{"038QBTZSC0M15MY9"}, {"o38q-btzs-c0m1-5my9"}, {"038Q", "BTZS", "C0M1", "5MY9"}} {
		if code, out, err := command(t, nil, append([]string{"decode"}, typed...)...); code != 0 || out != want || err != "" {
			t.Errorf("%v: %d\n%s%s", typed, code, out, err)
		}
	}
	code, out, err := command(t, nil, "decode", "038QBTZSC0M15MY8")
	if code != exitFailure || out != "" || !strings.Contains(err, "check character") {
		t.Errorf("a wrong number: %d %s%s", code, out, err)
	}
	if code, _, err := command(t, nil, "decode"); code != exitUsage || !strings.Contains(err, "needs a tracking number") {
		t.Errorf("no number: %d %s", code, err)
	}
	if _, out, _ := command(t, []string{"SECRET_KEY=a secret of sufficient length"}, "decode", "038QBTZSC0M15MY9"); strings.Contains(out, "117915852988239909") {
		t.Error("the opaque form read a plain number as the same ID")
	}
}

func TestHelpShowsEveryVariable(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"--help"}, {"serve", "--help"}} {
		code, out, err := command(t, nil, args...)
		if code != 0 || err != "" {
			t.Fatalf("%v: %d %s", args, code, err)
		}
		for _, want := range []string{variableTable(), "PORT ", "SECRET_KEY ", "waybill decode NUMBER"} {
			if !strings.Contains(out, want) {
				t.Errorf("%v does not say %q", args, want)
			}
		}
	}
}

func TestTheReadmesTableIsTheProgramsOwn(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), variableTable()) {
		t.Errorf("README.md does not show this table:\n%s", variableTable())
	}
}

func TestEveryFaultOfTheConfigurationIsListedAtOnce(t *testing.T) {
	bad := []string{
		"PORT=http", "DATABASE_URL=mysql://x", "REDIS_URL=http://x", "REDIS_REPLICAS=many", "LEASE_WINDOW=1s", "SECRET_KEY=short", "RECORD_ACK=maybe", "SPOOL_LIMIT=1MiB",
		"LEASE_CLAIM=1s", "WORKER_BITS=ten", "SEQUENCE_BITS=99", "NUMBER_EPOCH=2026", "OPS_ADDR=8001", "OPS_TOKEN=short", "OPS_AUTH=maybe", "LOG_LEVEL=loud", "LOG_FORMAT=xml",
	}
	code, _, err := command(t, bad)
	if code != exitUsage || !strings.Contains(err, "the configuration is wrong in 17 places") {
		t.Errorf("%d %s", code, err)
	}
	for _, pair := range bad {
		name, _, _ := strings.Cut(pair, "=")
		if name != "SEQUENCE_BITS" && !strings.Contains(err, "  "+name+": ") && !strings.Contains(err, "  "+name+", ") || !strings.Contains(err, "sequence bits are 99") {
			t.Errorf("no word about %s in\n%s", pair, err)
		}
	}
	if strings.Contains(err, "short\n") || strings.Contains(err, `"short"`) {
		t.Error("the secret is shown")
	}
}

func TestConfigurationsAtTheEdges(t *testing.T) {
	for _, c := range []struct {
		name, value string
		ok          bool
	}{
		{"PORT", "0", true},
		{"PORT", "65535", true},
		{"PORT", "65536", false},
		{"PORT", "-1", false},
		{"SPOOL_LIMIT", "128MiB", true},
		{"SPOOL_LIMIT", "134217728", true},
		{"SPOOL_LIMIT", "127MiB", false},
		{"SPOOL_LIMIT", "99999999999TiB", false},
		{"SPOOL_LIMIT", "-4GiB", false},
		{"LEASE_CLAIM", "10s", true},
		{"LEASE_CLAIM", "24h", true},
		{"LEASE_CLAIM", "25h", false},
		{"LEASE_CLAIM", "30", false},
		{"LEASE_WINDOW", "2s", true},
		{"LEASE_WINDOW", "11m", false},
		{"REDIS_REPLICAS", "16", true},
		{"REDIS_REPLICAS", "17", false},
		{"REDIS_URL", "rediss://user:secret@h:1/0", true},
		{"REDIS_URL", "redis://a:1?addr=b:2&addr=c:3", true},
		{"REDIS_URL", "redis://a:1/0?addr=b:2&master_name=main", true},
		{"REDIS_URL", "redis://a:1,b:2", false},
		{"WORKER_BITS", "2", true},
		{"WORKER_BITS", "0", false},
		{"SEQUENCE_BITS", "14", true},
		{"SEQUENCE_BITS", "16", false},
		{"NUMBER_EPOCH", "2000-01-01T00:00:00Z", true},
		{"NUMBER_EPOCH", "2199-01-01T00:00:00Z", false},
		{"DATABASE_URL", "postgresql://u:p@h/db", true},
		{"OPS_ADDR", "127.0.0.1:0", true},
		{"OPS_ADDR", "127.9.9.9:8001", true},
		{"OPS_ADDR", "localhost:8001", true},
		{"OPS_ADDR", "[::1]:8001", true},
		{"OPS_ADDR", "[::]:8001", false},
		{"OPS_ADDR", "0.0.0.0:8001", false},
		{"OPS_ADDR", ":8001", false},
		{"OPS_ADDR", "10.0.0.1:8001", false},
		{"OPS_ADDR", "waybill-1:8001", false},
		{"OPS_ADDR", "shared", false},
		{"OPS_ADDR", "127.0.0.1:8000", false},
		{"OPS_ADDR", "127.0.0.1:65536", false},
		{"OPS_ADDR", "127.0.0.1", false},
		{"OPS_TOKEN", strings.Repeat("k", 16), true},
		{"OPS_TOKEN", strings.Repeat("k", 15), false},
		{"OPS_TOKEN", "with a space in the middle", false},
		{"OPS_TOKEN", "with\na line's end in it", false},
		{"OPS_TOKEN", "pässwörter über alles", false},
		{"OPS_AUTH", "none", true},
		{"OPS_AUTH", "None", false},
		{"LOG_LEVEL", "DEBUG", true},
		{"LOG_LEVEL", "INFO+2", false},
		{"DATABASE_URL", "postgres://u:p@:notaport/db", false},
		{"SECRET_KEY", strings.Repeat("k", 16), true},
		{"SECRET_KEY", strings.Repeat("k", 15), false},
	} {
		_, err := loadConfig(context.Background(), envconfig.MapLookuper(map[string]string{c.name: c.value}))
		if (err == nil) != c.ok {
			t.Errorf("%s=%s: %v", c.name, c.value, err)
		}
	}
}

func TestWhatIsNotUnderstoodIsSaid(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"server"}, `unknown command "server"`},
		{[]string{"serve", "--port=1"}, "only environment variables"},
	} {
		if code, _, err := command(t, nil, c.args...); code != exitUsage || !strings.Contains(err, c.want) {
			t.Errorf("%v: %d %s", c.args, code, err)
		}
	}
	if code, _, err := command(t, []string{"DATA_DIR=" + t.TempDir()}, "migrate", "up"); code != exitFailure || !strings.Contains(err, "DATABASE_URL is not set") {
		t.Errorf("%d %s", code, err)
	}
	if code, _, err := command(t, []string{"DATABASE_URL=postgres://x/y"}, "migrate", "sideways"); code != exitUsage || !strings.Contains(err, "needs one of: up") {
		t.Errorf("%d %s", code, err)
	}
	if code, out, _ := command(t, nil, "version"); code != 0 || !strings.HasPrefix(out, "waybill ") {
		t.Errorf("version: %d %s", code, out)
	}
}
