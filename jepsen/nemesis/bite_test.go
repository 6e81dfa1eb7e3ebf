package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quorate/quorate/jepsen/process"
)

// snapshots is the first argument of this test's executable as a process that writes snapshots.
const snapshots = "write-snapshots"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == snapshots {
		writeSnapshots(filepath.Join(os.Args[2], "groups", "1"))
	}
	os.Exit(m.Run())
}

// writeSnapshots does nothing else, until it is killed: every one takes a twentieth of a millisecond, and then there is none for as long.
func writeSnapshots(dir string) {
	err := os.MkdirAll(dir, 0o700)
	for err == nil {
		file := filepath.Join(dir, "tmp-1")
		err = os.WriteFile(file, nil, 0o600)
		spin(50 * time.Microsecond)
		err = errors.Join(err, os.Remove(file))
		spin(50 * time.Microsecond)
	}
	fmt.Println(err)
	os.Exit(1)
}

func spin(d time.Duration) {
	for began := time.Now(); time.Since(began) < d; {
	}
}

// script is a system of processes that run a program with their folder as its last argument, and are never ready.
type script []string

func (s script) Args(c *process.Cluster, i int) []string {
	return append(slices.Clone(s), c.Nodes()[i].Data())
}

func (s script) Form(context.Context, *process.Cluster) error { return nil }

func (s script) Ready(context.Context, *process.Node) error {
	return errors.New("a script serves nobody")
}

// scripts are nodes that run s, and a nemesis whose patience with them has no end.
func scripts(t *testing.T, s script, nodes, port int) *env {
	t.Helper()
	c, err := process.Start(t.Context(), process.Options{System: s, Dir: t.TempDir(), Nodes: nodes, Port: port})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &env{cluster: c, bound: time.Hour, rng: rand.New(rand.NewPCG(1, 1))}
}

// A process that is killed while it writes a snapshot has not finished it between the look and the kill. This one has written and
// finished some by the time that anybody looks twice.
func TestWhoIsKilledWritingHasNotFinished(t *testing.T) {
	e := scripts(t, script{os.Args[0], snapshots}, 1, 21210)
	n := e.cluster.Nodes()[0]
	for killed := 0; killed < 150; {
		file := killedWriting(n)
		if file == "" {
			continue
		}
		killed++
		if _, err := os.Stat(file); err != nil || n.Pid() != 0 {
			t.Fatalf("%s was finished before the process died: %v", filepath.Base(file), err)
		}
		if err := errors.Join(os.Remove(file), n.Start()); err != nil {
			t.Fatal(err)
		}
	}
}

// idle sleeps for so long that no test sees the end of it.
var idle = script{"sh", "-c", "exec sleep 1000"}

// A restart in turn beside another fault gives up waiting for a node that this may keep from being ready: here none ever is.
func TestARestartBesideAnotherFaultGoesOn(t *testing.T) {
	e := scripts(t, idle, 3, 21220)
	e.amid = true
	if in, err := roll(t.Context(), e); err != nil || in.bit() != "1 processes were replaced" {
		t.Errorf("%q, %v", in.bit(), err)
	}
}

// The node that was away comes back only when a snapshot of another one is past what it has.
func TestANodeIsAwayUntilSnapshotsAreBeyondIt(t *testing.T) {
	e := scripts(t, idle, 2, 21230)
	var asked atomic.Int64
	for i, node := range e.cluster.Nodes() {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 21230+i+1000))
		if err != nil {
			t.Fatal(err)
		}
		victim := node.Name() == "node1"
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			index := int64(1000) // the victim's own says nothing
			if !victim {
				index = 30 * asked.Add(1)
			}
			fmt.Fprintf(w, "# TYPE quorate_group_snapshot_index gauge\nquorate_group_snapshot_index %d\n", index)
		})}
		go func() { _ = s.Serve(l) }() // until it is closed
		t.Cleanup(func() { s.Close() })
	}
	e.outrun(t.Context(), "node1", 100)
	if n := asked.Load(); n != 4 {
		t.Errorf("it came back after %d looks, want 4", n)
	}
}
