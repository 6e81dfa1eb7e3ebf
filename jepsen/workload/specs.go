package workload

import (
	"slices"
	"time"

	"github.com/quorate/quorate/jepsen/check"
)

// lateness is how much earlier or later than its deadline a key may go though all clocks agree: the time of a log entry is
// the leader's at the proposal, and busy machines let commands wait.
const lateness = 100 * time.Millisecond

// Specs are all workloads.
func Specs() []Spec {
	register := func(c Conditions) check.Rules {
		return linear(check.Registers{Evicts: c.Evicts, Logged: c.Logged}.Model())
	}
	return []Spec{
		{Name: "register", About: "SET, GET, SET GET, DEL of single keys", Rules: register, step: registerStep, final: finalGet},
		{Name: "cas", About: "compare-and-set by WATCH, GET, MULTI, SET, EXEC", Rules: register, step: casStep, final: finalGet},
		{Name: "counter", About: "INCRBY and GET", Rules: counterRules, step: counterStep, final: finalGet},
		{Name: "append", About: "MULTI of APPENDs to and GETs of the lists of a slot: strict serializability",
			Rules: func(Conditions) check.Rules { return check.Rules{Lists: true} }, step: appendStep, final: appendFinal},
		{Name: "lock", About: "SET NX PX beside a fencing number, given back by WATCH, MULTI, DEL, EXEC",
			Rules: func(c Conditions) check.Rules { return linear(check.Locks(c.Skew+lateness, c.Logged)) }, step: lockStep, final: lockFinal},
		{Name: "ttl", About: "SET PX, PEXPIRE, PERSIST, GET and compare-and-set by WATCH: no key dies early, lives on or comes back",
			Rules: func(c Conditions) check.Rules {
				return linear(check.Registers{Skew: c.Skew + lateness, Evicts: c.Evicts, Logged: c.Logged}.Model())
			}, step: ttlStep, final: finalGet},
		{Name: "eviction", About: "registers and compare-and-set by WATCH while the nodes are out of memory", Flags: []string{"--maxmemory", "24mb", "--maxmemory-policy", "allkeys-lru"},
			Rules: func(c Conditions) check.Rules { return linear(check.Registers{Evicts: true, Logged: c.Logged}.Model()) }, step: evictionStep, final: finalGet},
		{Name: "pipeline", About: "SETs and GETs of keys of one slot, several sent at once", Rules: register, step: pipelineStep, final: pipelineFinal},
		{Name: "follower", About: "SET at the owner, GET from any replica (READONLY)", Rules: register, step: followerStep, final: finalGet},
		{Name: "stale-map", About: "SET and GET by clients that ask any node and go where it sends them", Rules: register, step: staleStep, final: finalGet},
		{Name: "big", About: "SET and GET of values of 1 KB to 1 MB", Flags: []string{"--snapshot-log-bytes=32mb"}, Rules: register, step: bigStep, final: paddedFinal},
		{Name: "slow-reader", About: "SET and GET of values of 64 KB, some clients are slow to fetch many replies", Flags: []string{"--snapshot-log-bytes=32mb"},
			Rules: register, step: lazyStep, final: paddedFinal},
		{Name: "multi-key", About: "MSET and MGET of keys of one slot",
			Rules: func(Conditions) check.Rules { return linear(check.Vectors()) }, step: vectorStep, final: vectorFinal},
	}
}

// MayEvict says that the workload's rules know of evictions: of counters, lists, locks and sets of keys, none may be lost.
func (s Spec) MayEvict() bool {
	return !slices.Contains([]string{"counter", "append", "lock", "multi-key"}, s.Name)
}

// Named finds a workload.
func Named(name string) (Spec, bool) {
	specs := Specs()
	i := slices.IndexFunc(specs, func(s Spec) bool { return s.Name == name })
	if i < 0 {
		return Spec{}, false
	}
	return specs[i], true
}

func linear(m check.Model) check.Rules { return check.Rules{Model: &m} }

func counterRules(Conditions) check.Rules {
	rules := linear(check.Counters())
	rules.Sums = true
	return rules
}
