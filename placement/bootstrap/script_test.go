package bootstrap

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorate/quorate/placement/topology"
)

var rewrite = flag.Bool("rewrite", false, "rewrite testdata with what the code does now; commit only what you understand")

// TestScripts plays the conversations in testdata. A line that does not begin with "  " or "#" is a command, and the
// indented lines below are what must come out:
//
//	node NAME DIGIT EXPECT   a host with empty disk and that digit as id
//	init A B…                A was told to found a cluster with B…
//	greet A B                two hosts greet each other
//	step A…                  each decides and executes it
//	look A…                  each decides, and crashes before it writes anything
//	restart A…               loses what it heard, keeps its disk
//	settle [without A…]      everybody greets and steps until nothing changes
//	disks                    what every host has written
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { playFile(t, file) })
	}
}

func playFile(t *testing.T, file string) {
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld()
	var got strings.Builder
	for line := range strings.Lines(string(want)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "  ") {
			continue
		}
		fmt.Fprintln(&got, line)
		if words := strings.Fields(line); len(words) > 0 && words[0] != "#" {
			for _, l := range w.command(t, words) {
				fmt.Fprintln(&got, "  "+l)
			}
		}
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got.String() != string(want) {
		t.Errorf("%s: the conversation is now:\n%s", file, got.String())
	}
}

func (w *world) command(t *testing.T, words []string) (out []string) {
	switch verb, args := words[0], words[1:]; verb {
	case "node":
		w.add(args[0], args[1], int(args[2][0]-'0'))
	case "init":
		w.initBy(t, args)
	case "greet":
		w.greet(w.host(t, args[0]), w.host(t, args[1]))
	case "step":
		for _, name := range args {
			a, err := w.step(w.host(t, name))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, show(name, a))
		}
	case "look":
		for _, name := range args {
			out = append(out, show(name, w.decide(w.host(t, name))))
			w.host(t, name).forget()
		}
	case "restart":
		for _, name := range args {
			w.host(t, name).forget()
		}
	case "settle":
		down := map[string]bool{}
		for _, name := range args[min(1, len(args)):] {
			down[name] = true
		}
		if err := w.settle(down); err != nil {
			t.Fatal(err)
		}
	case "disks":
		out = w.disks()
	default:
		t.Fatalf("unknown command %q", verb)
	}
	return out
}

func (w *world) initBy(t *testing.T, names []string) {
	var nodes []topology.Node
	for _, name := range names {
		nodes = append(nodes, w.host(t, name).self)
	}
	w.made++
	p, err := NewProposal(fmt.Sprintf("%040x", 0xc0+w.made), nodes[0].ID, nodes, Shape{})
	if err != nil {
		t.Fatal(err)
	}
	w.host(t, names[0]).disk.Accepted = p
}

func (w *world) host(t *testing.T, name string) *host {
	h := w.hosts[name]
	if h == nil {
		t.Fatalf("no node %q in the script", name)
	}
	return h
}

func show(name string, a Action) string { return fmt.Sprintf("%s: %s: %s", name, a.Verb, a.Why) }

func (w *world) disks() (out []string) {
	for _, h := range w.sorted() {
		line := h.name + ":"
		if p := h.disk.Accepted; p != nil {
			line += " accepted …" + p.Cluster[36:] + " of"
			for _, n := range p.Nodes {
				line += " " + n.Name
			}
		}
		if h.disk.Cluster != "" {
			line += " member of …" + h.disk.Cluster[36:]
		}
		out = append(out, line)
	}
	return out
}
