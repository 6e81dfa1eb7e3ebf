package service

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/placement"
	"github.com/quorate/quorate/placement/topology"
)

func TestThreeNodesFoundACluster(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for _, n := range []string{"a", "b", "c"} {
			w.start(n, 3, "a:1", "b:1", "c:1")
		}
		m := w.agreed("a", "b", "c")
		if len(m.Groups) != 3 || len(m.Groups[0].Members) != 3 || len(m.Voters()) != 3 {
			t.Fatalf("%d groups of %d replicas, %d voters; want 3 of each", len(m.Groups), len(m.Groups[0].Members), len(m.Voters()))
		}
		c := w.servers["c"]
		<-c.svc.Ready()
		c.book.mu.Lock()
		defer c.book.mu.Unlock()
		if c.book.cluster != m.Cluster {
			t.Fatalf("the connections are of cluster %q, want %s", c.book.cluster, m.Cluster)
		}
	})
}

func TestClustersOfOtherSizes(t *testing.T) {
	for name, c := range map[string]struct{ nodes, voters, replicas int }{"two": {2, 1, 2}, "five": {5, 5, 3}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				names := strings.Split("abcde", "")[:c.nodes]
				w.shape = Shape{Voters: 5, Groups: 4}
				for _, n := range names {
					w.start(n, c.nodes, "a:1", "b:1")
				}
				m := w.agreed(names...)
				if len(m.Groups) != 4 || len(m.Voters()) != c.voters || len(m.Groups[3].Members) != c.replicas {
					t.Fatalf("%d groups of %d replicas, %d voters", len(m.Groups), len(m.Groups[3].Members), len(m.Voters()))
				}
			})
		})
	}
}

// With its leader gone, placement goes on; a node without a replica notices and finds the new leader.
func TestPlacementSurvivesItsLeader(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for _, n := range []string{"a", "b", "c"} {
			w.start(n, 3, "a:1", "b:1", "c:1")
		}
		d := w.start("d", 0, "a:1", "b:1", "c:1")
		m := w.agreed("a", "b", "c", "d")
		lead := string(w.servers["a"].svc.Leader()[0])
		w.stop(lead)
		settings := m.Settings
		settings.MaxMemorySamples = 9
		w.eventually("a proposal of a node without a replica is applied", 30*time.Second, func() bool {
			_, err := d.svc.Propose(t.Context(), placement.SetSettings{Settings: settings})
			return err == nil
		})
		w.start(lead, 3, "a:1", "b:1", "c:1")
		if m := w.agreed("a", "b", "c", "d"); m.Settings != settings {
			t.Fatalf("settings %+v", m.Settings)
		}
	})
}

func TestOneNodeFoundsAClusterAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.start("a", 1)
		if m := w.agreed("a"); len(m.Groups) != 1 || len(m.Groups[0].Members) != 1 {
			t.Fatalf("groups %v", m.Groups)
		}
	})
}

func TestNodesOfAChainFindEachOther(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.start("a", 4, "b:1")
		w.start("b", 4, "c:1")
		w.start("c", 4, "d:1")
		w.start("d", 4)
		w.agreed("a", "b", "c", "d")
	})
}

func TestInitFoundsACluster(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for _, n := range []string{"a", "b", "c"} {
			w.start(n, 0)
		}
		b := w.servers["b"].svc
		if _, err := b.Propose(t.Context(), placement.SetSettings{}); !errors.Is(err, ErrNoCluster) {
			t.Fatalf("Propose without a cluster: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for name, addrs := range map[string][]string{
			"its own address is missing": {"a:1", "c:1"},
			"an address nobody has":      {"a:1", "b:1", "x:1"},
		} {
			if err := b.Init(ctx, addrs, Shape{}); err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
		addrs := []string{"a:1", "b:1", "c:1"}
		if err := b.Init(ctx, addrs, Shape{Groups: 6}); err != nil {
			t.Fatal(err)
		}
		if m := w.agreed("a", "b", "c"); len(m.Groups) != 6 {
			t.Fatalf("%d groups, want 6", len(m.Groups))
		}
		if err := w.servers["c"].svc.Init(ctx, addrs, Shape{}); err != nil {
			t.Errorf("repeated: %v", err)
		}
		w.start("d", 0)
		if err := w.servers["d"].svc.Init(ctx, []string{"d:1", "a:1"}, Shape{}); err == nil || !strings.Contains(err.Error(), "already") {
			t.Errorf("with a node of another cluster: %v", err)
		}
	})
}

