package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/jepsen/history"
)

// Summary adds up runs, each once: one with the plan of an earlier one and the same build, or the same trace, shows nothing new.
type Summary struct {
	Runs int `json:"runs"`
	// Repeats are runs that were there before; they count in nothing else. Builds is how many builds the others are of, Undated
	// those of them whose build was not taken down: only their traces tell repeats.
	Repeats int `json:"repeats"`
	Builds  int `json:"builds"`
	Undated int `json:"undated"`

	seen   map[string]bool
	builds map[string]bool

	Violated  int            `json:"violated"`
	Simulated time.Duration  `json:"simulated_ns"`
	Real      time.Duration  `json:"real_ns"`
	CPU       time.Duration  `json:"cpu_ns"`
	Ops       history.Counts `json:"ops"`
	// Memory is the most that one run's process had, in bytes.
	Memory int64 `json:"memory_bytes"`
	// Elections counts lost leaders, Restarts processes that came back, Entries what replicas applied, Compared states that were
	// compared with another replica's, and Lost committed entries that were lost with the power of a majority in durability interval.
	Elections int `json:"leader_losses"`
	Restarts  int `json:"restarts"`
	Entries   int `json:"entries"`
	Compared  int `json:"digests_compared"`
	Lost      int `json:"lost_entries"`
	Messages  int `json:"messages"`
	// Repeated runs were done twice, as Farm.Twice asks for, of which Same did the same again.
	Repeated int `json:"repeated"`
	Same     int `json:"same"`
	// First and Last are the smallest and the largest seed.
	First uint64 `json:"first_seed"`
	Last  uint64 `json:"last_seed"`
	// Families has a row per kind of faults, in the order of Families, and then "none".
	Families []FamilySummary `json:"families"`
}

// FamilySummary adds up the runs in which a kind of faults was switched on.
type FamilySummary struct {
	Name      string        `json:"name"`
	Runs      int           `json:"runs"`
	Violated  int           `json:"violated"`
	Simulated time.Duration `json:"simulated_ns"`
	Ops       int64         `json:"ops"`
	Elections int           `json:"leader_losses"`
	// Faults were done, Bit of them had an effect that was seen.
	Faults int `json:"faults"`
	Bit    int `json:"bit"`
}

// none is the row of the runs without faults.
const none = "none"

func newSummary() *Summary {
	s := &Summary{seen: map[string]bool{}, builds: map[string]bool{}}
	for _, f := range Families() {
		s.Families = append(s.Families, FamilySummary{Name: f.Name})
	}
	s.Families = append(s.Families, FamilySummary{Name: none})
	return s
}

// again says that the run has been added, or one that must be the same: of the same plan and build or, where a build is not known, with
// the same trace. A violation never repeats what showed none.
func (s *Summary) again(r Report) bool {
	plan, err := json.Marshal(r.Plan)
	if err != nil {
		panic(err) // plans are plain values
	}
	key := func(what, id string) string { return fmt.Sprintf("%s %s %v %s", what, id, r.OK(), plan) }
	mine, unknown, any := key("build", r.Build), key("unknown", r.Trace), key("trace", r.Trace)
	again := r.Build != "" && s.seen[mine] || r.Trace != "" && (s.seen[unknown] || r.Build == "" && s.seen[any])
	s.seen[mine], s.seen[any] = true, true
	if r.Build == "" {
		s.seen[unknown] = true
	}
	return again
}

func (s *Summary) add(r Report) {
	if s.again(r) {
		s.Repeats++
		return
	}
	if r.Build == "" {
		s.Undated++
	} else if !s.builds[r.Build] {
		s.builds[r.Build] = true
		s.Builds++
	}
	if s.Runs++; s.Runs == 1 {
		s.First, s.Last = r.Plan.Seed, r.Plan.Seed
	}
	s.First, s.Last = min(s.First, r.Plan.Seed), max(s.Last, r.Plan.Seed)
	if !r.OK() {
		s.Violated++
	}
	s.Simulated, s.Real, s.CPU = s.Simulated+r.Simulated, s.Real+r.Real, s.CPU+r.CPU
	s.Ops.Applied, s.Ops.Failed, s.Ops.Unknown = s.Ops.Applied+r.Ops.Applied, s.Ops.Failed+r.Ops.Failed, s.Ops.Unknown+r.Ops.Unknown
	s.Memory = max(s.Memory, r.Memory)
	s.Elections += r.Counts.Elections
	s.Restarts += r.Restarts
	s.Entries += r.Counts.Entries
	s.Compared += r.Counts.Compared
	s.Lost += r.Counts.Lost
	s.Messages += r.Messages
	for i := range s.Families {
		f := &s.Families[i]
		if slices.Contains(r.Plan.Families, f.Name) || f.Name == none && len(r.Plan.Families) == 0 {
			f.add(r)
		}
	}
}

func (f *FamilySummary) add(r Report) {
	f.Runs++
	if !r.OK() {
		f.Violated++
	}
	f.Simulated += r.Simulated
	f.Ops += r.Ops.Total()
	f.Elections += r.Counts.Elections
	for _, x := range r.Faults {
		if x.Family != f.Name {
			continue
		}
		f.Faults++
		if x.Bit {
			f.Bit++
		}
	}
}
