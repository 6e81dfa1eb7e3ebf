package matrix

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/jepsen/nemesis"
	"github.com/quorate/quorate/jepsen/workload"
)

// Control is the family without faults: what it finds, no fault has caused.
const Control = "none"

// composed are faults at the same time that have a story: the comment says which.
var composed = []string{
	"mix",
	"isolate-leader+slow-disk",      // an entry that a cut-off leader has and the next one is slow to replace
	"kill-leader+slow-return",       // acknowledgements from before the election arrive after it
	"pause-leader+lossy",            // a leader wakes up to a world that it hears half of
	"transfer+crawling-disk",        // leadership goes to a node that can hardly store its first entry
	"clock-forward+isolate-leader",  // two leaders, a minute apart
	"member-leader+slow",            // the group changes while news of it is late
	"snapshot-behind+pause-leader",  // a snapshot is under way and its sender stands still
	"stuck-sync+flapping",           // a leader that neither stores nor is gone
	"restart+transfer",              // leadership moves to nodes that are about to stop
	"kill-follower+mute-leader",     // the last quorum is just lost
	"corrupt-log+kill-placement",    // a node must not start, and nobody can be asked for its place
	"clock-strobe+snapshot-kill",    // time jumps, and what was written of it is torn
	"member-dead+kill-leader",       // a group loses a member, then its leader
	"cut-leader+pause",              // clients lose their leader, the others stand still
	"lossy-leader+failing-sync",     // a leader stops for its disk while nobody hears it well
	"reorder+slow-disks",            // late, out of order and slow to store
	"isolate-placement+kill-leader", // a group elects while placement has no leader
}

// within are such pairs that belong to the family of their first fault.
var within = map[string][]string{
	"client": {"crowd+kill-leader", "astray+transfer", "backlog+pause-leader", "garbage+isolate-leader"},
	"memory": {"eviction-storm+kill-leader", "eviction-storm+transfer", "memory-full+isolate-leader"},
}

// Shape is the size of a cluster; 0 is what the fault needs, or else what is usual.
type Shape struct {
	Nodes    int `json:"nodes,omitempty"`
	Groups   int `json:"groups,omitempty"`
	Replicas int `json:"replicas,omitempty"`
}

// flags are what the servers are told of it.
func (s Shape) flags() (out []string) {
	if s.Groups > 0 {
		out = append(out, fmt.Sprintf("--groups=%d", s.Groups))
	}
	if s.Replicas > 0 {
		out = append(out, fmt.Sprintf("--replicas=%d", s.Replicas))
	}
	return out
}

// shaped are families that differ from others by the size of the cluster.
var shaped = []family{
	{name: "none in other sizes", faults: []string{Control}, shapes: []Shape{
		{1, 1, 1}, {3, 1, 3}, {5, 1, 5}, {1, 4, 1}, {3, 4, 3}, {5, 4, 5}, {1, 16, 1}, {3, 16, 3}, {5, 16, 5},
	}},
	{name: "five replicas", faults: []string{
		"kill-two", "halves", "isolate-leader", "kill-leader", "kill-majority", "pause-majority", "bridge", "kill-two+slow", "isolate-leader+kill",
	}, shapes: []Shape{{5, 5, 5}, {5, 1, 5}}},
	{name: "one node", faults: []string{"kill", "pause", "restart"}, shapes: []Shape{{1, 1, 1}, {1, 4, 1}}},
}

// family is a row of the matrix.
type family struct {
	name   string
	faults []string
	// shapes are the sizes that its clusters have in turn; none is the usual one.
	shapes []Shape
}

// families lists all rows that can be run with what there is, in the order of nemesis.Faults.
func families(network, disks bool) (out []family) {
	out = append(out, family{name: Control, faults: []string{Control}})
	for _, f := range nemesis.Faults() {
		i := slices.IndexFunc(out, func(x family) bool { return x.name == f.Family })
		if i < 0 {
			i, out = len(out), append(out, family{name: f.Family})
		}
		out[i].faults = append(out[i].faults, f.Name)
	}
	for i, f := range out {
		out[i].faults = append(f.faults, within[f.name]...)
	}
	out = append(append(out, shaped...), family{name: "composed", faults: composed})
	for i := range out {
		out[i].faults = slices.DeleteFunc(slices.Clone(out[i].faults), func(name string) bool {
			n := needs(name)
			return n.Network && !network || n.Disks && !disks
		})
	}
	return slices.DeleteFunc(out, func(f family) bool { return len(f.faults) == 0 })
}

// nodes is how many a cluster has unless a fault needs more.
const nodes = 3

// needs are those of a row's faults. Only "mix" makes do with what there is.
func needs(name string) (n nemesis.Needs) {
	if name == "mix" {
		return n
	}
	faults, err := nemesis.Named([]string{name}, nemesis.Needs{Network: true, Disks: true, Quorate: true, Nodes: 9})
	if err != nil {
		panic(err) // a name of the list above is wrong: the test finds it
	}
	for _, f := range faults {
		n = n.And(f.Needs)
	}
	return n
}

// Cell is one history of the matrix.
type Cell struct {
	Family   string `json:"family"`
	Nemesis  string `json:"nemesis"`
	Workload string `json:"workload"`
	Seed     uint64 `json:"seed"`
	Shape
}

// at is what a family's seed stands for: seeds go through the faults, and through the workloads so that each fault meets each of them
// before any does so twice.
func (f family) at(seed uint64, index int, workloads []string) Cell {
	workloads = f.fitting(workloads)
	nf, nw := uint64(len(f.faults)), uint64(len(workloads))
	// Where the two have a common divisor, both would begin again too early: each round shifts the workloads by one.
	both := lcm(nf, nw)
	round := seed / both % (nf * nw / both)
	c := Cell{Family: f.name, Nemesis: f.faults[seed%nf], Workload: workloads[(seed+round+uint64(index))%nw], Seed: seed}
	if n := uint64(len(f.shapes)); n > 0 {
		c.Shape = f.shapes[(seed+seed/both)%n]
	}
	return c
}

// fitting leaves out the workloads that do not know what a fault of the family does.
func (f family) fitting(names []string) []string {
	if !slices.ContainsFunc(f.faults, func(fault string) bool { return needs(fault).Evicts }) {
		return names
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		spec, _ := workload.Named(name) // of the list of all
		return !spec.MayEvict()
	})
}

func lcm(a, b uint64) uint64 {
	x, y := a, b
	for y > 0 {
		x, y = y, x%y
	}
	return a / x * b
}

// folder is the cell's place in the matrix's folder.
func (c Cell) folder() string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, c.Family)
	return fmt.Sprintf("%s-%d", name, c.Seed)
}

func (c Cell) String() string {
	size := ""
	if c.Nodes > 0 {
		size = fmt.Sprintf(", %d nodes, %d groups", c.Nodes, c.Groups)
	}
	return fmt.Sprintf("%s × %s, seed %d%s", c.Workload, c.Nemesis, c.Seed, size)
}

// workloads are the names of all.
func workloads() (out []string) {
	for _, s := range workload.Specs() {
		out = append(out, s.Name)
	}
	return out
}

// chosen keeps what is wanted of all; nothing wanted is all.
func chosen(what string, all, wanted []string) ([]string, error) {
	for _, w := range wanted {
		if !slices.Contains(all, w) {
			return nil, fmt.Errorf("there is no %s %q here: there are %s", what, w, strings.Join(all, ", "))
		}
	}
	if len(wanted) == 0 {
		return all, nil
	}
	return wanted, nil
}