func TestALateNodeJoinsThroughAnyMember(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for _, n := range []string{"a", "b", "c"} {
			w.start(n, 3, "a:1", "b:1", "c:1")
		}
		w.agreed("a", "b", "c")
		w.start("d", 0, "c:1")
		w.agreed("a", "b", "c", "d")
		// e knows only d, which holds no replica of placement.
		w.start("e", 0, "d:1")
		m := w.agreed("a", "b", "c", "d", "e")
		if len(m.Nodes) != 5 || len(m.Voters()) != 3 {
			t.Fatalf("%d nodes with %d voters, want 5 with 3", len(m.Nodes), len(m.Voters()))
		}
		for _, n := range []string{"a", "d"} {
			if _, err := w.servers[n].svc.Propose(t.Context(), placement.PreferLeader{Group: 99}); !isRefusal(err) {
				t.Errorf("an impossible command through %s: %v, want a refusal", n, err)
			}
		}
		s := topology.DefaultSettings()
		s.MaxMemory = 1 << 30
		if _, err := w.servers["e"].svc.Propose(t.Context(), placement.SetSettings{Settings: s}); err != nil {
			t.Fatal(err)
		}
		if m := w.agreed("a", "b", "c", "d", "e"); m.Settings != s {
			t.Fatalf("settings %+v", m.Settings)
		}
	})
}

func isRefusal(err error) bool {
	var r *placement.Refusal
	return errors.As(err, &r)
}

func TestARestartContinues(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		all := []string{"a", "b", "c", "d"}
		start := func() {
			for _, n := range all {
				w.start(n, 3, "a:1", "b:1", "c:1")
			}
		}
		for _, n := range all[:3] {
			w.start(n, 3, "a:1", "b:1", "c:1")
		}
		w.agreed("a", "b", "c")
		w.start("d", 3, "a:1", "b:1", "c:1")
		before := w.agreed(all...)
		w.stop(all...)
		start()
		for _, n := range all {
			if m := w.servers[n].svc.Map(); !m.SameContent(before) || m.Epoch != before.Epoch {
				t.Fatalf("%s starts with epoch %d, want the map it had", n, m.Epoch)
			}
		}
		w.eventually("placement has a leader again", time.Minute, func() bool { return w.servers["d"].svc.Leader() != "" })
		s := topology.DefaultSettings()
		s.SpreadLeaders = false
		if _, err := w.servers["d"].svc.Propose(t.Context(), placement.SetSettings{Settings: s}); err != nil {
			t.Fatal(err)
		}
		if m := w.agreed(all...); m.Epoch != before.Epoch+1 {
			t.Fatalf("epoch %d, want %d", m.Epoch, before.Epoch+1)
		}
	})
}

// The data path needs the map only: a node has it although no voter is there.
func TestTheMapIsThereWithoutPlacement(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for _, n := range []string{"a", "b", "c"} {
			w.start(n, 3, "a:1", "b:1", "c:1")
		}
		w.start("d", 0, "a:1")
		before := w.agreed("a", "b", "c", "d")
		w.stop("a", "b", "c", "d")
		d := w.start("d", 0, "a:1")
		<-d.svc.Ready()
		if m := d.svc.Map(); m.Epoch != before.Epoch || !m.SameContent(before) {
			t.Fatalf("epoch %d without placement, want %d", m.Epoch, before.Epoch)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := d.svc.Propose(ctx, placement.RemoveNode{Node: d.self.ID}); !errors.Is(err, ErrNotApplied) {
			t.Fatalf("Propose without voters: %v, want ErrNotApplied", err)
		}
		w.start("a", 3, "b:1")
		w.eventually("one of three voters leads nothing", 10*time.Second, func() bool { return w.servers["a"].svc.Leader() == "" })
	})
}

