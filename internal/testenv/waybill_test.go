package testenv

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const fakePackage = "waybill/internal/testenv/testdata/fakewaybill"

func TestWaybillKeepsItsAddressAndFolderWhenRestarted(t *testing.T) {
	t.Parallel()
	waybill := startWaybill(t, binary(t, fakePackage, nil), nil)
	waybill.WaitReady(t)
	addr, ops, dir := waybill.URL, waybill.OpsURL, waybill.DataDir
	waybill.Kill()
	waybill.Restart()
	waybill.WaitReady(t)
	if waybill.URL != addr || waybill.OpsURL != ops || waybill.DataDir != dir {
		t.Errorf("restarted as %s %s %s", waybill.URL, waybill.OpsURL, waybill.DataDir)
	}
	if waybill.URL == waybill.OpsURL {
		t.Errorf("the public listener was mistaken for the operators' one")
	}
	if got := runs(t, waybill.DataDir); got != 2 {
		t.Errorf("%d runs in its folder, want 2", got)
	}
	if state := waybill.Stop(); !state.Success() {
		t.Errorf("SIGTERM ended it with %v", state)
	}
	if !strings.Contains(waybill.Output(), `"msg":"stopped"`) {
		t.Errorf("its last line is missing from\n%s", waybill.Output())
	}
}

func TestWaybillLearnsAPortThatTheKernelChose(t *testing.T) {
	t.Parallel()
	waybill := startWaybill(t, binary(t, fakePackage, nil), []string{"PORT=0"})
	waybill.WaitReady(t)
	address, err := url.Parse(waybill.URL)
	if err != nil {
		t.Fatal(err)
	}
	if _, port, _ := net.SplitHostPort(address.Host); port == "0" {
		t.Errorf("its URL is %s", waybill.URL)
	}
	waybill.Restart()
	waybill.WaitReady(t)
}

func TestAWaybillCanTakeOverTheFolderOfAnother(t *testing.T) {
	t.Parallel()
	first := startWaybill(t, binary(t, fakePackage, nil), nil)
	first.WaitReady(t)
	first.Kill()
	second := startWaybill(t, binary(t, fakePackage, nil), []string{"DATA_DIR=" + first.DataDir})
	second.WaitReady(t)
	if got := runs(t, second.DataDir); got != 2 {
		t.Errorf("%d runs in the folder, want 2", got)
	}
}

func TestWaybillInheritsNothing(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://production")
	waybill := startWaybill(t, binary(t, fakePackage, nil), []string{"MARK=1"})
	waybill.WaitReady(t)
	var names []string
	for entry := range strings.Lines(get(t, waybill.URL+"/env")) {
		name, _, _ := strings.Cut(entry, "=")
		names = append(names, name)
	}
	got := strings.Join(names, " ")
	if want := "PATH HOME TMPDIR PORT OPS_ADDR DATA_DIR MARK"; got != want {
		t.Errorf("its environment is %s, want %s", got, want)
	}
}

func TestRunTellsWhatASubcommandSaid(t *testing.T) {
	t.Parallel()
	stdout, stderr, code := runProgram(t, binary(t, fakePackage, nil), []string{"MARK=7"}, []string{"check", "X"})
	if stdout != "args [check X] env 7\n" || stderr != "refused\n" || code != 3 {
		t.Errorf("Run = %q, %q, %d", stdout, stderr, code)
	}
}

func TestAProgramIsBuiltOnceForEachSetOfFlags(t *testing.T) {
	t.Parallel()
	plain, again, tagged := binary(t, fakePackage, nil), binary(t, fakePackage, nil), binary(t, fakePackage, []string{"-tags=x"})
	if plain != again || plain == tagged {
		t.Errorf("built as %s, %s and, with a tag, %s", plain, again, tagged)
	}
}

func runs(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "runs"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(text), "\n")
}
