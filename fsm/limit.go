package fsm

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
)

// Policy says which keys may be evicted, and which of them first. The numbers are in snapshots.
type Policy uint8

// Redis's eviction policies (https://redis.io/docs/latest/develop/reference/eviction/).
const (
	NoEviction Policy = iota
	AllKeysLRU
	VolatileLRU
	AllKeysLFU
	VolatileLFU
	AllKeysRandom
	VolatileRandom
	VolatileTTL
)

var policyNames = []string{
	NoEviction: "noeviction", AllKeysLRU: "allkeys-lru", VolatileLRU: "volatile-lru", AllKeysLFU: "allkeys-lfu",
	VolatileLFU: "volatile-lfu", AllKeysRandom: "allkeys-random", VolatileRandom: "volatile-random", VolatileTTL: "volatile-ttl",
}

// ParsePolicy reads a policy's name as Redis's maxmemory-policy has it.
func ParsePolicy(name string) (Policy, error) {
	if i := slices.Index(policyNames, name); i >= 0 {
		return Policy(i), nil
	}
	return 0, fmt.Errorf("maxmemory-policy %q: want one of %v", name, policyNames)
}

func (p Policy) String() string {
	if int(p) < len(policyNames) {
		return policyNames[p]
	}
	return fmt.Sprintf("policy %d", uint8(p))
}

// frequency reports whether access words count uses rather than hold the time of the last.
func (p Policy) frequency() bool { return p == AllKeysLFU || p == VolatileLFU }

// volatile reports whether only keys with a deadline may be evicted.
func (p Policy) volatile() bool {
	return p == VolatileLRU || p == VolatileLFU || p == VolatileRandom || p == VolatileTTL
}

// DefaultSamples and MaxSamples are the default and the bound of Limit.Samples, Redis's maxmemory-samples.
const (
	DefaultSamples = 5
	MaxSamples     = 64
)

// Limit is what a group may hold. It is part of the state, so that replicas answer -OOM at the same log position.
type Limit struct {
	// MaxMemory bounds Memory, in bytes; 0 means no limit.
	MaxMemory int64
	Policy    Policy
	// Samples is how many keys are compared for each one that is evicted: more is more exact and slower.
	Samples int
}

func (l Limit) validate() error {
	switch {
	case l.MaxMemory < 0:
		return fmt.Errorf("maxmemory %d: want 0 or more bytes", l.MaxMemory)
	case int(l.Policy) >= len(policyNames):
		return fmt.Errorf("maxmemory-policy %d is not known to this version", l.Policy)
	case l.Samples < 1 || l.Samples > MaxSamples:
		return fmt.Errorf("maxmemory-samples %d: want 1 to %d", l.Samples, MaxSamples)
	}
	return nil
}

// Limit is the present limit. Any goroutine may ask.
func (m *Machine) Limit() Limit { return *m.current.Load().limits() }

// LimitOp is the op that sets a limit. It is answered +OK, or an error if the limit is not valid.
func LimitOp(l Limit) entry.Op {
	return entry.Op{Cmd: command.Limit, Args: [][]byte{
		strconv.AppendInt(nil, l.MaxMemory, 10), []byte(l.Policy.String()), strconv.AppendInt(nil, int64(l.Samples), 10),
	}}
}

func cmdLimit(c *call) {
	l, err := parseLimit(c.args)
	if err != nil {
		c.w.Error("ERR " + err.Error())
		return
	}
	c.st.limit.Store(&l)
	c.w.OK()
}

func parseLimit(args [][]byte) (l Limit, err error) {
	if len(args) != 3 {
		return l, fmt.Errorf("limit: %d arguments, want maxmemory, policy and samples", len(args))
	}
	maxMemory, okMemory := parseInt(args[0])
	samples, okSamples := parseInt(args[2])
	if !okMemory || !okSamples || samples > MaxSamples {
		return l, fmt.Errorf("limit: maxmemory %q and samples %q: %s", args[0], args[2], reply.NotInteger[len("ERR "):])
	}
	policy, err := ParsePolicy(string(args[1]))
	if err != nil {
		return l, err
	}
	l = Limit{MaxMemory: maxMemory, Policy: policy, Samples: int(samples)}
	return l, l.validate()
}