func TestANodeComesBackOnAnotherAddress(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for _, n := range []string{"a", "b", "c"} {
			w.start(n, 3, "a:1", "b:1", "c:1")
		}
		w.agreed("a", "b", "c")
		w.stop("b")
		w.servers["b"].move("b2:2")
		w.start("b", 3, "a:1", "b:1", "c:1")
		m := w.agreed("a", "b", "c")
		if n := m.NodeByID(w.servers["b"].self.ID); n.Peer != "b2:2" || !n.Voter {
			t.Fatalf("b is in the map as %+v", n)
		}
	})
}

// Every node moves at once, one of them to where another was; --join names lead to the new places.
func TestEverythingMovesAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		all := []string{"a", "b", "c", "d"}
		for _, n := range all[:3] {
			w.start(n, 3, "a:1", "b:1", "c:1")
		}
		w.start("d", 0, "a:1")
		w.agreed(all...)
		w.stop(all...)
		for n, addr := range map[string]string{"a": "b:1", "b": "new-b:2", "c": "new-c:3", "d": "new-d:4"} {
			w.servers[n].move(addr)
		}
		for _, n := range all {
			w.start(n, 3, "b:1", "new-b:2", "new-c:3")
		}
		m := w.agreed(all...)
		if m.NodeByID(w.servers["a"].self.ID).Peer != "b:1" || m.NodeByID(w.servers["b"].self.ID).Peer != "new-b:2" {
			t.Fatalf("the map shows %+v", m.Nodes)
		}
	})
}

func TestABootstrapSurvivesRestartsAtAnyMoment(t *testing.T) {
	for _, pause := range []time.Duration{0, 50 * time.Millisecond, 150 * time.Millisecond, 400 * time.Millisecond, time.Second} {
		t.Run(pause.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				all := []string{"a", "b", "c"}
				for range 3 {
					for _, n := range all {
						w.start(n, 3, "a:1", "b:1", "c:1")
						time.Sleep(pause)
					}
					w.stop(all...)
				}
				for _, n := range all {
					w.start(n, 3, "a:1", "b:1", "c:1")
				}
				w.agreed(all...)
			})
		})
	}
}

func TestTheMinorityOfAPartitionStaysWithTheOldMap(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		all := []string{"a", "b", "c", "d", "e"}
		for _, n := range all {
			w.start(n, 5, "a:1", "b:1", "c:1")
		}
		before := w.agreed(all...)
		lead := w.servers["a"].svc.Leader()
		w.net.Isolate(lead)
		var other *server
		for _, n := range all {
			if w.servers[n].self.ID != lead {
				other = w.servers[n]
			}
		}
		w.eventually("the others elect a leader", time.Minute, func() bool {
			return other.svc.Leader() != "" && other.svc.Leader() != lead
		})
		s := before.Settings
		s.MaxMemory = 4242
		if _, err := other.svc.Propose(t.Context(), placement.SetSettings{Settings: s}); err != nil {
			t.Fatal(err)
		}
		cut := w.servers[string(lead[0])]
		if cut.svc.Map().Epoch != before.Epoch {
			t.Fatalf("the isolated node sees epoch %d", cut.svc.Map().Epoch)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := cut.svc.Propose(ctx, placement.SetSettings{Settings: before.Settings}); err == nil {
			t.Fatal("the isolated node's proposal was applied")
		}
		w.net.HealAll()
		if m := w.agreed(all...); m.Settings.MaxMemory != 4242 {
			t.Fatalf("settings %+v", m.Settings)
		}
	})
}

