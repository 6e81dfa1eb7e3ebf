package quorate

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
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

// pure lists folders whose code must be a function of its inputs, and the imports that would break that.
var pure = []string{"fsm", "placement/topology", "placement/plan"}

var impure = map[string]string{
	"net":          "I/O",
	"os":           "I/O",
	"math/rand":    "replicas would differ",
	"math/rand/v2": "replicas would differ",
	"time":         "time comes in through the log as int64 milliseconds",
	"log/slog":     "I/O",
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
	for file, imports := range imported(t) {
		if !anyPrefix(filepath.Dir(file), pure) {
			continue
		}
		for _, path := range imports {
			if why, bad := impure[path]; bad {
				t.Errorf("%s imports %q: %s", file, path, why)
			}
		}
	}
}

// imported maps each non-test Go file of the module to its imports.
func imported(t *testing.T) map[string][]string {
	out := map[string][]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "/") || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		out[path] = []string{}
		for _, imp := range f.Imports {
			p, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				return err
			}
			out[path] = append(out[path], p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 10 {
		t.Fatalf("found only %d files: the walk is broken", len(out))
	}
	return out
}

func layerOf(t *testing.T, file string) int {
	best := -1
	for i, l := range layers {
		if anyPrefix(filepath.Dir(file), []string{l.folder}) && (best < 0 || len(l.folder) > len(layers[best].folder)) {
			best = i
		}
	}
	if best < 0 {
		t.Fatalf("%s is in no layer: the top-level folders are fixed (DESIGN)", file)
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
