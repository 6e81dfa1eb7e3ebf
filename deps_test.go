package quorate

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/quorate/quorate/"

// layers lists, for each folder (the longest match counts), what of this module its non-test code may import,
// and why nothing else.
var layers = []struct {
	folder string
	may    []string
	why    string
}{
	{"fsm", []string{"fsm"}, "the machine must give the same result on every replica, so it may not know who runs it"},
	{"shardgroup", []string{"shardgroup", "fsm"}, "a replica serves any map; if it knew placement, two places would decide who owns a slot"},
	{"placement", []string{"placement", "shardgroup/consensus", "fsm/slot"}, "placement decides about groups, it never touches their data"},
	{"placement/topology", []string{"fsm/slot"}, "the map is a value that everybody shares, so it depends on nobody"},
	{"rpc", []string{"rpc", "shardgroup", "fsm", "placement/topology"}, "the wire carries requests to groups; deciding maps is placement's"},
	{"rpc/node", []string{"rpc", "shardgroup", "fsm", "placement", "client"}, "the one place that wires a process together"},
	{"client", []string{"client", "fsm/slot", "placement/topology"}, "a client speaks the wire protocol and must work from outside"},
	{"deploy", nil, "files only"},
	{"jepsen", []string{"jepsen", "client", "rpc", "placement", "shardgroup", "fsm"}, "the harness may look at everything but the command line"},
	{"cmd", []string{"cmd", "rpc", "placement", "client", "jepsen", "fsm/slot"}, "commands parse flags and call; logic lives below"},
}

// pure lists packages that must be functions of their inputs; as in Go's patterns, fsm/... is fsm and all below it.
var pure = []string{"fsm/...", "placement", "placement/bootstrap", "placement/plan", "placement/topology"}

// impure lists what would break that, each with all below it.
var impure = []struct{ path, why string }{
	{"net", "I/O"},
	{"os", "I/O"},
	{"syscall", "I/O"},
	{"golang.org/x/sys", "I/O"},
	{"log", "I/O"},
	{"math/rand", "replicas would differ"},
	{"crypto/rand", "replicas would differ"},
	{"time", "time comes in through the log as int64 milliseconds"},
}

func TestImportDirection(t *testing.T) {
	for file, imports := range imported(t) {
		rule := layers[layerOf(t, file)]
		for _, path := range imports {
			rest, ours := strings.CutPrefix(path, module)
			if ours && !anyPrefix(rest, rule.may) {
				t.Errorf("%s imports %s; %s may import only %v: %s", file, rest, rule.folder, rule.may, rule.why)
			}
		}
	}
}

func TestPurePackages(t *testing.T) {
	files := 0
	err := eachFile(0, func(path string, set *token.FileSet, f *ast.File) {
		if !isPure(filepath.Dir(path)) {
			return
		}
		files++
		for _, bad := range impurities(f) {
			t.Errorf("%s: %s", set.Position(bad.at), bad.what)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 {
		t.Fatalf("found only %d files: the walk is broken", files)
	}
}

// TestImpuritiesAreFound: what a pure package may not do is told from what it may.
func TestImpuritiesAreFound(t *testing.T) {
	for source, want := range map[string]int{
		`import ("net"; "net/http"; "os/exec"; "crypto/rand"; "math/rand/v2"; "log/slog"; "syscall"; "time"; "golang.org/x/sys/unix")`: 9,
		`import ("math"; "strings"; "sync"; "container/heap")`:                                                                         0,
		`func f() { defer func() { go f() }() }`:                                                                                       1,
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+source, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := impurities(f); len(got) != want {
			t.Errorf("%s: found %v, want %d", source, got, want)
		}
	}
}

func isPure(folder string) bool {
	return slices.ContainsFunc(pure, func(p string) bool {
		root, all := strings.CutSuffix(p, "/...")
		return folder == root || all && anyPrefix(folder, []string{root})
	})
}

// impurity is something that a pure package must not do.
type impurity struct {
	at   token.Pos
	what string
}

func impurities(f *ast.File) (found []impurity) {
	for _, imp := range f.Imports {
		path := importPath(imp)
		for _, bad := range impure {
			if anyPrefix(path, []string{bad.path}) {
				found = append(found, impurity{imp.Pos(), fmt.Sprintf("imports %q: %s", path, bad.why)})
			}
		}
	}
	for n := range ast.Preorder(f) {
		if g, ok := n.(*ast.GoStmt); ok {
			found = append(found, impurity{g.Pos(), "starts a goroutine: who runs first is not in the input"})
		}
	}
	return found
}

// imported maps each non-test Go file of the module to its imports.
func imported(t *testing.T) map[string][]string {
	out := map[string][]string{}
	err := eachFile(parser.ImportsOnly, func(path string, _ *token.FileSet, f *ast.File) {
		out[path] = []string{}
		for _, imp := range f.Imports {
			out[path] = append(out[path], importPath(imp))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 10 {
		t.Fatalf("found only %d files: the walk is broken", len(out))
	}
	return out
}

func importPath(imp *ast.ImportSpec) string {
	path, err := strconv.Unquote(imp.Path.Value)
	if err != nil {
		panic(err) // the parser has accepted it
	}
	return path
}

// eachFile parses each non-test Go file below the module's folder.
func eachFile(mode parser.Mode, do func(path string, set *token.FileSet, f *ast.File)) error {
	return filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "/") || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, mode)
		if err == nil {
			do(path, set, f)
		}
		return err
	})
}

func layerOf(t *testing.T, file string) int {
	best := -1
	for i, l := range layers {
		if anyPrefix(filepath.Dir(file), []string{l.folder}) && (best < 0 || len(l.folder) > len(layers[best].folder)) {
			best = i
		}
	}
	if best < 0 {
		t.Fatalf("%s is in no layer: the top-level folders are fixed; a new one needs a line in layers", file)
	}
	return best
}

func anyPrefix(path string, folders []string) bool {
	for _, f := range folders {
		if path == f || strings.HasPrefix(path, f+"/") {
			return true
		}
	}
	return false
}
