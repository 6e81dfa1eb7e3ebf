package consensus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
)

var errCut = errors.New("the power was cut")

// slowDisk is a log store in which the next write of commands waits until it is let go, or fails.
type slowDisk struct {
	*raft.InmemStore
	mu   sync.Mutex
	held chan error // nil: it doesn't wait
}

func (d *slowDisk) StoreLogs(entries []*raft.Log) error {
	if entries[0].Type == raft.LogCommand {
		d.mu.Lock()
		held := d.held
		d.held = nil
		d.mu.Unlock()
		if held != nil {
			if err := <-held; err != nil {
				return err
			}
		}
	}
	return d.InmemStore.StoreLogs(entries)
}

// hold has the next write wait until end is called, with nil or why it fails.
func (d *slowDisk) hold() (end func(error)) {
	held := make(chan error)
	d.mu.Lock()
	d.held = held
	d.mu.Unlock()
	return func(err error) { held <- err }
}

// slow makes a cluster of three whose disks can be held. Writes that fail come to failed.
func slow(t *testing.T, off Off) (c *cluster, disks map[string]*slowDisk, failed chan error) {
	disks, failed = map[string]*slowDisk{}, make(chan error, 10)
	c = newCluster(t, 3, func(cfg *Config) {
		if disks[cfg.Self] == nil {
			disks[cfg.Self] = &slowDisk{InmemStore: cfg.Logs.(*raft.InmemStore)}
		}
		cfg.Logs, cfg.Ahead, cfg.off, cfg.TrailingLogs = disks[cfg.Self], true, off, 1
		cfg.Fatal = func(err error) { failed <- err }
	})
	return c, disks, failed
}

// crash ends a node whose disk has failed.
func (n *node) crash() {
	n.link.Close()
	n.tr.Close()
	_ = n.Replica.Close()
	n.Replica = nil
}

func (n *node) proposeAhead(s string) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := n.ProposeAhead([]byte(s))
		done <- err
	}()
	return done
}

// holds reports whether the node's disk has a command.
func (n *node) holds(command string) bool {
	last, _ := n.logs.LastIndex()
	for i := uint64(1); i <= last; i++ {
		var e raft.Log
		if n.logs.GetLog(i, &e) == nil && string(e.Data) == command {
			return true
		}
	}
	return false
}

func TestAProposalIsSentAheadAndNobodyIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, disks, _ := slow(t, Off{})
		l := c.ready()
		end := disks[l.id].hold()
		done := l.proposeAhead("x")
		for _, n := range c.others(l) {
			c.await("the entry on the disk of "+n.id, func() bool { return n.holds("x") })
		}
		time.Sleep(10 * time.Second) // heartbeats and commit indexes go on
		for _, n := range c.nodes {
			if s := n.Stats(); len(n.fsm.items()) > 0 || n != l && s.Committed >= s.Last {
				t.Errorf("%s shows %q, committed %d of %d, before the leader's disk has it", n.id, n.fsm.items(), s.Committed, s.Last)
			}
		}
		if len(done) > 0 || l.holds("x") || !l.Leader().Ready {
			t.Fatalf("answered: %d, on the leader's disk: %v, leads: %v", len(done), l.holds("x"), l.Leader().Ready)
		}
		end(nil)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		c.agree(1)
	})
}

// Commands that others wait with are on the leader's disk before they are sent.
func TestOtherProposalsWaitForTheLeadersDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, disks, _ := slow(t, Off{})
		l := c.ready()
		end := disks[l.id].hold()
		done := make(chan error)
		go func() { done <- l.propose("x") }()
		time.Sleep(10 * time.Second)
		for _, n := range c.others(l) {
			if n.holds("x") {
				t.Errorf("%s has it", n.id)
			}
		}
		end(nil)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

func TestWhatIsSentAhead(t *testing.T) {
	kinds := func(types ...raft.LogType) (entries []*raft.Log) {
		for _, k := range types {
			entries = append(entries, &raft.Log{Type: k})
		}
		return entries
	}
	for name, c := range map[string]struct {
		entries      []*raft.Log
		asked, leads bool
		want         bool
	}{
		"a command":                   {kinds(raft.LogCommand), true, true, true},
		"two commands":                {kinds(raft.LogCommand, raft.LogCommand), true, true, true},
		"nobody asked":                {kinds(raft.LogCommand), false, true, false},
		"a follower":                  {kinds(raft.LogCommand), true, false, false},
		"a configuration":             {kinds(raft.LogConfiguration), true, true, false},
		"a no-op":                     {kinds(raft.LogNoop), true, true, false},
		"a command with a barrier":    {kinds(raft.LogCommand, raft.LogBarrier), true, true, false},
		"a configuration and command": {kinds(raft.LogConfiguration, raft.LogCommand), true, true, false},
	} {
		s := &logStore{leads: func() bool { return c.leads }}
		s.ahead.Store(c.asked)
		if s.sendsAhead(c.entries) != c.want {
			t.Errorf("%s is sent ahead: %v", name, !c.want)
		}
	}
}

