package quorate

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// TestGuardsCanNotBeSwitchedOff looks at the files that a build without tags takes: in them, every switch of a guard is a
// constant that is false, or a field that nobody sets.
func TestGuardsCanNotBeSwitchedOff(t *testing.T) {
	constants, tagged := 0, 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		dir, name := filepath.Split(path)
		normal, err := build.Default.MatchFile(dir, name)
		if err != nil {
			return err
		}
		if !normal {
			tagged += strings.Count(name, "off_mutation.go")
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			constants += switches(t, path, n)
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if constants < 10 || tagged < 6 {
		t.Errorf("found %d constants and %d files that switch guards off: the walk is broken", constants, tagged)
	}
}

// switches complains about a way to switch a guard off, and counts constants that say that one is on.
func switches(t *testing.T, path string, n ast.Node) (constants int) {
	isSwitch := func(name string) bool {
		return len(name) > 3 && strings.HasPrefix(name, "off") && 'A' <= name[3] && name[3] <= 'Z'
	}
	switch n := n.(type) {
	case *ast.FuncDecl:
		if n.Name.Name == "SwitchOff" {
			t.Errorf("%s: a normal build has SwitchOff", path)
		}
	case *ast.GenDecl:
		for _, spec := range n.Specs {
			v, ok := spec.(*ast.ValueSpec)
			if !ok {
				continue
			}
			for i, name := range v.Names {
				switch {
				case name.Name == "Off" && n.Tok == token.VAR:
					t.Errorf("%s: a normal build has a variable Off", path)
				case !isSwitch(name.Name):
				case n.Tok == token.CONST && i < len(v.Values) && isFalse(v.Values[i]):
					constants++
				default:
					t.Errorf("%s: in a normal build %s must be a constant that is false", path, name.Name)
				}
			}
		}
	case *ast.CompositeLit:
		if name, ok := typeName(n.Type); ok && name == "Off" && len(n.Elts) > 0 {
			t.Errorf("%s: a normal build makes an Off that is not empty", path)
		}
	}
	return constants
}

func isFalse(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == "false"
}

func typeName(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name, true
	case *ast.SelectorExpr:
		return e.Sel.Name, true
	}
	return "", false
}
