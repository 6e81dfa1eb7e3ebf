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

// family is a row of the matrix.
type family struct {
	name   string
	faults []string
}

// families lists all rows that can be run with what there is, in the order of nemesis.Faults.
func families(network, disks bool) (out []family) {
	out = append(out, family{Control, []string{Control}})
	for _, f := range nemesis.Faults() {
		i := slices.IndexFunc(out, func(x family) bool { return x.name == f.Family })
		if i < 0 {
			i, out = len(out), append(out, family{name: f.Family})
		}
		out[i].faults = append(out[i].faults, f.Name)
	}
	out = append(out, family{"composed", composed})
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
}

// at is what a family's seed stands for: seeds go through the faults, and through the workloads so that each fault meets each of them
// before any does so twice.
func (f family) at(seed uint64, index int, workloads []string) Cell {
	nf, nw := uint64(len(f.faults)), uint64(len(workloads))
	// Where the two have a common divisor, both would begin again too early: each round shifts the workloads by one.
	both := lcm(nf, nw)
	round := seed / both % (nf * nw / both)
	return Cell{Family: f.name, Nemesis: f.faults[seed%nf], Workload: workloads[(seed+round+uint64(index))%nw], Seed: seed}
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

func (c Cell) String() string { return fmt.Sprintf("%s × %s, seed %d", c.Workload, c.Nemesis, c.Seed) }

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