// The leader's power is cut while its disk writes. What the others have goes on; what the leader thought to have is forgotten.
func TestPowerCutOfALeaderThatSentAhead(t *testing.T) {
	for _, reached := range []int{0, 1, 2} {
		t.Run(fmt.Sprint("followers reached: ", reached), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, disks, failed := slow(t, Off{})
				l := c.ready()
				others := c.others(l)
				for _, n := range others[reached:] {
					c.net.Isolate(topology.NodeID(n.id))
				}
				end := disks[l.id].hold()
				done := l.proposeAhead("x")
				synctest.Wait()
				for _, n := range others[:reached] {
					c.await("the entry on the disk of "+n.id, func() bool { return n.holds("x") })
				}
				end(errCut)
				if err := <-done; !errors.Is(err, ErrUnknown) {
					t.Errorf("the proposal ended with %v", err)
				}
				if err := <-failed; !errors.Is(err, errCut) {
					t.Errorf("fatal: %v", err)
				}
				if err := l.Snapshot(); err == nil && l.Stats().Snapshots > 0 {
					t.Error("a snapshot was taken that is said to hold the entry")
				}
				l.crash()
				c.net.HealAll()
				l.open(false)
				next := c.ready()
				if err := next.propose("y"); err != nil {
					t.Fatal(err)
				}
				c.agree(len(next.fsm.items()))
				if kept := slices.Contains(next.fsm.items(), "x"); kept && reached == 0 || !kept && reached == 2 {
					t.Errorf("%q is left", next.fsm.items())
				}
			})
		})
	}
}

// If the leader answered before its disk has the entry, a power cut could take back what was acknowledged.
func TestWithoutTheWaitAnAnswerIsTakenBack(t *testing.T) {
	for _, off := range []bool{false, true} {
		t.Run(fmt.Sprint("guard off: ", off), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, disks, _ := slow(t, Off{Durable: off})
				l := c.ready()
				a, b := c.others(l)[0], c.others(l)[1]
				c.net.Isolate(topology.NodeID(b.id))
				end := disks[l.id].hold()
				done := l.proposeAhead("x")
				c.await("the entry on one other disk", func() bool { return a.holds("x") })
				time.Sleep(100 * time.Millisecond)
				answered := len(done) == 1
				if answered != off {
					t.Errorf("answered before the leader's disk had it: %v", answered)
				}
				end(errCut)
				if err := <-done; off && err != nil {
					t.Error(err)
				}
				l.crash()
				a.crash()
				c.net.HealAll()
				l.open(false) // with b, and without a
				if err := c.ready().propose("y"); err != nil {
					t.Fatal(err)
				}
				if lost := !slices.Contains(b.fsm.items(), "x"); !lost {
					t.Error("nothing was lost: the test shows nothing")
				}
			})
		})
	}
}

// A leader that is deposed while its disk writes drops the entry when that is done, whether entries or a snapshot replace it, and
// acknowledges nothing before.
func TestADeposedLeaderThatSentAhead(t *testing.T) {
	for _, snapshot := range []bool{false, true} {
		t.Run(fmt.Sprint("snapshot: ", snapshot), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, disks, _ := slow(t, Off{})
				l := c.ready()
				end := disks[l.id].hold()
				l.isolate()
				if err := <-l.proposeAhead("x"); !errors.Is(err, ErrUnknown) {
					t.Fatal(err)
				}
				next := c.ready(l)
				for i := range 3 {
					if err := next.propose(fmt.Sprint("kept ", i)); err != nil {
						t.Fatal(err)
					}
				}
				if snapshot {
					if err := next.Snapshot(); err != nil {
						t.Fatal(err)
					}
				}
				c.net.HealAll()
				time.Sleep(5 * time.Second)
				if l.holds("kept 0") || len(l.fsm.items()) > 0 {
					t.Fatalf("its log goes on before the disk is done: %q", l.fsm.items())
				}
				for _, p := range next.Stats().Peers {
					if p.ID == l.id && p.Matched >= next.Stats().Applied {
						t.Errorf("it has acknowledged %d before its disk was done", p.Matched)
					}
				}
				end(nil)
				c.agree(3)
				if err := c.ready().propose("more"); err != nil {
					t.Fatal(err)
				}
				c.agree(4)
				if l.holds("x") || l.Stats().Installed > 0 != snapshot {
					t.Errorf("the entry is still there: %v; installed %d snapshots", l.holds("x"), l.Stats().Installed)
				}
			})
		})
	}
}

