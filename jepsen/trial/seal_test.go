package trial

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/jepsen/check"
	"github.com/quorate/quorate/jepsen/journal"
)

// found says that a checker was not content.
func found(v Verdict, checker string) bool {
	return slices.ContainsFunc(v.Results, func(r check.Result) bool { return !r.OK && r.Checker == checker })
}

// damages hurts copies of a good run's folder, each of which must not pass for good, and must say what is wrong.
func damages(t *testing.T, good string) {
	change := func(name string, how func([]byte) []byte) func(dir string) error {
		return func(dir string) error {
			path := filepath.Join(dir, name)
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, how(b), 0o644)
		}
	}
	lines := func(keep float64) func(b []byte) []byte {
		return func(b []byte) []byte {
			all := bytes.SplitAfter(b, []byte("\n"))
			return bytes.Join(all[:int(float64(len(all))*keep)], nil)
		}
	}
	gone := func(name string) func(string) error {
		return func(dir string) error { return os.Remove(filepath.Join(dir, name)) }
	}
	for want, hurt := range map[string]func(dir string) error{
		"operations that were recorded":                    change(fileHistory, lines(0.9)),
		"nothing is known of the nodes' logs":              gone(fileJournal),
		"faults.jsonl is missing":                          gone(fileFaults),
		"views.jsonl is missing":                           gone(fileViews),
		"views.jsonl is not what the run has left":         change(fileViews, lines(0.5)),
		"faults.jsonl is not what the run has left":        change(fileFaults, func([]byte) []byte { return nil }),
		"run.json is not what the run has left":            change(fileConfig, func(b []byte) []byte { return bytes.Replace(b, []byte(`"seed": 1`), []byte(`"seed": 2`), 1) }),
		"end.json does not say what the other files held":  change(fileEnd, func([]byte) []byte { return []byte("{}") }),
		"end.json has no replica's digest":                 endingWith(func(e *ending) { e.Said = nil }),
		"end.json has no digest of group":                  endingWith(func(e *ending) { e.Said = e.Said[:1] }),
		"end.json does not say what node2 held on to":      endingWith(func(e *ending) { e.Held = append(e.Held[:1:1], e.Held[2:]...) }),
		"end.json is not what the run has left":            endingWith(func(e *ending) { e.Exits = []string{""} }),
		"journal.json.gz lacks the logs of node3":          without(2),
		"has the logs of 2 of the 3 replicas of group":     withoutLog(2),
		"history.jsonl is not what the run has left":       change(fileHistory, func(b []byte) []byte { return bytes.Replace(b, []byte(`"process":1,`), []byte(`"process":2,`), 1) }),
		"end.json has no sum of journal.json.gz":           endingWith(func(e *ending) { delete(e.Sealed.SHA256, fileJournal) }),
		"end.json does not say what the other files held ": endingWith(func(e *ending) { e.Sealed = nil }),
	} {
		dir := filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(dir, os.DirFS(good)); err != nil {
			t.Fatal(err)
		}
		if err := hurt(dir); err != nil {
			t.Fatal(err)
		}
		v, err := Check(dir, time.Minute)
		if err != nil || v.OK || v.Word() == "ok" || !found(v, folder) || !strings.Contains(v.String(), want) {
			t.Errorf("want %q: %v\n%s", want, err, v)
		}
	}
	for name, want := range map[string]string{fileHistory: "can't be judged again", fileEnd: "broken off", fileConfig: "no folder of a run"} {
		dir := filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(dir, os.DirFS(good)); err != nil {
			t.Fatal(err)
		}
		if err := gone(name)(dir); err != nil {
			t.Fatal(err)
		}
		if v, err := Check(dir, time.Minute); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("without %s: %v\n%s", name, err, v)
		}
	}
}

// endingWith changes what was found at the end, and leaves the sums as they were.
func endingWith(how func(*ending)) func(dir string) error {
	return func(dir string) error {
		path := filepath.Join(dir, fileEnd)
		var e ending
		if err := readJSON(path, &e); err != nil {
			return err
		}
		how(&e)
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		return os.WriteFile(path, b, 0o644)
	}
}

// without takes a node's name out of the journal, as if its logs had never been read.
func without(node int) func(dir string) error {
	return func(dir string) error {
		path := filepath.Join(dir, fileJournal)
		j, err := journal.Load(path)
		if err != nil {
			return err
		}
		j.Nodes[node] = "nobody"
		return j.Save(path)
	}
}

// withoutLog takes what a node has of its last group out of the journal.
func withoutLog(node int) func(dir string) error {
	return func(dir string) error {
		path := filepath.Join(dir, fileJournal)
		j, err := journal.Load(path)
		if err != nil {
			return err
		}
		group := j.Spans[len(j.Spans)-1].Group
		j.Spans = slices.DeleteFunc(j.Spans, func(s journal.Span) bool { return s.Group == group && s.Node == node })
		for i := range j.Entries {
			if e := &j.Entries[i]; e.Group == group {
				e.Nodes = slices.DeleteFunc(e.Nodes, func(n int) bool { return n == node })
			}
		}
		j.Entries = slices.DeleteFunc(j.Entries, func(e journal.Entry) bool { return len(e.Nodes) == 0 })
		return j.Save(path)
	}
}
