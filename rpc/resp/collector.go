package resp

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/quorate/quorate/fsm/command"
)

var (
	clientsDesc   = describe("clients", "Open client connections.")
	acceptedDesc  = describe("clients_accepted_total", "Client connections accepted.")
	rejectedDesc  = describe("clients_rejected_total", "Client connections refused: too many, or protected mode.")
	owedDesc      = describe("client_pending_bytes", "Bytes of replies that clients have not taken: they must read first.")
	inDesc        = describe("client_bytes_received_total", "Bytes read from clients.")
	outDesc       = describe("client_bytes_sent_total", "Bytes written to clients.")
	commandsDesc  = describe("commands_total", "Commands executed.", "command")
	failedDesc    = describe("commands_failed_total", "Commands that were executed and answered with an error.", "command")
	refusedDesc   = describe("commands_rejected_total", "Commands that were refused before execution, MOVED included.", "command")
	errorsDesc    = describe("error_replies_total", "Errors that clients were answered, refused commands' included; code is the first word, or other.", "code")
	secondsDesc   = describe("command_seconds", "Time from reading a command to having its reply; pipelined commands share theirs.", "family")
	sharedDesc    = describe("client_shared_transfers_total", "Reads from clients (in) and writes to them (out) that shared a system call with others.", "direction")
	uncertainDesc = describe("uncertain_replies_total", "Writes whose outcome could not be told (UNCERTAIN).")
	parkedDesc    = describe("parked_commands_total", "Commands that had to be routed again or wait for a leader.")
	nudgesDesc    = describe("topology_nudges_total", "Commands answered with MOVED to this node so that the client reads the new map.")
	protocolDesc  = describe("protocol_errors_total", "Connections closed because of malformed or oversized input.")
	authDesc      = describe("auth_failures_total", "Wrong passwords.")
	overflowDesc  = describe("push_overflows_total", "Connections closed because their invalidations piled up.")
	trackedDesc   = describe("tracked_keys", "Keys that client-side caches are remembered for.")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("quorate_"+name, help, labels, nil)
}

// Describe implements prometheus.Collector. It sends nothing: which commands have figures depends on the clients.
func (s *Server) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector. It reads counters that are kept anyway.
func (s *Server) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v int) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v))
	}
	count := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	st := &s.stats
	gauge(clientsDesc, s.conns.count())
	gauge(owedDesc, int(st.owed.Load()))
	gauge(trackedDesc, s.tracked.Keys())
	count(acceptedDesc, st.accepted.Load())
	count(rejectedDesc, st.rejected.Load())
	count(inDesc, st.bytesIn.Load())
	count(outDesc, st.bytesOut.Load())
	count(sharedDesc, st.sharedReads.Load(), "in")
	count(sharedDesc, st.sharedWrites.Load(), "out")
	count(uncertainDesc, st.uncertain.Load())
	count(parkedDesc, st.parked.Load())
	count(nudgesDesc, st.nudges.Load())
	count(protocolDesc, st.protocolErrors.Load())
	count(authDesc, st.authFailures.Load())
	count(overflowDesc, st.outputLimitKills.Load())
	for code, n := range st.errorsByCode() {
		count(errorsDesc, n, code)
	}
	for id := range st.commands {
		cs, spec := &st.commands[id], command.ByID(command.ID(id))
		if calls, rejected := cs.calls.Load(), cs.rejected.Load(); spec != nil && calls+rejected > 0 {
			count(commandsDesc, calls, spec.Name)
			count(failedDesc, cs.failed.Load(), spec.Name)
			count(refusedDesc, rejected, spec.Name)
		}
	}
	for f := range families {
		h := st.histogram(f)
		out <- prometheus.MustNewConstHistogram(secondsDesc, h.count, float64(h.sum)/1e6, h.cumulative(), familyNames[f])
	}
}

// codes are those of errorsByCode. Clients choose some others, which would make metrics without end.
var codes = []string{
	"ERR", "WRONGTYPE", "MOVED", "CROSSSLOT", "CLUSTERDOWN", "TRYAGAIN", "UNCERTAIN", "OOM", "EXECABORT", "NOAUTH", "WRONGPASS", "NOPROTO",
}

// errorsByCode counts every code, so that one that comes up for the first time is an increase, too.
func (st *stats) errorsByCode() map[string]uint64 {
	counts := map[string]uint64{"other": 0}
	for _, code := range codes {
		counts[code] = 0
	}
	st.errMu.Lock()
	defer st.errMu.Unlock()
	for code, n := range st.errors {
		if _, known := counts[code]; !known {
			code = "other"
		}
		counts[code] += n
	}
	return counts
}

// cumulative is the histogram in Prometheus's form, in seconds. The last bucket is open, which Prometheus adds itself.
func (h *histogram) cumulative() map[float64]uint64 {
	out := map[float64]uint64{}
	seen := uint64(0)
	for b, n := range h.counts[:latencyBuckets-1] {
		seen += n
		out[float64(uint64(1)<<b)/1e6] = seen
	}
	return out
}
