package nemesis

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/jepsen/process"
	"github.com/quorate/quorate/jepsen/sleep"
)

func snapshotFaults() []Fault {
	small := Needs{Quorate: true, Flags: []string{"--snapshot-log-bytes=64kb", "--trailing-entries=32", "--segment-bytes=1mb"}}
	return []Fault{
		{Name: "snapshot-behind", Family: "snapshot", About: "a node is away until the others' logs no longer reach back to what it has", Needs: small, inject: behind},
		{Name: "snapshot-kill", Family: "snapshot", About: "kill -9 of a node that is writing a snapshot", Needs: small, inject: killWriting},
		{Name: "corrupt-snapshot", Family: "corruption", About: "a bit of a dead node's newest snapshot flips: it must not start", Needs: small, inject: corrupt(newestSnapshot)},
		{Name: "corrupt-log", Family: "corruption", About: "a bit in the middle of a dead node's log flips: it must not start", Needs: Needs{Quorate: true}, inject: corrupt(middleOfLog)},
	}
}

const (
	// trailing entries stay in the log behind a snapshot, as snapshotFaults has it.
	trailing = 32
	// outrunning bounds the wait for the others' snapshots to get past what a node has.
	outrunning = 20 * time.Second
	// filling is what the nemesis itself writes to each probed slot meanwhile, in bytes: clients may write too little.
	filling = 4 << 10
)

// behind kills a node and waits until a snapshot is what will bring it back.
func behind(ctx context.Context, e *env) (injury, error) {
	s, err := e.cluster.Status(ctx)
	if err != nil {
		return injury{}, fmt.Errorf("%w: %w", errNotNow, err)
	}
	beyond := 0.0
	for _, last := range newest(s) {
		beyond += float64(last + trailing)
	}
	in, err := kill(one)(ctx, e)
	if err != nil {
		return in, err
	}
	in.until = func(ctx context.Context) { e.outrun(ctx, in.victim, beyond) }
	in.late = func() string {
		for _, n := range e.cluster.Nodes() {
			if m, err := n.Metrics(ctx); err == nil && n.Name() == in.victim && m["quorate_group_snapshot_installs_total"] > 0 {
				return fmt.Sprintf("%.0f snapshots were installed", m["quorate_group_snapshot_installs_total"])
			}
		}
		return ""
	}
	bit := in.bit
	in.bit = func() string { bit(); return "" } // that it was dead is not the point
	return in, nil
}

// outrun waits until the snapshots of a node other than the victim are, over all groups together, beyond an index: then so is that
// of one group at least.
func (e *env) outrun(ctx context.Context, victim string, beyond float64) {
	ctx, cancel := context.WithTimeout(ctx, outrunning)
	defer cancel()
	cl := client.NewCluster(e.cluster.Addrs(), client.Options{Timeout: time.Second})
	defer cl.Close()
	for ctx.Err() == nil {
		fill(ctx, cl)
		for _, n := range e.cluster.Nodes() {
			if m, err := n.Metrics(ctx); err == nil && n.Name() != victim && m["quorate_group_snapshot_index"] >= beyond {
				return
			}
		}
		sleep.For(ctx, 20*time.Millisecond)
	}
}

// fill writes a large value to each probed slot.
func fill(ctx context.Context, cl *client.Cluster) {
	filler := strings.Repeat("x", filling)
	for i := range probes {
		key := probeKey(i)
		_, _ = cl.Do(ctx, key, "SET", key, filler) // one that is refused is missed by nobody
	}
}

// killWriting looks for an unfinished snapshot file for as long as the fault may last, and then for as long as it takes. It
// writes itself meanwhile, as clients may write too little for snapshots to be taken.
func killWriting(_ context.Context, e *env) (injury, error) {
	all := e.cluster.Nodes()
	died := ""
	hunt := func(ctx context.Context) {
		if died != "" {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, outrunning)
		defer cancel()
		var filling sync.WaitGroup
		filling.Go(func() {
			cl := client.NewCluster(e.cluster.Addrs(), client.Options{Timeout: time.Second})
			defer cl.Close()
			for ctx.Err() == nil {
				fill(ctx, cl)
			}
		})
		for ctx.Err() == nil && died == "" {
			for _, n := range all {
				if file := killedWriting(n); file != "" {
					died = fmt.Sprintf("%s died while it wrote %s", n.Name(), filepath.Base(file))
					break
				}
			}
			time.Sleep(time.Millisecond)
		}
		cancel()
		filling.Wait()
	}
	return injury{
		victim: "whoever writes one", act: hunt, until: hunt,
		bit:  func() string { return died },
		heal: func() error { return startAll(all) },
	}, nil
}

