package node

import (
	"math"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/quorate/quorate/rpc/peer"
	"github.com/quorate/quorate/shardgroup/consensus"
)

// collector reads the node's state at each scrape; nothing is counted twice.
type collector struct{ n *Node }

var (
	perGroup = []string{"group"}

	infoDesc   = describe("node_info", "1; the labels say what runs.", "node", "id", "version", "durability", "reads")
	epochDesc  = describe("map_epoch", "Epoch of this node's map.")
	hurtDesc   = describe("test_faults_total", "Syncs and writes that a test harness has hurt (test-faults).")
	wallDesc   = describe("test_clock_seconds", "This node's wall clock as a test harness ordered it, in Unix seconds (test-faults).")
	damageDesc = describe("peer_damaged_frames_total", "Frames from other nodes that arrived damaged and were not used; each ended its connection.")
	peersDesc  = describe("nodes", "Nodes in this node's map.")
	diskDesc   = describe("log_disk_bytes", "Bytes of the log's files, spare ones too. The log-store boltdb does not say.")

	dialErrorsDesc  = describe("peer_dial_errors_total", "Attempts to connect to other nodes that failed.")
	peerRefusedDesc = describe("peer_refused_total", "Connections to the peer port that were not let in.")
	unansweredDesc  = describe("peer_unanswered_calls_total", "Calls to other nodes whose outcome is unknown.")
	overloadsDesc   = describe("peer_overloads_total", "Requests of other nodes refused, and replies to them dropped, because a limit was reached.")

	leaderDesc    = describe("group_leader", "1 if this node leads the group.", perGroup...)
	knownDesc     = describe("group_has_leader", "1 if this node knows a leader of the group.", perGroup...)
	termDesc      = describe("group_term", "Raft term.", perGroup...)
	lastDesc      = describe("group_log_last_index", "Newest index in the log.", perGroup...)
	committedDesc = describe("group_committed_index", "Newest committed index that this replica knows of.", perGroup...)
	appliedDesc   = describe("group_applied_index", "Newest applied index.", perGroup...)
	snapshotDesc  = describe("group_snapshot_index", "Index of the newest snapshot.", perGroup...)
	snapBytesDesc = describe("group_snapshot_bytes", "Bytes of the newest snapshot.", perGroup...)
	logBytesDesc  = describe("group_log_bytes", "Log bytes since the newest snapshot.", perGroup...)
	keysDesc      = describe("group_keys", "Keys held.", perGroup...)
	memoryDesc    = describe("group_memory_bytes", "Logical bytes held: keys, values and a fixed overhead.", perGroup...)
	limitDesc     = describe("group_memory_limit_bytes", "The group's share of maxmemory, which group_memory_bytes is held to; 0 is no limit.", perGroup...)
	heldDesc      = describe("group_votes_held", "1 if this replica does not vote, because a power cut may have taken writes that it had acknowledged.", perGroup...)
	caughtUpDesc  = describe("group_caught_up", "1 if this replica has everything that was acknowledged before it was opened.", perGroup...)
	aheadDesc     = describe("group_clock_ahead_seconds", "How far the group's clock, which expires keys, is ahead of this node's wall clock; 0 if it is not.", perGroup...)
	silenceDesc   = describe("group_voter_silence_seconds", "On the leader: time since it heard from that other voter that it has not heard from for the longest; +Inf if it has not in this term.", perGroup...)
	leaseDesc     = describe("group_lease_seconds", "What is left of the leader's lease.", perGroup...)
	restartsDesc  = describe("group_restarts_total", "Restarts of the Raft instance by a guard.", perGroup...)
	confirmsDesc  = describe("group_read_confirmations_total", "Rounds that confirmed leadership for reads without a lease.", perGroup...)
	snapshotsDesc = describe("group_snapshots_total", "Snapshots taken.", perGroup...)
	expiredDesc   = describe("group_expired_keys_total", "Keys removed because their time was over, since this process started.", perGroup...)
	evictedDesc   = describe("group_evicted_keys_total", "Keys evicted at maxmemory, since this process started.", perGroup...)
	sketchOutDesc = describe("group_sketches_sent_total", "On the leader: samples of used keys that followers have taken, for their eviction policy after a failover.", perGroup...)
	sketchInDesc  = describe("group_sketches_received_total", "Samples of used keys taken from a leader.", perGroup...)
	noRoomDesc    = describe("group_snapshot_failures_total", "Snapshots, taken or received, for which the disk had no room; until one succeeds the log grows.", perGroup...)
	installsDesc  = describe("group_snapshot_installs_total", "Snapshots received from a leader.", perGroup...)
	entriesDesc   = describe("group_entries_total", "Log entries that this replica proposed for clients and saw applied.", perGroup...)
	entryOpsDesc  = describe("group_entry_commands_total", "Commands in those entries; over group_entries_total it is how many share one.", perGroup...)
	queuedDesc    = describe("group_queued_calls", "Pipelines that wait for an entry or for a leader.", perGroup...)
	queueSizeDesc = describe("group_queued_bytes", "Bytes of the commands that wait.", perGroup...)
	rejectedDesc  = describe("group_rejected_calls_total", "Pipelines that were refused: the queue was full, no leader came in time, or another node led.", perGroup...)
	unknownDesc   = describe("group_unknown_entries_total", "Log entries with an unknown outcome; their clients were answered UNCERTAIN.", perGroup...)
	fastReadsDesc = describe("group_fast_reads_total", "Pipelines of reads answered under the lease at once.", perGroup...)
	slowReadsDesc = describe("group_slow_reads_total", "Pipelines of reads that waited for a confirmation, a leader or the clock.", perGroup...)
	followerDesc  = describe("group_follower_reads_total", "Pipelines of reads that this replica answered as a follower.", perGroup...)
	lagDesc       = describe("group_follower_lag_entries", "On the leader: entries that the follower is behind.", "group", "follower")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("quorate_"+name, help, labels, nil)
}

