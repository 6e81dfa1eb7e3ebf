package ops

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestEndpoints(t *testing.T) {
	var notReady error
	up := prometheus.NewGauge(prometheus.GaugeOpts{Name: "quorate_up", Help: "1 while the node runs."})
	up.Set(1)
	s := New(up, func() error { return notReady }, false)
	get := func(path string) (int, string) {
		w := httptest.NewRecorder()
		s.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code, w.Body.String()
	}
	for path, want := range map[string]string{"/metrics": "quorate_up 1", "/healthz": "ok", "/readyz": "ok", "/": "/metrics"} {
		if code, body := get(path); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %.80q, want %q", path, code, body, want)
		}
	}
	notReady = errors.New("group 2 has no leader")
	if code, body := get("/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "group 2") {
		t.Errorf("/readyz while not ready: %d %q", code, body)
	}
	for _, path := range []string{"/secret", "/debug/pprof/"} {
		if code, _ := get(path); code != http.StatusNotFound {
			t.Errorf("%s: %d", path, code)
		}
	}
	s = New(up, func() error { return nil }, true)
	if code, body := get("/debug/pprof/"); code != http.StatusOK || !strings.Contains(body, "goroutine") {
		t.Errorf("/debug/pprof/ with profiles on: %d", code)
	}
}