// killedWriting kills a node if it writes a snapshot, and returns the unfinished file, "" if there is none. A node that stands
// still can't finish it between the look and the kill.
func killedWriting(n *process.Node) string {
	if n.Pid() == 0 || len(unfinished(n)) == 0 {
		return ""
	}
	n.Pause()
	defer n.Resume()
	stands := still(n)
	for tries := 0; !stands && tries < 100; tries++ { // the signal takes a moment
		time.Sleep(time.Millisecond)
		stands = still(n)
	}
	left := unfinished(n)
	if !stands || len(left) == 0 {
		return ""
	}
	n.Kill()
	return left[0]
}

func unfinished(n *process.Node) []string {
	found, _ := filepath.Glob(filepath.Join(n.Data(), "groups", "*", "tmp-*")) // the pattern is good
	return found
}

// corrupt has a node killed, flips a bit of a file, and wants the node to refuse to start; then the bit is flipped back.
func corrupt(killed func(ctx context.Context, n *process.Node) (path string, at int64, err error)) func(context.Context, *env) (injury, error) {
	return func(ctx context.Context, e *env) (injury, error) {
		n := e.node()
		in := injury{victim: n.Name(), heal: func() error { return startAll([]*process.Node{n}) }}
		path, at, err := killed(ctx, n)
		if err != nil {
			return in, err
		}
		if err := flip(path, at); err != nil {
			return in, err
		}
		from := size(n.Log())
		n.MayEnd()
		in.victim += " (" + strings.TrimPrefix(path, n.Data()+"/") + ")"
		stopped := func() bool { return n.Pid() == 0 }
		in.bit = func() string {
			if stopped() && (said(n.Log(), from, "corrupt") || said(n.Log(), from, "damaged")) {
				return "the node refused to start"
			}
			return ""
		}
		in.heal = func() error {
			silent := !stopped()
			if silent {
				n.Kill()
			}
			err := errors.Join(flip(path, at), n.Start())
			if silent {
				err = errors.Join(err, fmt.Errorf("%w: %s runs with a damaged %s", ErrWrong, n.Name(), path))
			}
			return err
		}
		return in, startDamaged(ctx, n)
	}
}

// startDamaged starts the node and waits a moment for it to notice.
func startDamaged(ctx context.Context, n *process.Node) error {
	err := n.Start()
	n.MayEnd()
	for i := 0; i < 100 && n.Pid() != 0 && err == nil; i++ {
		sleep.For(ctx, 50*time.Millisecond)
	}
	return err
}

// flip flips the lowest bit of the byte at an offset.
func flip(path string, at int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	var b [1]byte
	_, err = f.ReadAt(b[:], at)
	if err == nil {
		b[0] ^= 1
		_, err = f.WriteAt(b[:], at)
	}
	return errors.Join(err, f.Close())
}

// newestSnapshot kills a node and finds the middle of a group's snapshot.
func newestSnapshot(_ context.Context, n *process.Node) (string, int64, error) {
	n.Kill()
	found, _ := filepath.Glob(filepath.Join(n.Data(), "groups", "[1-9]*", "*.snap")) // the pattern is good
	if len(found) == 0 {
		return "", 0, fmt.Errorf("%w: no snapshot yet", errNotNow)
	}
	path := found[len(found)-1]
	return path, size(path) / 2, nil
}

// aged is longer than anything that a node has logged stays unsynced and not vouched for by what follows, with durability interval and
// under load too, on a disk that works.
const aged = 2500 * time.Millisecond

// middleOfLog finds a byte of the log and kills the node when that was written long ago: damage to what may not have been synced looks
// like a torn write.
func middleOfLog(ctx context.Context, n *process.Node) (string, int64, error) {
	found, _ := filepath.Glob(filepath.Join(n.Data(), "log", "*.wal")) // the pattern is good
	for _, path := range found {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // nobody needs it any more
		}
		if err != nil {
			return "", 0, err
		}
		used := int64(len(data))
		for used > 0 && data[used-1] == 0 {
			used--
		}
		if used > 32<<10 {
			sleep.For(ctx, aged)
			n.Kill()
			if _, err := os.Stat(path); err != nil {
				return "", 0, fmt.Errorf("%w: the file is needed no more: %w", errNotNow, err)
			}
			return path, used / 2, nil
		}
	}
	return "", 0, fmt.Errorf("%w: hardly anything was logged yet", errNotNow)
}
