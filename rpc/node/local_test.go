package node_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/node"
	"github.com/quorate/quorate/rpc/node/config"
)

// startLocal runs a cluster of three nodes in this process until the test ends and waits until it serves.
func startLocal(t *testing.T, change func(i int, c *config.Config)) (l *node.Local, port int) {
	t.Helper()
	port = freePorts(t, 3)
	l = openLocal(t, t.TempDir(), port, change)
	t.Cleanup(func() { stop(t, l) })
	return l, port
}

func openLocal(t *testing.T, dir string, port int, change func(i int, c *config.Config)) *node.Local {
	t.Helper()
	return openLocalOf(t, 3, dir, port, change)
}

func openLocalOf(t *testing.T, nodes int, dir string, port int, change func(i int, c *config.Config)) *node.Local {
	t.Helper()
	return openLocalOn(t, node.Host{}, nodes, dir, port, change)
}

func openLocalOn(t *testing.T, host node.Host, nodes int, dir string, port int, change func(i int, c *config.Config)) *node.Local {
	t.Helper()
	var c config.Config
	config.Flags(pflag.NewFlagSet("test", pflag.ContinueOnError), &c)
	c.HTTPListen = config.Off
	l, err := node.StartLocal(node.LocalOptions{
		Options: node.Options{
			Config: c, Version: "test", Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError})),
			Fatal: func(err error) { panic(err) }, Host: host,
		},
		Dir: dir, Nodes: nodes, Port: port, Each: change,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := l.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return l
}

func stop(t *testing.T, l *node.Local) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := l.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// freePorts finds a port such that it and the n-1 next ones are free, and those 10000 above, below the range that the kernel
// gives to outgoing connections.
func freePorts(t *testing.T, n int) int {
	t.Helper()
	for range 100 {
		port := 10_000 + rand.IntN(1200)*10
		if free(port, n) && free(port+10_000, n) {
			return port
		}
	}
	t.Fatal("found no free ports")
	return 0
}

func free(port, n int) bool {
	for i := range n {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+i))
		if err != nil {
			return false
		}
		ln.Close()
	}
	return true
}

func TestRestartContinues(t *testing.T) {
	dir, port := t.TempDir(), freePorts(t, 3)
	l := openLocal(t, dir, port, nil)
	c := client.NewCluster(l.Addrs(), client.Options{})
	for i := range 200 {
		key := fmt.Sprint("key:", i)
		if _, err := c.Do(t.Context(), key, "SET", key, key); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	ids := l.Nodes()[0].Identity().ID
	stop(t, l)
	l = openLocal(t, dir, port, nil)
	defer stop(t, l)
	if again := l.Nodes()[0].Identity().ID; again != ids {
		t.Errorf("node 1 was %s and is %s after a restart", ids, again)
	}
	c = client.NewCluster(l.Addrs(), client.Options{})
	defer c.Close()
	for i := range 200 {
		key := fmt.Sprint("key:", i)
		if v, err := c.Do(t.Context(), key, "GET", key); err != nil || v.Str != key {
			t.Fatalf("%s is %q, %v after a restart", key, v.Str, err)
		}
	}
}

func TestReplicasAgreeAndLeadersMove(t *testing.T) {
	l, _ := startLocal(t, nil)
	c := client.NewCluster(l.Addrs(), client.Options{})
	defer c.Close()
	a, err := client.NewAdmin(t.Context(), l.Addrs(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for i, n := range l.Nodes() {
		for k := range 30 {
			key := fmt.Sprint("key:", k)
			if v, err := c.Do(t.Context(), key, "INCR", key); err != nil || v.Int != int64(i+1) {
				t.Fatalf("%s: INCR gave %d, %v, want %d", key, v.Int, err, i+1)
			}
		}
		s, err := a.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range s.Groups {
			d, err := a.Digests(t.Context(), g.ID)
			if err != nil || len(d) != 3 {
				t.Fatalf("group %d: %d digests, %v", g.ID, len(d), err)
			}
			if err := client.SameDigests(d); err != nil {
				t.Error(err)
			}
			if err := a.Transfer(t.Context(), g.ID, n.Identity().Name); err != nil {
				t.Fatalf("group %d to %s: %v", g.ID, n.Identity().Name, err)
			}
			everyoneNames(t, l, g.ID, n.Identity().ID)
		}
	}
}

// everyoneNames waits until all nodes name leader as that of g, by what was published and by raft itself. Without elections both stay.
func everyoneNames(t *testing.T, l *node.Local, g slot.GroupID, leader topology.NodeID) {
	t.Helper()
	await(t, func() error {
		for _, n := range l.Nodes() {
			if told, now := n.Leader(g), n.LeaderNow(g); told != leader || now != leader {
				return fmt.Errorf("group %d: node %s says that %s leads, and now %s, want %s", g, n.Identity().Name, told, now, leader)
			}
		}
		return nil
	})
}

// TestSettingsChangeAtOnce: two nodes change different settings, neither of them knowing of the other's change.
func TestSettingsChangeAtOnce(t *testing.T) {
	l, _ := startLocal(t, nil)
	nodes := l.Nodes()
	for round := range 10 {
		memory, samples := strconv.Itoa(1<<30+round), strconv.Itoa(10+round)
		other := make(chan error, 1)
		go func() { other <- nodes[1].SetSetting(t.Context(), "maxmemory-samples", samples) }()
		err := nodes[0].SetSetting(t.Context(), "maxmemory", memory)
		if err := errors.Join(err, <-other); err != nil {
			t.Fatal(err)
		}
		await(t, func() error {
			s := nodes[2].Map().Settings
			if got := strconv.FormatInt(s.MaxMemory, 10); got != memory || strconv.Itoa(s.MaxMemorySamples) != samples {
				return fmt.Errorf("maxmemory %s, maxmemory-samples %d, want %s and %s", got, s.MaxMemorySamples, memory, samples)
			}
			return nil
		})
	}
}

// TestLostLogIsNoticed: a node whose log was deleted must not start as if it had never acknowledged anything.
func TestLostLogIsNoticed(t *testing.T) {
	dir, port := t.TempDir(), freePorts(t, 3)
	l := openLocal(t, dir, port, nil)
	stop(t, l)
	if err := os.RemoveAll(filepath.Join(dir, "node2", "log")); err != nil {
		t.Fatal(err)
	}
	var c config.Config
	config.Flags(pflag.NewFlagSet("test", pflag.ContinueOnError), &c)
	c.DataDir, c.Listen, c.PeerListen, c.HTTPListen = filepath.Join(dir, "node2"), "127.0.0.1:0", "127.0.0.1:0", config.Off
	fatal := make(chan error, 1)
	n, err := node.Start(node.Options{Config: c, Version: "test", Logger: slog.New(slog.DiscardHandler), Fatal: func(err error) {
		select {
		case fatal <- err:
		default:
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case err = <-fatal:
	case <-time.After(20 * time.Second):
	}
	if err == nil || !strings.Contains(err.Error(), "log and snapshots are gone") {
		t.Errorf("the node started without its log: %v", err)
	}
	if err := n.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
