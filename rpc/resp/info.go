package resp

import (
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/fsm/command"
)

// infoPage collects INFO's lines and what several sections need.
type infoPage struct {
	c      *conn
	b      []byte
	status Status
	now    time.Time
}

func (p *infoPage) line(name string, value any) { p.b = fmt.Appendf(p.b, "%s:%v\r\n", name, value) }

type infoSection struct {
	name, title string
	// extra sections come only when asked for, or with "all".
	extra bool
	write func(p *infoPage)
}

var infoSections = []infoSection{
	{"server", "Server", false, (*infoPage).server},
	{"clients", "Clients", false, (*infoPage).clients},
	{"memory", "Memory", false, (*infoPage).memory},
	{"persistence", "Persistence", false, (*infoPage).persistence},
	{"stats", "Stats", false, (*infoPage).stats},
	{"replication", "Replication", false, (*infoPage).replication},
	{"cpu", "CPU", false, (*infoPage).cpu},
	{"modules", "Modules", false, func(*infoPage) {}},
	{"commandstats", "Commandstats", true, (*infoPage).commandstats},
	{"errorstats", "Errorstats", false, (*infoPage).errorstats},
	{"latencystats", "Latencystats", true, (*infoPage).latencystats},
	{"cluster", "Cluster", false, (*infoPage).cluster},
	{"keyspace", "Keyspace", false, (*infoPage).keyspace},
	{"raft", "Raft", false, (*infoPage).raft},
}

func cmdInfo(c *conn, args [][]byte) {
	want := map[string]bool{}
	for _, a := range args {
		want[strings.ToLower(string(a))] = true
	}
	all := want["all"] || want["everything"]
	standard := len(want) == 0 || want["default"]
	p := &infoPage{c: c, status: c.s.b.Status(), now: time.Now()}
	for _, s := range infoSections {
		if !all && !want[s.name] && (!standard || s.extra) {
			continue
		}
		if len(p.b) > 0 {
			p.b = append(p.b, "\r\n"...)
		}
		p.b = append(p.b, "# "+s.title+"\r\n"...)
		s.write(p)
	}
	c.w().Verbatim(p.b)
}

func (p *infoPage) server() {
	s := p.c.s
	up := p.now.Sub(s.started)
	p.line("redis_version", compatible)
	p.line("redis_git_sha1", "00000000")
	p.line("redis_git_dirty", 0)
	p.line("redis_build_id", "0")
	p.line("redis_mode", "cluster")
	p.line("quorate_version", p.status.Version)
	p.line("quorate_durability", p.status.Durability)
	p.line("quorate_reads", p.status.Reads)
	p.line("os", runtime.GOOS+" "+runtime.GOARCH)
	p.line("arch_bits", 64)
	p.line("multiplexing_api", s.multiplexing())
	p.line("go_version", runtime.Version())
	p.line("process_id", os.Getpid())
	p.line("run_id", s.runID)
	p.line("tcp_port", s.port())
	p.line("server_time_usec", p.now.UnixMicro())
	p.line("uptime_in_seconds", int(up.Seconds()))
	p.line("uptime_in_days", int(up.Hours()/24))
	p.line("hz", 10)
	p.line("configured_hz", 10)
	p.line("executable", "")
	p.line("config_file", "")
}

func (p *infoPage) clients() {
	s := p.c.s
	tracking, pubsub := 0, 0
	for _, c := range s.conns.all() {
		f := c.flags.Load()
		if f&flagTracking != 0 {
			tracking++
		}
		if f&flagSubscribed != 0 {
			pubsub++
		}
	}
	p.line("connected_clients", s.conns.count())
	p.line("cluster_connections", 0)
	p.line("maxclients", s.cfg.Load().MaxClients)
	p.line("client_recent_max_input_buffer", 0)
	p.line("client_recent_max_output_buffer", 0)
	p.line("blocked_clients", 0)
	p.line("tracking_clients", tracking)
	p.line("pubsub_clients", pubsub)
	p.line("clients_in_timeout_table", 0)
}

// heapBytes is what the Go heap and the whole runtime hold.
func heapBytes() (objects, total uint64) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64(), sample[1].Value.Uint64()
}

