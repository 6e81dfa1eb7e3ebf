package service

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement"
	"github.com/quorate/quorate/placement/bootstrap"
	"github.com/quorate/quorate/placement/plan"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
)

var errDeaf = errors.New("nobody is there")

// deafPeers is a network without anybody.
type deafPeers struct{}

func (deafPeers) Call(context.Context, topology.NodeID, uint8, slot.GroupID, []byte) ([]byte, error) {
	return nil, errDeaf
}

func (deafPeers) CallAddr(context.Context, string, uint8, slot.GroupID, []byte) (topology.NodeID, []byte, error) {
	return "", nil, errDeaf
}
func (deafPeers) SetAddr(topology.NodeID, string) {}
func (deafPeers) SetCluster(string)               {}

func noReplica(raft.FSM, *raft.Configuration) (Replica, error) { return nil, errDeaf }

func noChange(context.Context, slot.GroupID, plan.Action, topology.NodeID, uint64) error {
	return errDeaf
}

func noTransfer(context.Context, slot.GroupID, topology.NodeID) error { return errDeaf }

func TestRequestsOfAnotherClusterAreRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.start("a", 1)
		w.agreed("a")
		svc := w.servers["a"].svc
		stranger := topology.NodeID(strings.Repeat("9", 40))
		wrong := strings.Repeat("e", 40)
		for kind, q := range map[uint8]any{
			KindWatch: watch{Cluster: wrong}, KindStatus: inquiry{Cluster: wrong}, KindTransfer: handover{Cluster: wrong}, KindMembers: reconfigure{Cluster: wrong},
		} {
			_, err := svc.Handlers()[kind](t.Context(), stranger, 0, encode(t, q))
			if err == nil || !strings.Contains(err.Error(), "belongs to cluster") {
				t.Errorf("kind %d: %v", kind, err)
			}
		}
		command, err := placement.Command{Change: placement.RemoveNode{Node: stranger}}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		var f fate
		data, err := svc.Handlers()[KindPropose](t.Context(), stranger, 0, encode(t, proposal{Cluster: wrong, Command: command}))
		if err != nil || json.Unmarshal(data, &f) != nil || f.Outcome != notApplied {
			t.Errorf("propose: %s, %v", data, err)
		}
		// A greeting is answered, so that the wrong address can be named, but nothing is learned.
		h := bootstrap.Hello{Node: topology.Node{ID: stranger, Peer: "x:1", Client: "x:2"}, Record: bootstrap.Record{Cluster: wrong}}
		if _, err := svc.Handlers()[KindHello](t.Context(), stranger, 0, encode(t, greeting{Hello: h})); err != nil {
			t.Errorf("hello: %v", err)
		}
		if addr := w.servers["a"].book.at(stranger); addr != "" {
			t.Errorf("the stranger's address %s was learned", addr)
		}
		if _, err := svc.Handlers()[KindHello](t.Context(), w.servers["b"].self.ID, 0, encode(t, greeting{Hello: h})); err == nil {
			t.Error("a greeting in another node's name was accepted")
		}
	})
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// An answer that is lost after the command was applied must not be reported as "not applied".
func TestALostAnswerIsUnknown(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for _, n := range []string{"a", "b", "c"} {
			w.start(n, 3, "a:1", "b:1", "c:1")
		}
		d := w.start("d", 0, "a:1")
		before := w.agreed("a", "b", "c", "d")
		w.eventually("d knows the leader", time.Minute, func() bool { return d.svc.Leader() != "" })
		w.net.SetTap(func(_ context.Context, m memnet.Message) bool { return m.Kind != KindPropose || !m.Reply })
		s := before.Settings
		s.MaxMemory = 77
		if _, err := d.svc.Propose(t.Context(), placement.SetSettings{Settings: s}); !errors.Is(err, ErrUnknown) {
			t.Fatalf("Propose: %v, want ErrUnknown", err)
		}
		w.net.SetTap(nil)
		if m := w.agreed("a", "b", "c", "d"); m.Settings.MaxMemory != 77 {
			t.Fatalf("settings %+v", m.Settings)
		}
	})
}

// A leader that lost its quorum in the middle of a proposal doesn't know what will become of it.
func TestAProposalCutOffFromTheQuorumIsNotReportedAsApplied(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for _, n := range []string{"a", "b", "c"} {
			w.start(n, 3, "a:1", "b:1", "c:1")
		}
		m := w.agreed("a", "b", "c")
		lead := w.servers["a"].svc.Leader()
		w.net.Isolate(lead)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		s := m.Settings
		s.MaxMemory = 55
		_, err := w.servers[string(lead[0])].svc.Propose(ctx, placement.SetSettings{Settings: s})
		if !errors.Is(err, ErrUnknown) {
			t.Fatalf("Propose: %v, want ErrUnknown", err)
		}
	})
}

