package ops

import (
	"fmt"
	"net/http"
	"net/http/pprof"
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// aboutPauses are Go's own figures of what holds a server up: garbage collection's share of CPU time, how long it and others stop
// the world, and how long goroutines wait for a processor.
var aboutPauses = collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile("^/cpu/classes/gc/total:|^/sched/pauses/total/|^/sched/latencies:")}

// longest bounds a request and its answer. Reading may take as long as writing: when its time is over, a profile that is under way ends.
const longest = 2 * time.Minute

// New returns the operator's HTTP server. collector gives the node's own metrics; ready says why the node can't serve
// all of its clients yet, or nil. profiles adds /debug/pprof: it costs CPU while it is read and shows memory contents.
func New(collector prometheus.Collector, ready func() error, profiles bool) *http.Server {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector, collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(aboutPauses)), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	if profiles {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "Quorate node. Try /metrics, /healthz (the process runs) and /readyz (it can serve).")
	})
	return &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: longest, WriteTimeout: longest, IdleTimeout: time.Minute,
		MaxHeaderBytes: 16 << 10,
	}
}
