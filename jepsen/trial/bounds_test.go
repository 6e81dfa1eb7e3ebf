package trial

import (
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/jepsen/nemesis"
)

func TestASlowGroupIsAViolation(t *testing.T) {
	e := nemesis.Event{Fault: "kill", Victim: "node1", First: []nemesis.Revival{{Group: 1, After: time.Second}, {Group: 2, After: reviving}}}
	if r := bounds([]nemesis.Event{e}); len(r) != 1 || !r[0].OK || !strings.Contains(r[0].Text, "5s") {
		t.Errorf("in time: %+v", r)
	}
	e.First[1].After++
	if r := bounds([]nemesis.Event{{}, e}); len(r) != 1 || r[0].OK || !strings.Contains(r[0].Text, "group 2") || strings.Contains(r[0].Text, "group 1") {
		t.Errorf("too late: %+v", r)
	}
	if r := bounds([]nemesis.Event{{Fault: "kill"}}); len(r) != 0 {
		t.Errorf("nothing was measured: %+v", r)
	}
}

func TestMemoryHasABound(t *testing.T) {
	for name, c := range map[string]struct {
		m  nemesis.Memory
		ok bool
	}{
		"full":             {nemesis.Memory{Limit: 100, Used: 100, Grown: overhead}, true},
		"over the limit":   {nemesis.Memory{Limit: 100, Used: 101}, false},
		"a large process":  {nemesis.Memory{Limit: 100, Grown: overhead + 101}, false},
		"no limit":         {nemesis.Memory{Used: 1 << 30, Grown: 1 << 20}, true},
		"no limit, growth": {nemesis.Memory{Grown: overhead + 1}, false},
	} {
		r := bounds([]nemesis.Event{{Fault: "x", Memory: &c.m}, {}})
		if len(r) != 1 || r[0].Checker != "memory" || r[0].OK != c.ok {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
