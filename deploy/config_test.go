package deploy

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/quorate/quorate/rpc/node/config"
)

var update = flag.Bool("update", false, "write quorate.yaml anew")

// TestReferenceIsComplete: quorate.yaml names every key with its documentation and default.
func TestReferenceIsComplete(t *testing.T) {
	want := reference()
	if *update {
		if err := os.WriteFile("quorate.yaml", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("quorate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("quorate.yaml differs from the keys that the server knows; run go test ./deploy -update and look at what changed")
	}
}

// TestReferenceLoads: with every comment taken away, the file is a valid configuration.
func TestReferenceLoads(t *testing.T) {
	file, err := os.ReadFile("quorate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() + "/quorate.yaml"
	live := strings.ReplaceAll(string(file), "\n#", "\n")
	var keys []string
	for line := range strings.Lines(live) {
		if strings.Contains(line, ": ") && !strings.HasPrefix(line, " ") {
			keys = append(keys, line)
		}
	}
	if err := os.WriteFile(path, []byte(strings.Join(keys, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	var c config.Config
	fs := pflag.NewFlagSet("server", pflag.ContinueOnError)
	config.Flags(fs, &c)
	if err := config.Load(fs, path, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Complete(); err != nil {
		t.Fatal(err)
	}
	fs.VisitAll(func(f *pflag.Flag) {
		if !f.Changed {
			t.Errorf("%s is not in the file", f.Name)
		}
	})
}

func reference() string {
	var b strings.Builder
	b.WriteString("# Every key of a Quorate node, at its default. A flag (--data-dir) or an environment variable (QUORATE_DATA_DIR) wins over\n# this file. Made by go test ./deploy -update.\n")
	fs := pflag.NewFlagSet("server", pflag.ContinueOnError)
	config.Flags(fs, new(config.Config))
	fs.VisitAll(func(f *pflag.Flag) {
		value := f.DefValue
		if value == "" || value == "[]" {
			value = `""`
		}
		fmt.Fprintf(&b, "\n# %s (%s)\n#%s: %s\n", f.Usage, f.Value.Type(), f.Name, value)
	})
	return b.String()
}
