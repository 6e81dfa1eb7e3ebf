package fsm

import (
	"fmt"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
)

// DefaultSamples is Redis's default for maxmemory-samples.
const DefaultSamples = 5

// frequency reports whether access words count uses rather than hold the time of the last.
func frequency(p entry.Policy) bool { return p == entry.AllKeysLFU || p == entry.VolatileLFU }

// onlyVolatile reports whether only keys with a deadline may be evicted.
func onlyVolatile(p entry.Policy) bool {
	switch p {
	case entry.VolatileLRU, entry.VolatileLFU, entry.VolatileRandom, entry.VolatileTTL:
		return true
	}
	return false
}

// Limits are what the group may hold. They are part of the state, so that replicas answer -OOM at the same log position.
// Any goroutine may ask.
func (m *Machine) Limits() entry.Limits { return *m.current.Load().limits() }

// cmdLimit executes entry.Limit.
func cmdLimit(c *call) {
	l, err := entry.LimitsOf(&entry.Op{Cmd: command.Limit, Args: c.args})
	if err != nil {
		c.w.Error(fmt.Sprintf("ERR %v", err))
		return
	}
	c.st.limit.Store(&l)
	c.w.OK()
}
