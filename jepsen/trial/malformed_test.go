package trial

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A history that no workload writes is refused, before a checker looks at it.
func TestMalformedHistoriesAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ line, want string }{
		"a read without a reply":   {`{"id":1,"process":1,"kind":"get","key":"k","call":1,"return":2,"outcome":"applied","reply":[]}`, "replies"},
		"a write without a value":  {`{"id":1,"process":1,"kind":"set","key":"k","call":1,"return":2,"outcome":"applied","reply":["OK"]}`, "arguments"},
		"operations that are gone": {`{"id":3,"process":1,"kind":"get","key":"k","call":1,"return":2,"outcome":"applied","reply":["x"]}`, "missing"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range map[string]string{fileHistory: c.line + "\n", fileConfig: `{"workload":"register","nemesis":["kill"],"nodes":3,"clients":1,"duration_ns":1000000000,"bound_ns":1000000000}`} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := Check(dir, time.Minute); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