// logical is the size of all keys that this node leads, and of all its replicas.
func (p *infoPage) logical() (led, held int64) {
	for _, g := range p.status.Groups {
		held += g.UsedMemory
		if g.Leading {
			led += g.UsedMemory
		}
	}
	return led, held
}

func (p *infoPage) memory() {
	led, held := p.logical()
	objects, total := heapBytes()
	peak := p.c.s.peak.see(max(led, int64(objects)))
	set := p.c.view().view.Map.Settings
	p.line("used_memory", led)
	p.line("used_memory_human", human(led))
	p.line("used_memory_rss", residentBytes(total))
	p.line("used_memory_rss_human", human(int64(residentBytes(total))))
	p.line("used_memory_peak", peak)
	p.line("used_memory_peak_human", human(peak))
	p.line("used_memory_dataset", led)
	p.line("used_memory_replicas", held)
	p.line("used_memory_heap", objects)
	p.line("total_system_memory", systemMemory())
	p.line("maxmemory", set.MaxMemory)
	p.line("maxmemory_human", human(set.MaxMemory))
	p.line("maxmemory_policy", set.MaxMemoryPolicy)
	p.line("mem_fragmentation_ratio", fmt.Sprintf("%.2f", float64(residentBytes(total))/float64(max(held, 1))))
	p.line("mem_allocator", "go")
	p.line("lazyfree_pending_objects", 0)
}

func human(n int64) string {
	switch f := float64(n); {
	case n < 1<<10:
		return fmt.Sprintf("%dB", n)
	case n < 1<<20:
		return fmt.Sprintf("%.2fK", f/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.2fM", f/(1<<20))
	default:
		return fmt.Sprintf("%.2fG", f/(1<<30))
	}
}

func (p *infoPage) persistence() {
	// Never loading: clients that ask before they send anything (ioredis) would not use a node that serves all groups but one.
	p.line("loading", 0)
	loading := 0
	if p.status.Loading {
		loading = 1
	}
	p.line("async_loading", loading)
	p.line("rdb_changes_since_last_save", 0)
	p.line("rdb_bgsave_in_progress", 0)
	p.line("rdb_last_save_time", p.status.LastSnapshot)
	p.line("rdb_last_bgsave_status", "ok")
	p.line("aof_enabled", 1)
	p.line("aof_rewrite_in_progress", 0)
	p.line("aof_last_write_status", "ok")
	p.line("quorate_durability", p.status.Durability)
}

func (p *infoPage) stats() {
	st := &p.c.s.stats
	ops, in, out := st.rates(p.now)
	expired, evicted := uint64(0), uint64(0)
	for _, g := range p.status.Groups {
		if g.Leading {
			expired, evicted = expired+g.Expired, evicted+g.Evicted
		}
	}
	p.line("total_connections_received", st.accepted.Load())
	p.line("total_commands_processed", st.total.Load())
	p.line("instantaneous_ops_per_sec", int(ops))
	p.line("total_net_input_bytes", st.bytesIn.Load())
	p.line("total_net_output_bytes", st.bytesOut.Load())
	p.line("instantaneous_input_kbps", fmt.Sprintf("%.2f", in))
	p.line("instantaneous_output_kbps", fmt.Sprintf("%.2f", out))
	p.line("rejected_connections", st.rejected.Load())
	p.line("expired_keys", expired)
	p.line("evicted_keys", evicted)
	p.line("keyspace_hits", st.hits.Load())
	p.line("keyspace_misses", st.misses.Load())
	p.line("tracking_total_keys", p.c.s.tracked.Keys())
	p.line("tracking_total_items", p.c.s.tracked.Items())
	p.line("tracking_total_prefixes", p.c.s.tracked.Prefixes())
	p.line("total_error_replies", st.failed.Load())
	p.line("client_output_buffer_limit_disconnections", st.outputLimitKills.Load())
	p.line("acl_access_denied_auth", st.authFailures.Load())
	p.line("quorate_uncertain_replies", st.uncertain.Load())
	p.line("quorate_parked_commands", st.parked.Load())
	p.line("quorate_topology_nudges", st.nudges.Load())
	p.line("quorate_protocol_errors", st.protocolErrors.Load())
}

// offset stands for Redis's replication offset: it grows with every log entry of the groups that this node leads.
func (p *infoPage) offset() (sum uint64) {
	for _, g := range p.status.Groups {
		if g.Leading {
			sum += g.Applied
		}
	}
	return sum
}

func (p *infoPage) replication() {
	p.line("role", "master")
	p.line("connected_slaves", 0)
	p.line("master_failover_state", "no-failover")
	p.line("master_replid", p.c.s.runID)
	p.line("master_replid2", strings.Repeat("0", 40))
	p.line("master_repl_offset", p.offset())
	p.line("second_repl_offset", -1)
	p.line("repl_backlog_active", 0)
}

func (p *infoPage) cpu() {
	var self syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &self); err != nil {
		return
	}
	seconds := func(t syscall.Timeval) string { return fmt.Sprintf("%d.%06d", t.Sec, t.Usec) }
	p.line("used_cpu_sys", seconds(self.Stime))
	p.line("used_cpu_user", seconds(self.Utime))
}

