package trial

import (
	"fmt"
	"time"

	"github.com/quorate/quorate/jepsen/check"
	"github.com/quorate/quorate/jepsen/nemesis"
)

const (
	// reviving is how soon after a fault every group must have taken a write.
	reviving = 5 * time.Second
	// overhead is by how much a process may grow above maxmemory while nodes are full or clients do not read: buffers, the log's caches,
	// and what Go has not collected yet.
	overhead = 512 << 20
)

// bounds judges what the faults' events say of time and memory.
func bounds(events []nemesis.Event) (out []check.Result) {
	if r, any := revivals(events); any {
		out = append(out, r)
	}
	if r, any := memories(events); any {
		out = append(out, r)
	}
	return out
}

func revivals(events []nemesis.Event) (r check.Result, any bool) {
	r = check.Result{Checker: "first success", OK: true}
	slowest, n := time.Duration(0), 0
	for _, e := range events {
		for _, g := range e.First {
			n++
			slowest = max(slowest, g.After)
			if g.After > reviving {
				r.OK = false
				r.Text += fmt.Sprintf("after %s of %s, group %d took no write for %v (load %.1f); ", e.Fault, e.Victim, g.Group, g.After.Round(time.Millisecond), e.Load)
			}
		}
	}
	if r.OK {
		r.Text = fmt.Sprintf("after %d faults, every group took a write within %v", len(events), slowest.Round(time.Millisecond))
	} else {
		r.Text += fmt.Sprintf("more than %v", reviving)
	}
	return r, n > 0
}

func memories(events []nemesis.Event) (r check.Result, any bool) {
	r.Checker, r.OK = "memory", true
	var most nemesis.Memory
	for _, e := range events {
		m := e.Memory
		if m == nil {
			continue
		}
		any = true
		most = nemesis.Memory{Limit: max(most.Limit, m.Limit), Used: max(most.Used, m.Used), Grown: max(most.Grown, m.Grown)}
		if m.Limit > 0 && m.Used > m.Limit || m.Grown > m.Limit+overhead {
			r.OK = false
			r.Text += fmt.Sprintf("during %s of %s, a node held %d of %d bytes and its process grew by %d; ", e.Fault, e.Victim, m.Used, m.Limit, m.Grown)
		}
	}
	if r.OK {
		r.Text = fmt.Sprintf("no node held more than %d of %d bytes, no process grew by more than %d MB", most.Used, most.Limit, most.Grown>>20)
	}
	return r, any
}
