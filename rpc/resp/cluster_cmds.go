package resp

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
)

func (c *conn) view() *routes { return c.s.routes.Load() }

func cmdClusterSlots(c *conn, _ [][]byte) {
	c.learnTopology()
	c.view().view.WriteSlots(c.w())
}

func cmdClusterShards(c *conn, _ [][]byte) {
	c.learnTopology()
	c.view().view.WriteShards(c.w())
}

func cmdClusterNodes(c *conn, _ [][]byte) {
	c.learnTopology()
	c.view().view.WriteNodes(c.w())
}

func cmdClusterInfo(c *conn, _ [][]byte) {
	c.view().view.WriteInfo(c.w(), c.s.b.Status().SlotsDown)
}

func cmdClusterMyid(c *conn, _ [][]byte) { c.w().BulkString(string(c.s.b.Self())) }

// cmdClusterMyshardid: what clients see of a node is one shard, so it bears the node's identity.
func cmdClusterMyshardid(c *conn, _ [][]byte) { c.w().BulkString(string(c.s.b.Self())) }

func cmdClusterKeyslot(c *conn, args [][]byte) { c.w().Int(int64(slot.Of(args[0]))) }

// cmdClusterReplicas: only leaders are shown, so nobody has replicas.
func cmdClusterReplicas(c *conn, args [][]byte) {
	if c.knownNode(args[0]) {
		c.w().Array(0)
	}
}

func cmdClusterCountFailureReports(c *conn, args [][]byte) {
	if c.knownNode(args[0]) {
		c.w().Int(0)
	}
}

func (c *conn) knownNode(id []byte) bool {
	known := c.view().view.Has(string(id))
	if !known {
		c.w().Error("ERR Unknown node " + string(id))
	}
	return known
}

// cmdClusterLinks: nodes have no cluster bus of Redis's kind; their connections are in the metrics.
func cmdClusterLinks(c *conn, _ [][]byte) { c.w().Array(0) }

func cmdClusterBumpepoch(c *conn, _ [][]byte) {
	c.w().Simple("STILL " + strconv.FormatUint(c.view().view.Map.Epoch, 10))
}

func cmdClusterSaveconfig(c *conn, _ [][]byte) { c.w().OK() }

func cmdClusterGetslotmigrations(c *conn, _ [][]byte) { c.w().Array(0) }

// refused answers what would change the cluster behind placement's back.
func refused(hint string) handler {
	return func(c *conn, _ [][]byte) {
		c.w().Error("ERR not supported: " + hint)
	}
}

const (
	hintNodes = "placement manages the nodes; start a node with `quorate server --join` or look at `quorate cluster nodes`"
	hintSlots = "placement assigns the slots; look at `quorate cluster groups`"
	hintMoves = "slots cannot be moved in this version; look at `quorate cluster groups`"
)

// failoverTimeout bounds CLUSTER FAILOVER, which clients expect to return soon.
const failoverTimeout = 5 * time.Second

// cmdClusterFailover takes over the leadership of all groups that this node has a replica of and does not lead.
func cmdClusterFailover(c *conn, args [][]byte) {
	if len(args) > 1 || len(args) == 1 && upper(args[0]) != "FORCE" && upper(args[0]) != "TAKEOVER" {
		c.w().Error(reply.SyntaxError)
		return
	}
	ctx, cancel := context.WithTimeout(c.s.ctx, failoverTimeout)
	defer cancel()
	asked := false
	rt := c.view()
	for i := range rt.targets {
		t := &rt.targets[i]
		if t.replica == nil || t.leading {
			continue
		}
		asked = true
		if err := c.s.b.Transfer(ctx, t.id, c.s.b.Self()); err != nil {
			c.w().Error("ERR take over group " + strconv.Itoa(int(t.id)) + ": " + err.Error())
			return
		}
	}
	if !asked {
		c.w().Error("ERR You should send CLUSTER FAILOVER to a replica")
		return
	}
	c.w().OK()
}

// slotStat is one line of CLUSTER SLOT-STATS.
type slotStat struct {
	slot uint16
	keys int64
}

// cmdClusterSlotStats answers in Valkey's form with the statistics that are kept, which is the number of keys.
func cmdClusterSlotStats(c *conn, args [][]byte) {
	switch mode := upper(args[0]); {
	case mode == "SLOTSRANGE" && len(args) == 3:
		first, ok1 := parseSlot(args[1])
		last, ok2 := parseSlot(args[2])
		if !ok1 || !ok2 {
			c.w().Error(reply.InvalidSlot)
			return
		}
		if first > last {
			c.w().Error("ERR Start slot number " + string(args[1]) + " is greater than end slot number " + string(args[2]))
			return
		}
		if stats, ok := c.slotStats(first, last); ok {
			c.writeSlotStats(stats)
		}
	case mode == "ORDERBY" && len(args) >= 2:
		c.orderedSlotStats(args[1:])
	default:
		c.w().Error(reply.SyntaxError)
	}
}

func parseSlot(b []byte) (uint16, bool) {
	n, err := strconv.ParseUint(string(b), 10, 16)
	return uint16(n), err == nil && n < slot.Count
}

func (c *conn) orderedSlotStats(args [][]byte) {
	if metric := strings.ToLower(string(args[0])); metric != "key-count" {
		c.w().Error("ERR Unrecognized sort metric for ORDERBY.")
		return
	}
	limit, asc := slot.Count, false
	for args = args[1:]; len(args) > 0; args = args[1:] {
		switch opt := upper(args[0]); {
		case opt == "LIMIT" && len(args) > 1:
			n, err := strconv.Atoi(string(args[1]))
			if err != nil || n < 1 || n > slot.Count {
				c.w().Error("ERR Limit has to lie in between 1 and 16384 (maximum number of slots).")
				return
			}
			limit, args = n, args[1:]
		case opt == "ASC":
			asc = true
		case opt == "DESC":
			asc = false
		default:
			c.w().Error(reply.SyntaxError)
			return
		}
	}
	stats, ok := c.slotStats(0, slot.Count-1)
	if !ok {
		return
	}
	slices.SortStableFunc(stats, func(a, b slotStat) int {
		if asc {
			return cmp.Compare(a.keys, b.keys)
		}
		return cmp.Compare(b.keys, a.keys)
	})
	c.writeSlotStats(stats[:min(limit, len(stats))])
}

// slotStats counts the keys of those slots, first to last, that this node answers for. If ok is false, an error was answered.
func (c *conn) slotStats(first, last uint16) (out []slotStat, ok bool) {
	rt := c.view()
	var own []uint16
	for n := first; n <= last; n++ {
		if rt.at(n).own() {
			own = append(own, n)
		}
	}
	replies := c.askOwners(command.ClusterCountkeysinslot, own, func(i int) [][]byte {
		return [][]byte{strconv.AppendUint(nil, uint64(own[i]), 10)}
	})
	if c.relayError(replies) {
		return nil, false
	}
	for i, got := range replies {
		if n, ok := integer(got); ok {
			out = append(out, slotStat{own[i], n})
		}
	}
	return out, true
}

func (c *conn) writeSlotStats(stats []slotStat) {
	w := c.w()
	w.Array(len(stats))
	for _, s := range stats {
		w.Array(2)
		w.Int(int64(s.slot))
		w.Map(1)
		w.BulkString("key-count")
		w.Int(s.keys)
	}
}