func TestTheDriverSpreadsLeaders(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		all := []string{"a", "b", "c"}
		for _, n := range all {
			w.start(n, 3, "a:1", "b:1", "c:1")
		}
		m := w.agreed(all...)
		a := w.servers["a"].self.ID
		for _, g := range m.Groups {
			w.lead(g.ID, a)
		}
		spread := func() bool {
			for _, g := range w.servers["a"].svc.Map().Groups {
				if w.leader(g.ID) != g.Members[0] {
					return false
				}
			}
			return true
		}
		w.eventually("each group is led by its preferred node", time.Minute, spread)
		if err := w.servers["b"].svc.TransferLeader(t.Context(), 1, a); err != nil {
			t.Fatal(err)
		}
		if w.leader(1) != a {
			t.Fatalf("group 1 is led by %s after TransferLeader to a", w.leader(1))
		}
		s := m.Settings
		s.SpreadLeaders = false
		if _, err := w.servers["c"].svc.Propose(t.Context(), placement.SetSettings{Settings: s}); err != nil {
			t.Fatal(err)
		}
		for _, g := range m.Groups {
			w.lead(g.ID, a)
		}
		time.Sleep(time.Minute)
		for _, g := range m.Groups {
			if w.leader(g.ID) != a {
				t.Fatalf("group %d moved although spreading is off", g.ID)
			}
		}
	})
}

func TestHandOverMovesPlacementsLeadership(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		all := []string{"a", "b", "c"}
		for _, n := range all {
			w.start(n, 3, "a:1", "b:1", "c:1")
		}
		w.agreed(all...)
		lead := w.servers["a"].svc.Leader()
		if err := w.servers[string(lead[0])].svc.HandOver(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.eventually("another node leads", 10*time.Second, func() bool {
			l := w.servers["a"].svc.Leader()
			return l != "" && l != lead
		})
	})
}

func TestSubscribeEndsWithTheNewestMap(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for _, n := range []string{"a", "b", "c"} {
			w.start(n, 3, "a:1", "b:1", "c:1")
		}
		var seen []uint64
		cancel := w.servers["b"].svc.Subscribe(func(m *topology.Map) { seen = append(seen, m.Epoch) })
		m := w.agreed("a", "b", "c")
		time.Sleep(time.Second)
		cancel()
		for i := range seen {
			if i > 0 && seen[i-1] >= seen[i] {
				t.Fatalf("epochs %v", seen)
			}
		}
		if len(seen) == 0 || seen[len(seen)-1] != m.Epoch {
			t.Fatalf("epochs %v, the newest is %d", seen, m.Epoch)
		}
	})
}

func TestTheOperatorIsToldWhyAnAddressDoesNotAnswer(t *testing.T) {
	inBubble(t, func(_ *testing.T, w *world) {
		a := w.start("a", 0, "b:1", "nowhere:1")
		told := func(addr string) bool { return strings.Contains(a.svc.Waiting(), "--join "+addr) }
		w.eventually("both addresses are named with the reason", 30*time.Second, func() bool {
			return told("b:1") && told("nowhere:1") && strings.Contains(a.svc.Waiting(), "nobody listens")
		})
		w.start("b", 0)
		w.eventually("the address that answers is no longer named", 30*time.Second, func() bool { return !told("b:1") && told("nowhere:1") })
	})
}

func TestAFailureIsNewsOnce(t *testing.T) {
	var e ears
	e.init()
	for i, step := range []struct {
		err  error
		news bool
	}{
		{errors.New("read 127.0.0.1:40001: reset"), true},
		{errors.New("read 127.0.0.1:40002: reset"), false},
		{errors.New("the secret is wrong"), true},
		{nil, false},
		{errors.New("the secret is wrong"), true},
	} {
		if news := e.outcome("n:1", step.err); news != step.news {
			t.Errorf("step %d: news %v, want %v", i, news, step.news)
		}
	}
}