func (p *infoPage) commandstats() {
	for id := range p.c.s.stats.commands {
		cs := &p.c.s.stats.commands[id]
		calls, rejected := cs.calls.Load(), cs.rejected.Load()
		spec := command.ByID(command.ID(id))
		if spec == nil || calls+rejected == 0 {
			continue
		}
		usec := cs.usec.Load()
		p.line("cmdstat_"+spec.Name, fmt.Sprintf("calls=%d,usec=%d,usec_per_call=%.2f,rejected_calls=%d,failed_calls=%d",
			calls, usec, float64(usec)/float64(max(calls, 1)), rejected, cs.failed.Load()))
	}
}

func (p *infoPage) errorstats() {
	st := &p.c.s.stats
	st.errMu.Lock()
	defer st.errMu.Unlock()
	for _, name := range slices.Sorted(mapKeys(st.errors)) {
		p.line("errorstat_"+name, fmt.Sprintf("count=%d", st.errors[name]))
	}
}

// latencystats shows percentiles per family of commands; they are not kept per command.
func (p *infoPage) latencystats() {
	for f := range families {
		h := p.c.s.stats.histogram(f)
		if h.count > 0 {
			p.line("latency_percentiles_usec_"+familyNames[f],
				fmt.Sprintf("p50=%d,p99=%d,p99.9=%d", h.percentile(0.5), h.percentile(0.99), h.percentile(0.999)))
		}
	}
}

func (p *infoPage) cluster() { p.line("cluster_enabled", 1) }

func (p *infoPage) keyspace() {
	keys, expires, ttl := int64(0), int64(0), int64(0)
	for _, g := range p.status.Groups {
		if g.Leading {
			keys, expires, ttl = keys+g.Keys, expires+g.Expires, max(ttl, g.AvgTTL)
		}
	}
	if keys > 0 {
		p.line("db0", fmt.Sprintf("keys=%d,expires=%d,avg_ttl=%d", keys, expires, ttl))
	}
}

func (p *infoPage) raft() {
	p.line("raft_groups", len(p.status.Groups))
	p.line("raft_epoch", p.c.view().view.Map.Epoch)
	p.line("raft_durability", p.status.Durability)
	p.line("raft_reads", p.status.Reads)
	p.line("raft_slots_without_leader", p.status.SlotsDown)
	for _, g := range p.status.Groups {
		role := "follower"
		if g.Leading {
			role = "leader"
		}
		p.line(fmt.Sprintf("raft_group%d", g.Group), fmt.Sprintf(
			"role=%s,leader=%s,term=%d,last=%d,committed=%d,applied=%d,snapshot=%d,log_bytes=%d,lease=%t,voters_acked=%d,keys=%d,memory=%d",
			role, g.Leader, g.Term, g.Last, g.Committed, g.Applied, g.SnapshotIndex, g.LogBytes, g.ReadLease, g.VotersAcked, g.Keys, g.UsedMemory))
	}
}
