// Package waybill_test keeps the rules of the house: who may import whom, where
// each dependency lives, how long a file may be.
package waybill_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// arrows are the imports that are allowed inside the module. They point down.
var arrows = map[string][]string{
	"waybill/cmd/waybill":      {"waybill/httpapi", "waybill/persist", "waybill/lease", "waybill/generator", "waybill/migrations"},
	"waybill/httpapi":          {"waybill/persist", "waybill/generator"},
	"waybill/persist":          {"waybill/generator", "waybill/internal/disk"},
	"waybill/lease":            {"waybill/generator", "waybill/internal/disk"},
	"waybill/lease/model":      {},
	"waybill/generator":        {},
	"waybill/migrations":       {},
	"waybill/internal/disk":    {},
	"waybill/internal/faults":  {},
	"waybill/internal/testenv": {},
}

// homes are the only packages that may import a third party's.
var homes = map[string][]string{
	"github.com/julienschmidt/httprouter":  {"waybill/httpapi"},
	"github.com/jackc/pgx/v5":              {"waybill/lease", "waybill/persist", "waybill/migrations"},
	"github.com/redis/go-redis/v9":         {"waybill/lease"},
	"github.com/bsm/redislock":             {"waybill/lease"},
	"modernc.org/sqlite":                   {"waybill/persist"},
	"github.com/golang-migrate/migrate/v4": {"waybill/migrations"},
	"github.com/sethvargo/go-envconfig":    {"waybill/cmd/waybill"},
	"github.com/google/uuid":               {"waybill/cmd/waybill", "waybill/httpapi", "waybill/lease", "waybill/persist"},
	"golang.org/x/sync":                    {"waybill/cmd/waybill"},
	"golang.org/x/sys":                     {"waybill/internal/disk", "waybill/lease"},
	"golang.org/x/term":                    {"waybill/cmd/waybill"},
}

type listed struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) (all []listed) {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestArrowsOnlyPointDown(t *testing.T) {
	for _, p := range packages(t) {
		if p.ImportPath == "waybill" {
			continue // these tests
		}
		allowed, known := arrows[p.ImportPath]
		if !known {
			t.Errorf("%s has no place in the house: give it one here", p.ImportPath)
		}
		for _, imported := range p.Imports {
			if strings.HasPrefix(imported, "waybill/") && !slices.Contains(allowed, imported) {
				t.Errorf("%s imports %s", p.ImportPath, imported)
			}
			if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
				continue // the standard library
			}
			if !livesIn(imported, p.ImportPath) {
				t.Errorf("%s imports %s, which lives elsewhere", p.ImportPath, imported)
			}
		}
	}
}

func livesIn(imported, home string) bool {
	for module, packages := range homes {
		if imported == module || strings.HasPrefix(imported, module+"/") {
			return slices.Contains(packages, home)
		}
	}
	return false
}

// A file beyond this is more than one idea.
const longest = 250

func TestFilesStaySmallAndPackagesAreDocumented(t *testing.T) {
	documented := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (path == ".git" || path == "bench" || d.Name() == "testdata" || d.Name() == "waybill-data") {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		dir := filepath.Dir(path)
		documented[dir] = documented[dir] || d.Name() == "doc.go" || d.Name() == "main.go" || dir == "."
		if strings.HasSuffix(path, "_test.go") {
			return nil
		}
		if n := lines(t, path); n > longest {
			t.Errorf("%s has %d lines, more than %d", path, n, longest)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s has no doc.go", dir)
		}
	}
}

func lines(t *testing.T, path string) (n int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); n++ {
	}
	return n
}