// A leader that is elected again while its disk still writes what it sent in an earlier term goes on from that: as nobody else can
// win against its log, and the no-op of its new term waits for the disk.
func TestALeaderThatSentAheadIsElectedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, disks, _ := slow(t, Off{})
		l := c.ready()
		term := l.Leader().Term
		end := disks[l.id].hold()
		l.isolate()
		if err := <-l.proposeAhead("x"); !errors.Is(err, ErrUnknown) {
			t.Fatal(err)
		}
		c.net.HealAll()
		a, b := topology.NodeID(c.others(l)[0].id), topology.NodeID(c.others(l)[1].id)
		c.net.SetTap(func(_ context.Context, m memnet.Message) bool {
			return !(m.From == a && m.To == b || m.From == b && m.To == a)
		})
		c.await("another term", func() bool { s := l.Stats(); return s.State == "leader" && s.Term > term })
		time.Sleep(100 * time.Millisecond)
		if l.Leader().Ready || l.holds("x") {
			t.Errorf("ready: %v, on its disk: %v", l.Leader().Ready, l.holds("x"))
		}
		end(nil)
		c.net.SetTap(nil)
		if err := c.ready().propose("y"); err != nil {
			t.Fatal(err)
		}
		c.agree(2)
	})
}

// waits starts f and checks that it does not end before the disk is let go.
func waits(t *testing.T, end func(error), f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		f()
		close(done)
	}()
	time.Sleep(5 * time.Second)
	select {
	case <-done:
		t.Fatal("it did not wait for the disk")
	default:
	}
	end(nil)
	<-done
}

func TestCloseAndRestartWaitForTheDisk(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprint("restart: ", restart), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, disks, _ := slow(t, Off{})
				l := c.ready()
				end := disks[l.id].hold()
				l.isolate() // or raft itself would wait for the state machine
				if err := <-l.proposeAhead("x"); !errors.Is(err, ErrUnknown) {
					t.Fatal(err)
				}
				waits(t, end, func() {
					if !restart {
						l.close()
						return
					}
					was := l.current.Load()
					was.wishRestart("a test")
					c.await("another instance", func() bool { now := l.current.Load(); return now != nil && now != was })
				})
				if !l.holds("x") {
					t.Error("the write was not waited for")
				}
			})
		})
	}
}

// Others than those who send see what is on the disk, and wait for it; if it fails, they fail.
func TestReadersWaitForTheDiskUnlessTheySend(t *testing.T) {
	for name, use := range map[string]func(*logStore) error{
		"store":    func(s *logStore) error { return s.StoreLogs(run(5, 5, 1)) },
		"read":     func(s *logStore) error { return s.GetLog(4, &raft.Log{}) },
		"delete":   func(s *logStore) error { return s.DeleteRange(1, 1) },
		"open":     func(s *logStore) error { return s.open(nil) },
		"last":     func(s *logStore) error { return orError(s.lastEntry()) },
		"conflict": func(s *logStore) error { return conflict(s.conflicts(4, 2)) },
	} {
		for _, cut := range []error{nil, errCut} {
			t.Run(fmt.Sprint(name, ", the write ends with ", cut), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFixture(t, nil, run(1, 3, 1)...)
					s := f.logs
					if err := s.open(nil); err != nil {
						t.Fatal(err)
					}
					disk := &slowDisk{InmemStore: f.store}
					leads := true
					s.LogStore, s.leads, s.fail = disk, func() bool { return leads }, &failStop{fatal: func(error) {}}
					s.ahead.Store(true)
					end := disk.hold()
					if err := s.StoreLogs(run(4, 4, 1)); err != nil {
						t.Fatal(err)
					}
					var e raft.Log
					if err := s.GetLog(4, &e); err != nil || e.Index != 4 {
						t.Fatalf("a leader's sender reads %d, %v", e.Index, err)
					}
					leads = false
					done := make(chan error, 1)
					go func() { done <- use(s) }()
					synctest.Wait()
					if len(done) > 0 {
						t.Errorf("done before the disk was: %v", <-done)
					}
					end(cut)
					if err := <-done; (err == nil) != (cut == nil) {
						t.Error(err)
					}
				})
			})
		}
	}
}

func orError(_, _ uint64, ok bool) error {
	if !ok {
		return errors.New("there is no last entry")
	}
	return nil
}

func conflict(yes bool) error {
	if !yes {
		return errors.New("there is no conflict")
	}
	return nil
}
