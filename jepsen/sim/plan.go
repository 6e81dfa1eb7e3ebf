package sim

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/quorate/quorate/jepsen/sim/fabric"
)

// Plan is everything about a run. It follows from the seed, but for what Options say.
type Plan struct {
	Seed     uint64 `json:"seed"`
	Nodes    int    `json:"nodes"`
	Groups   int    `json:"groups"`
	Replicas int    `json:"replicas"`
	Workload string `json:"workload"`
	Clients  int    `json:"clients"`
	// Think is a client's pause after each operation, Safety the time with faults, Liveness the bound on recovery.
	Think    time.Duration `json:"think_ns"`
	Safety   time.Duration `json:"safety_ns"`
	Liveness time.Duration `json:"liveness_ns"`
	// Families are the kinds of faults, Pace is the mean time between two, and Overlap how many may be at once.
	Families []string      `json:"families"`
	Pace     time.Duration `json:"pace_ns"`
	Overlap  int           `json:"overlap"`
	// Shape is the name of the run's proportions, Brief the longest that a fault lasts.
	Shape string        `json:"shape"`
	Brief time.Duration `json:"brief_ns"`

	Durability string         `json:"durability"`
	Reads      string         `json:"reads"`
	Election   time.Duration  `json:"election_ns"`
	Lease      time.Duration  `json:"lease_ns"`
	Commit     time.Duration  `json:"commit_ns"`
	Snapshot   int64          `json:"snapshot_bytes"`
	Trailing   uint64         `json:"trailing_logs"`
	Weather    fabric.Weather `json:"weather"`
	Sync       time.Duration  `json:"sync_ns"`
	// Ballast is the size of the values that fill the nodes where they have a limit, which then are tens or a few.
	Ballast int `json:"ballast_bytes,omitempty"`
	// Mutation is the guard that is switched off, in builds for that.
	Mutation string `json:"mutation,omitempty"`
	// Script is the story that is played instead of faults by chance: see scripts.
	Script string `json:"script,omitempty"`
}

// Options narrow what a seed would choose; zero values leave it alone.
type Options struct {
	// Families are the only ones; nil leaves the choice to the seed, and an empty list is no fault at all.
	Families []string      `json:"families"`
	Workload string        `json:"workload,omitempty"`
	Safety   time.Duration `json:"safety_ns,omitempty"`
	Clients  int           `json:"clients,omitempty"`
	Groups   int           `json:"groups,omitempty"`
	// Nodes is how many there are, Replicas how many of them have one of a group: each, if only Nodes is set.
	Nodes    int    `json:"nodes,omitempty"`
	Replicas int    `json:"replicas,omitempty"`
	Shape    string `json:"shape,omitempty"`
	// Pace is the mean time between two faults.
	Pace       time.Duration `json:"pace_ns,omitempty"`
	Overlap    int           `json:"overlap,omitempty"`
	Think      time.Duration `json:"think_ns,omitempty"`
	Election   time.Duration `json:"election_ns,omitempty"`
	Durability string        `json:"durability,omitempty"`
	Reads      string        `json:"reads,omitempty"`
	Mutation   string        `json:"mutation,omitempty"`
	Script     string        `json:"script,omitempty"`
}

// workloads are those that a seed chooses among. Every one's values are unique, so that the log tells what became of them.
var workloads = []string{"register", "cas", "counter", "append", "lock", "ttl", "eviction", "pipeline", "follower", "multi-key", "stale-map", "big", "slow-reader"}

// quiet is the share of runs without any fault, in percent.
const quiet = 2

// fewTrailing entries stay behind snapshots in stories of snapshots: a leader that has entries from before a snapshot sends these instead.
const fewTrailing = 3

