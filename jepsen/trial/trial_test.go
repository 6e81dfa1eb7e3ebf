package trial

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/jepsen/check"
	"github.com/quorate/quorate/jepsen/process"
)

func config(name string) Config {
	return Config{
		Workload: name, Nemesis: []string{"kill"}, Duration: 6 * time.Second, Seed: 1, Nodes: 3, Clients: 6, Think: 2 * time.Millisecond,
		Quiet: [2]time.Duration{300 * time.Millisecond, 600 * time.Millisecond},
		Hurt:  [2]time.Duration{time.Second, 2 * time.Second},
		Bound: DefaultBound,
	}
}

// TestAppendUnderKill is the short form of `quorate jepsen run`: a real cluster, a real kill -9, a verdict, and the same verdict
// from the folder.
func TestAppendUnderKill(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	binary, err := process.Build(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "run")
	o := Options{Config: config("append"), Binary: binary, Dir: dir, Port: 17551, CheckTimeout: time.Minute}
	v, err := Run(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", v)
	if !v.OK || v.Bit == 0 || v.Ops.Applied == 0 {
		t.Errorf("ok %v, %d faults bit, %d operations applied", v.OK, v.Bit, v.Ops.Applied)
	}
	if _, err := Run(ctx, o); err == nil {
		t.Error("a second run into the same folder was not refused")
	}
	again, err := Check(dir, time.Minute)
	if err != nil || again.OK != v.OK || again.Ops != v.Ops || len(again.Results) != len(v.Results) {
		t.Errorf("judged again: %+v, %v", again, err)
	}
	damages(t, dir)
	spoil(t, dir)
	if worse, err := Check(dir, time.Minute); err != nil || !found(worse, "list-append") {
		t.Errorf("an acknowledged append was erased from every read and nobody noticed: %+v, %v", worse, err)
	}
	if page, err := os.ReadFile(filepath.Join(dir, filePage)); err != nil || !bytes.Contains(page, []byte("VIOLATION")) || bytes.Count(page, []byte("<svg")) != 2 {
		t.Errorf("the page does not show the violation, or lacks charts: %d bytes, %v", len(page), err)
	}
}

func TestWord(t *testing.T) {
	bad := func(checkers ...string) (out []check.Result) {
		for _, c := range checkers {
			out = append(out, check.Result{Checker: c})
		}
		return out
	}
	for want, v := range map[string][]Verdict{
		"ok":         {{OK: true}},
		"void":       {{Void: true, Results: bad("faults")}, {Void: true, Results: bad("load", "faults")}},
		"incomplete": {{Results: bad("folder")}, {Void: true, Results: bad("load", "folder")}},
		"VIOLATION":  {{Results: bad("register")}, {Void: true, Results: bad("load", "register")}, {Results: bad("folder", "register")}, {}},
	} {
		for _, x := range v {
			if got := x.Word(); got != want {
				t.Errorf("%+v is called %s, want %s", x, got, want)
			}
		}
	}
}

// TestOutside works twice on a cluster that it did not start: the second run must not stumble over the first one's keys.
func TestOutside(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	binary, err := process.Build(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c, err := process.Start(ctx, process.Options{Binary: binary, Dir: t.TempDir(), Nodes: 3, Port: 17561, Flags: []string{"--requirepass=let-me-in"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		dir := filepath.Join(t.TempDir(), "run")
		o := Options{Config: config("append"), Dir: dir, Password: "let-me-in", CheckTimeout: time.Minute}
		o.Cluster, o.Nemesis, o.Duration = c.Addrs()[:1], []string{"none"}, 2*time.Second
		v, err := Run(ctx, o)
		if err != nil || !v.OK || v.Ops.Applied == 0 {
			t.Errorf("%v\n%s", err, v)
		}
		spoil(t, dir)
		if worse, err := Check(dir, time.Minute); err != nil || !found(worse, "list-append") {
			t.Errorf("an acknowledged append was erased from every read and nobody noticed: %+v, %v", worse, err)
		}
	}
}

// spoil erases one element from all reads of a history, as if the cluster had lost the write.
func spoil(t *testing.T, dir string) {
	path := filepath.Join(dir, fileHistory)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The oldest element of all: it leads many lists of reads.
	lines := bytes.SplitAfter(b, []byte("\n"))
	i := slices.IndexFunc(lines, func(l []byte) bool {
		return bytes.Contains(l, []byte(`"applied"`)) && bytes.Contains(l, []byte("append "))
	})
	_, rest, _ := strings.Cut(string(lines[i]), "append ")
	element, _, _ := strings.Cut(strings.Fields(rest)[1], `"`)
	if err := os.WriteFile(path, bytes.ReplaceAll(b, []byte(element+"."), nil), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestRunRefuses(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"an unknown workload":            func(o *Options) { o.Workload = "dance" },
		"an unknown fault":               func(o *Options) { o.Nemesis = []string{"meteor"} },
		"a partition without namespaces": func(o *Options) { o.Nemesis = []string{"isolate"} },
		"no nodes":                       func(o *Options) { o.Nodes = 0 },
		"no time":                        func(o *Options) { o.Duration = 0 },
		"to hurt what others run":        func(o *Options) { o.Cluster = []string{"127.0.0.1:1"} },
		"flags for what others run": func(o *Options) {
			o.Cluster, o.Nemesis, o.Flags = []string{"127.0.0.1:1"}, []string{"none"}, []string{"--durability=interval"}
		},
	} {
		o := Options{Config: config("register"), Dir: t.TempDir()}
		change(&o)
		if _, err := Run(t.Context(), o); err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
}

func TestCheckRefusesAFolderWithoutARun(t *testing.T) {
	if _, err := Check(t.TempDir(), time.Second); err == nil {
		t.Error("want an error")
	}
}
