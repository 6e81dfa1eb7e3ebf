package resp

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestCollect(t *testing.T) {
	w := newWorld(t, 1)
	c := w.dial(t)
	c.do("SET", "a", "x")
	c.do("INCR", "a")
	c.do("INCR")
	w.srv.stats.countError([]byte("-STRANGE error\r\n"))
	registry := prometheus.NewRegistry()
	registry.MustRegister(w.srv)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, f := range families {
		text.WriteString(f.String() + "\n")
	}
	for _, want := range []string{
		`name:"quorate_clients"`, `name:"quorate_client_pending_bytes"`, `label:{name:"code"value:"ERR"}counter:{value:2}`, `label:{name:"code"value:"OOM"}counter:{value:0}`,
		`label:{name:"code"value:"other"}counter:{value:1}`, `name:"quorate_commands_total"`, `label:{name:"command"value:"incr"}counter:{value:1}`,
		`name:"quorate_commands_rejected_total"`, `name:"quorate_command_seconds"`, `label:{name:"family"value:"write"}histogram:{sample_count:2`,
	} {
		if !strings.Contains(strings.ReplaceAll(text.String(), " ", ""), want) {
			t.Errorf("no %s", want)
		}
	}
	if t.Failed() {
		t.Log(text.String())
	}
}