// NewPlan draws a run. Whole families of faults are switched off in each run (swarm testing): what many faults together hide,
// few of them show.
func NewPlan(seed uint64, o Options) Plan {
	rng := rand.New(rand.NewPCG(seed, 1))
	p := Plan{Seed: seed, Liveness: time.Minute, Brief: time.Minute}
	p.Nodes = pick(rng, 3, 3, 3, 4, 5)
	p.Groups = pick(rng, 1, 2, 3, 4)
	p.Replicas = pick(rng, 3, 3, 3, p.Nodes)
	p.Workload = pick(rng, workloads...)
	p.Clients = 2 + rng.IntN(9)
	p.Think = pick[time.Duration](rng, 20, 50, 100, 200, 400) * time.Millisecond
	p.Safety = time.Duration(30+rng.IntN(120)) * time.Second
	p.Pace = time.Duration(300+rng.IntN(6000)) * time.Millisecond
	p.Overlap = 1 + rng.IntN(3)
	p.Durability = pick(rng, "always", "always", "interval")
	p.Reads = pick(rng, "lease", "lease", "quorum")
	scale := pick[time.Duration](rng, 1, 1, 2, 4)
	p.Election = scale * 500 * time.Millisecond
	p.Lease = p.Election * 4 / 5
	p.Commit = pick[time.Duration](rng, 50, 100, 200) * time.Millisecond
	p.Weather = pick(rng,
		fabric.Weather{Delay: 100 * time.Microsecond, Jitter: time.Millisecond},
		fabric.Weather{Delay: 500 * time.Microsecond, Jitter: 20 * time.Millisecond},
		fabric.Weather{Delay: time.Millisecond, Jitter: 100 * time.Millisecond, Loss: 0.001})
	p.Sync = pick[time.Duration](rng, 100, 1000, 10_000) * time.Microsecond
	p.Ballast = pick(rng, 1<<10, 4<<10, 16<<10)
	p.Families = chooseFamilies(rng)
	p.Shape = cmp.Or(o.Shape, pick(rng, Shapes()...).Name)
	for _, s := range Shapes() {
		if s.Name == p.Shape {
			s.draw(&p, rng)
		}
	}
	p.narrow(o)
	p.Snapshot, p.Trailing = 1<<20, 4096
	if slices.Contains(p.Families, "snapshot") {
		p.Snapshot, p.Trailing = int64(pick(rng, 2<<10, 8<<10, 32<<10)), pick[uint64](rng, 1, 5, 50)
	}
	if slices.Contains(p.Families, "snapshot-over-tail") || slices.Contains(p.Families, "late-snapshot") {
		p.Trailing = fewTrailing
	}
	return p
}

func (p *Plan) narrow(o Options) {
	if o.Families != nil {
		p.Families = o.Families
	}
	if o.Workload != "" {
		p.Workload = o.Workload
	}
	if o.Safety > 0 {
		p.Safety = o.Safety
	}
	if o.Clients > 0 {
		p.Clients = o.Clients
	}
	if o.Groups > 0 {
		p.Groups = o.Groups
	}
	if o.Nodes > 0 {
		p.Nodes, p.Replicas = o.Nodes, o.Nodes
	}
	if o.Replicas > 0 {
		p.Replicas = o.Replicas
	}
	if o.Pace > 0 {
		p.Pace = o.Pace
	}
	if o.Overlap > 0 {
		p.Overlap = o.Overlap
	}
	if o.Think > 0 {
		p.Think = o.Think
	}
	if o.Election > 0 {
		p.Election, p.Lease = o.Election, o.Election*4/5
	}
	if o.Durability != "" {
		p.Durability = o.Durability
	}
	if o.Reads != "" {
		p.Reads = o.Reads
	}
	p.Mutation, p.Script = o.Mutation, o.Script
}

func chooseFamilies(rng *rand.Rand) []string {
	chosen := []string{}
	if rng.IntN(100) < quiet {
		return chosen
	}
	share := 10 + rng.IntN(60)
	drawn := slices.DeleteFunc(Families(), func(f Family) bool { return f.story })
	for _, f := range drawn {
		if rng.IntN(100) < share {
			chosen = append(chosen, f.Name)
		}
	}
	if len(chosen) == 0 {
		chosen = append(chosen, pick(rng, drawn...).Name)
	}
	return chosen
}

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

// check refuses what cannot be run.
func (p Plan) check() error {
	for _, name := range p.Families {
		if !slices.ContainsFunc(Families(), func(f Family) bool { return f.Name == name }) {
			return fmt.Errorf("no family of faults is called %q", name)
		}
	}
	if !slices.Contains(workloads, p.Workload) {
		return fmt.Errorf("no workload is called %q: want one of %v", p.Workload, workloads)
	}
	if p.Script != "" && scripts[p.Script] == nil {
		return fmt.Errorf("no script is called %q", p.Script)
	}
	if !slices.ContainsFunc(Shapes(), func(s Shape) bool { return s.Name == p.Shape }) {
		return fmt.Errorf("no shape is called %q", p.Shape)
	}
	if p.Clients < 1 || p.Clients > 64 || p.Groups < 1 || p.Groups > 16 || p.Safety < time.Second || p.Safety > 24*time.Hour {
		return fmt.Errorf("%d clients, %d groups and %v can't be simulated: want 1 to 64, 1 to 16, 1 s to 24 h", p.Clients, p.Groups, p.Safety)
	}
	return nil
}
