package resp

import (
	"net"
	"sync"
	"time"

	"github.com/quorate/quorate/fsm/command"
)

const (
	// nudgePause is the least time between a MOVED that a connection was told, be it a nudge, and the next nudge.
	nudgePause = time.Second
	// nudgeHostPause is the least time between two nudges of one host. A client tries again at once, often on another
	// connection of its pool; were that nudged too, and the next, the command would use up its redirections (go-redis: 3).
	nudgeHostPause = 20 * time.Millisecond
)

// nudged remembers which hosts were nudged since the newest change of topology.
type nudged struct {
	mu    sync.Mutex
	epoch uint64
	last  map[string]time.Time
}

// allow reports whether a connection from host may be nudged now, and notes that it is.
func (n *nudged) allow(epoch uint64, host string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.last == nil || epoch != n.epoch && len(n.last) > nudgedHosts {
		n.last = map[string]time.Time{}
	}
	n.epoch = epoch
	if now.Sub(n.last[host]) < nudgeHostPause {
		return false
	}
	n.last[host] = now
	return true
}

// nudgedHosts is how many hosts are remembered beyond a change of topology.
const nudgedHosts = 1024

// nudgeNow answers a single command after a change of topology by a MOVED to this very node, so that the client reads
// the new map before it meets a dead leader (go-redis waits up to 60 s otherwise). The command is not
// executed. Pipelines, transactions and blocking commands are left alone, and clients that renew their map anyway because they were
// told MOVED, or have just read it: each redirection counts.
func (c *conn) nudgeNow(spec *command.Spec, n uint16) bool {
	if !c.s.cfg.Load().TopologyNudge {
		c.nudge = c.s.nudges.Load() // nobody is told
		return false
	}
	now := time.Now()
	alone := len(c.run.cmds) == 0 && c.in.empty()
	if !alone || c.tx.open || spec.Has(command.Blocking) || spec.ID == command.Exec || now.Sub(c.told) < nudgePause {
		return false
	}
	addr := c.s.selfAddr()
	if addr == "" || !c.s.nudged.allow(c.s.nudges.Load(), c.host(), now) {
		return false
	}
	c.learnTopology()
	c.s.stats.nudges.Add(1)
	c.w().Moved(n, addr)
	c.refused(spec)
	return true
}

// host is the client's machine, as far as its address tells.
func (c *conn) host() string {
	host, _, err := net.SplitHostPort(c.remote)
	if err != nil {
		return c.remote
	}
	return host
}