// A voter's identity without its log would vote twice; it must not slip back in as a new member.
func TestAVoterThatLostItsFilesIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for _, n := range []string{"a", "b", "c"} {
			w.start(n, 3, "a:1", "b:1", "c:1")
		}
		w.agreed("a", "b", "c")
		w.stop("c")
		c := w.servers["c"]
		c.dir += "-emptied"
		c.doomed = true
		w.start("c", 3, "a:1", "b:1", "c:1")
		c.dies("empty data folder")
	})
}

// A map on disk that the log contradicts is noticed while the log is replayed.
func TestAMapThatTheLogContradictsIsFatal(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a := w.start("a", 1)
		m := w.agreed("a").Clone()
		w.stop("a")
		m.Nodes[0].Weight++
		if err := save(folder(a.dir), mapFile, m); err != nil {
			t.Fatal(err)
		}
		a.doomed = true
		w.start("a", 1)
		a.dies("two different maps")
	})
}

func TestMachine(t *testing.T) {
	var published []uint64
	var fatal error
	fresh := func() *machine {
		return &machine{publish: func(m *topology.Map) { published = append(published, m.Epoch) }, fatal: func(err error) { fatal = err }}
	}
	m := fresh()
	self := sampleMap(1, "n").Nodes[0]
	log := func(index uint64, c placement.Change) verdict {
		data, err := placement.Command{Change: c}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return m.Apply(&raft.Log{Index: index, Data: data}).(verdict)
	}
	init := placement.Init{Cluster: strings.Repeat("c", 40), Nodes: []topology.Node{self}, Groups: 1, Replicas: 1, Settings: topology.DefaultSettings()}
	if v := log(2, init); v.err != nil || v.epoch != 1 {
		t.Fatalf("init: %+v", v)
	}
	settings := topology.DefaultSettings()
	log(3, placement.SetSettings{Settings: topology.Settings{MaxMemoryPolicy: "volatile-ttl", MaxMemorySamples: 3}})
	log(5, placement.SetSettings{Settings: settings})
	// A Raft instance that is restarted over a living machine replays what the machine has.
	log(2, init)
	if log(3, placement.SetSettings{Settings: topology.Settings{MaxMemoryPolicy: "volatile-ttl", MaxMemorySamples: 3}}); m.now().Map.Settings != settings || m.now().Epoch() != 3 {
		t.Fatal("an old entry was applied again")
	}
	store := raft.NewInmemSnapshotStore()
	snap, err := m.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	sink, err := store.Create(1, 5, 1, raft.Configuration{}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := snap.Persist(sink); err != nil {
		t.Fatal(err)
	}
	_, r, err := store.Open(sink.ID())
	if err != nil {
		t.Fatal(err)
	}
	m = fresh()
	if err := m.Restore(r); err != nil || m.now().Epoch() != 3 || published[len(published)-1] != 3 {
		t.Fatalf("restore: %v, epoch %d, published %v", err, m.now().Epoch(), published)
	}
	log(5, init)
	if err := m.Restore(io.NopCloser(strings.NewReader("{}"))); err == nil || m.now().Epoch() != 3 {
		t.Fatalf("restore of nothing: %v, epoch %d", err, m.now().Epoch())
	}
	if m.Apply(&raft.Log{Index: 6, Data: []byte("{")}); fatal == nil {
		t.Fatal("an entry that cannot be read was passed over")
	}
}

// Hostile bytes to any handler: an error or an answer, never a panic, and the service lives.
func FuzzHandlers(f *testing.F) {
	s, err := Open(quietConfig(f.TempDir(), func(err error) { panic(err) }))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	node := topology.Node{ID: topology.NodeID(strings.Repeat("b", 40)), Peer: "b:1", Client: "b:2"}
	for _, q := range []any{
		greeting{Hello: bootstrap.Hello{Node: node, Expect: 2}, Known: []string{"c:1"}}, proposal{}, watch{WaitMS: 1}, inquiry{}, handover{}, reconfigure{},
	} {
		data, err := json.Marshal(q)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	handlers := s.Handlers()
	f.Fuzz(func(t *testing.T, data []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for _, h := range handlers {
			_, _ = h(ctx, node.ID, 0, data)
		}
	})
}
