package clusterview

import (
	"fmt"
	"net"
	"strconv"
	"sync"

	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
)

// rendered is a reply that was made once. Clients ask again and again, all of them after a failover.
type rendered struct {
	once sync.Once
	buf  []byte
}

func (r *rendered) get(make func() []byte) []byte {
	r.once.Do(func() { r.buf = make() })
	return r.buf
}

// WriteSlots answers CLUSTER SLOTS: sorted, disjoint ranges with one node of three elements each (go-redis v8 fails
// on a fourth).
func (v *View) WriteSlots(w *reply.Writer) {
	w.Buf = append(w.Buf, v.slots.get(v.renderSlots)...)
}

func (v *View) renderSlots() []byte {
	var w reply.Writer
	w.Array(len(v.shards))
	for _, s := range v.shards {
		at := &v.nodes[s.node]
		w.Array(3)
		w.Int(int64(s.First))
		w.Int(int64(s.Last))
		w.Array(3)
		w.BulkString(at.host)
		w.Int(int64(at.port))
		w.BulkString(string(at.id))
	}
	return w.Buf
}

// WriteShards answers CLUSTER SHARDS: one entry per leader (rueidis keys its map by the master's address, so a
// second entry with the same master would lose the first one's slots).
func (v *View) WriteShards(w *reply.Writer) {
	form := 0
	if w.Proto == 3 {
		form = 1
	}
	proto := w.Proto
	w.Buf = append(w.Buf, v.shards23[form].get(func() []byte { return v.renderShards(proto) })...)
}

func (v *View) renderShards(proto int8) []byte {
	w := reply.Writer{Proto: proto}
	w.Array(v.leading())
	for i := range v.nodes {
		at := &v.nodes[i]
		if len(at.ranges) == 0 {
			continue
		}
		w.Map(2)
		w.BulkString("slots")
		w.Array(2 * len(at.ranges))
		for _, r := range at.ranges {
			w.Int(int64(r.First))
			w.Int(int64(r.Last))
		}
		w.BulkString("nodes")
		w.Array(1)
		at.writeShardNode(&w)
	}
	return w.Buf
}

func (n *node) writeShardNode(w *reply.Writer) {
	hostname := net.ParseIP(n.host) == nil && n.host != ""
	if hostname {
		w.Map(8)
	} else {
		w.Map(7)
	}
	pair := func(name, value string) {
		w.BulkString(name)
		w.BulkString(value)
	}
	pair("id", string(n.id))
	w.BulkString("port")
	w.Int(int64(n.port))
	pair("ip", n.host)
	pair("endpoint", n.host)
	if hostname {
		pair("hostname", n.host)
	}
	pair("role", "master")
	w.BulkString("replication-offset")
	w.Int(0)
	pair("health", "online")
}

// WriteNodes answers CLUSTER NODES. Every node is a master; those that lead nothing have no slots.
func (v *View) WriteNodes(w *reply.Writer) {
	w.Verbatim(v.lines.get(v.renderNodes))
}

func (v *View) renderNodes() []byte {
	var b []byte
	for i := range v.nodes {
		n := &v.nodes[i]
		flags := "master"
		if n.id == v.Self {
			flags = "myself,master"
		}
		b = fmt.Appendf(b, "%s %s:%d@%d %s - 0 0 %d connected", n.id, n.host, n.port, n.cport, flags, v.Map.Epoch)
		for _, r := range n.ranges {
			b = append(b, ' ')
			b = append(b, r.String()...)
		}
		b = append(b, '\n')
	}
	return b
}

// WriteInfo answers CLUSTER INFO. slotsDown are slots without a leader for longer than the node tolerates; only
// those make the state "fail", because ioredis reconnects and RedisInsight gives up on it.
func (v *View) WriteInfo(w *reply.Writer, slotsDown int) {
	covered := v.covered()
	state := "ok"
	if slotsDown > 0 || covered < slot.Count {
		state = "fail"
	}
	var b []byte
	line := func(name, value string) { b = append(append(append(append(b, name...), ':'), value...), "\r\n"...) }
	num := func(name string, n int) { line(name, strconv.Itoa(n)) }
	line("cluster_state", state)
	num("cluster_slots_assigned", covered)
	num("cluster_slots_ok", covered-slotsDown)
	num("cluster_slots_pfail", 0)
	num("cluster_slots_fail", slotsDown)
	num("cluster_known_nodes", len(v.nodes))
	num("cluster_size", v.leading())
	num("cluster_current_epoch", int(v.Map.Epoch))
	num("cluster_my_epoch", int(v.Map.Epoch))
	num("cluster_stats_messages_sent", 0)
	num("cluster_stats_messages_received", 0)
	num("total_cluster_links_buffer_limit_exceeded", 0)
	w.Verbatim(b)
}