// Describe implements prometheus.Collector. It sends nothing, so the collector is unchecked: what Collect sends
// depends on the groups that this node holds.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	n := c.n
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(infoDesc, 1, n.self.Name, string(n.self.ID), n.version, n.cfg.Durability, n.cfg.Reads)
	m := n.place.Map()
	gauge(epochDesc, float64(m.Epoch))
	gauge(peersDesc, float64(len(m.Nodes)))
	for _, g := range m.Groups {
		gauge(knownDesc, asFloat(n.Leader(g.ID) != ""), strconv.FormatUint(uint64(g.ID), 10))
	}
	if n.faults != nil {
		out <- prometheus.MustNewConstMetric(hurtDesc, prometheus.CounterValue, float64(n.faults.Hit()))
		gauge(wallDesc, float64(n.clock())/1000)
	}
	if real, ok := n.peers.(*peer.Node); ok { // a simulated network counts nothing
		collectPeers(out, real.Stats())
	}
	if log, ok := n.stores.log.(sharedLog); ok {
		gauge(diskDesc, float64(log.Stats().DiskBytes))
	}
	n.front.Collect(out)
	n.timings.collect(out)
	for id, r := range n.replicas.all() {
		r.collect(out, strconv.FormatUint(uint64(id), 10), n.clock())
	}
}

func collectPeers(out chan<- prometheus.Metric, s peer.Stats) {
	for _, x := range []struct {
		desc  *prometheus.Desc
		value uint64
	}{
		{damageDesc, s.Damaged}, {dialErrorsDesc, s.DialErrors}, {peerRefusedDesc, s.Refused},
		{unansweredDesc, s.Unanswered}, {overloadsDesc, s.Overloads},
	} {
		out <- prometheus.MustNewConstMetric(x.desc, prometheus.CounterValue, float64(x.value))
	}
}

// collect sends a replica's metrics; now is the wall clock in Unix milliseconds.
func (r *replica) collect(out chan<- prometheus.Metric, group string, now int64) {
	all := r.group.Stats()
	s, m := all.Consensus, all.Machine
	for _, x := range []struct {
		desc  *prometheus.Desc
		value float64
	}{
		{leaderDesc, asFloat(s.State == "leader")},
		{termDesc, float64(s.Term)},
		{lastDesc, float64(s.Last)},
		{committedDesc, float64(s.Committed)},
		{appliedDesc, float64(s.Applied)},
		{snapshotDesc, float64(s.SnapshotIndex)},
		{snapBytesDesc, float64(s.SnapshotBytes)},
		{logBytesDesc, float64(s.LogBytes)},
		{keysDesc, float64(m.Keys)},
		{memoryDesc, float64(m.Memory)},
		{limitDesc, float64(r.group.Machine().Limits().MaxMemory)},
		{heldDesc, asFloat(r.group.VotesHeld())},
		{caughtUpDesc, asFloat(r.caughtUp.Load())},
		{aheadDesc, max(float64(r.group.Machine().Now()-now)/1000, 0)},
		{leaseDesc, s.LeaseLeft.Seconds()},
		{queuedDesc, float64(all.QueueCalls)},
		{queueSizeDesc, float64(all.QueueBytes)},
	} {
		out <- prometheus.MustNewConstMetric(x.desc, prometheus.GaugeValue, x.value, group)
	}
	for _, x := range []struct {
		desc  *prometheus.Desc
		value uint64
	}{
		{restartsDesc, s.Restarts}, {confirmsDesc, s.Confirmations}, {snapshotsDesc, s.Snapshots}, {installsDesc, s.Installed}, {noRoomDesc, s.SnapshotFailures},
		{expiredDesc, m.Expired}, {evictedDesc, m.Evicted},
		{entriesDesc, all.Entries}, {entryOpsDesc, all.Ops}, {fastReadsDesc, all.FastReads}, {slowReadsDesc, all.SlowReads}, {followerDesc, all.FollowerReads},
		{rejectedDesc, all.Rejected}, {unknownDesc, all.Unknown},
		{sketchOutDesc, r.sketches.sent.Load()}, {sketchInDesc, r.sketches.received.Load()},
	} {
		out <- prometheus.MustNewConstMetric(x.desc, prometheus.CounterValue, float64(x.value), group)
	}
	collectFollowers(out, group, s)
}

func collectFollowers(out chan<- prometheus.Metric, group string, s consensus.Stats) {
	silence := -1.0
	for _, p := range s.Peers {
		lag := float64(s.Last - min(s.Last, p.Matched))
		out <- prometheus.MustNewConstMetric(lagDesc, prometheus.GaugeValue, lag, group, p.ID)
		switch {
		case p.Voter && p.Contact < 0:
			silence = math.Inf(1)
		case p.Voter:
			silence = max(silence, p.Contact.Seconds())
		}
	}
	if silence >= 0 { // else nobody else votes, or this node does not lead
		out <- prometheus.MustNewConstMetric(silenceDesc, prometheus.GaugeValue, silence, group)
	}
}

func asFloat(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
