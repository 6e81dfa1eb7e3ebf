package trial

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/quorate/quorate/jepsen/check"
	"github.com/quorate/quorate/jepsen/nemesis"
	"github.com/quorate/quorate/jepsen/workload"
)

// Word is the verdict in one: ok, void (nothing was tested), incomplete (something that is needed to judge is missing), or VIOLATION.
func (v Verdict) Word() string {
	found, damaged := false, false
	for _, r := range v.Results {
		damaged = damaged || !r.OK && r.Checker == folder
		found = found || !r.OK && r.Checker != folder && r.Checker != "faults" && r.Checker != "load"
	}
	switch {
	case v.OK:
		return "ok"
	case damaged && !found:
		return "incomplete"
	case v.Void && !found:
		return "void"
	}
	return "VIOLATION"
}

// where is the cluster.
func (c Config) where() string {
	if len(c.Cluster) > 0 {
		return "the cluster at " + strings.Join(c.Cluster, ",")
	}
	out := fmt.Sprintf("%d nodes", c.Nodes)
	if c.System == redis {
		out += " of Redis"
	}
	if c.Network {
		out += " in network namespaces"
	}
	return out
}

// String is the verdict for people.
func (v Verdict) String() string {
	var b strings.Builder
	word := v.Word()
	fmt.Fprintf(&b, "%s: %s × %s, seed %d, %s, %s, %d clients\n", word, v.Workload, strings.Join(v.Nemesis, ","), v.Seed, v.Duration, v.where(), v.Clients)
	fmt.Fprintf(&b, "%d operations: %d applied, %d failed, %d unknown; %d faults, %d bit; judged in %s\n",
		v.Ops.Total(), v.Ops.Applied, v.Ops.Failed, v.Ops.Unknown, v.Faults, v.Bit, v.Checking.Round(time.Millisecond))
	lost, back := v.Counts()
	fmt.Fprintf(&b, "toll: %d writes acknowledged, %s lost; %s stale reads, %s of values that had gone; an object was silent for %s at most\n",
		v.Toll.Acknowledged, counted(v.Toll.Lost, lost), counted(v.Toll.Stale, back), counted(v.Toll.Returned, back), v.Toll.Silence.Round(time.Millisecond))
	if v.Patched != "" {
		fmt.Fprintf(&b, "from the logs: %s\n\n", v.Patched)
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, r := range v.Results {
		mark := "ok"
		if !r.OK {
			mark = "FAIL"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", mark, r.Checker, r.Text)
		if r.Picture != "" {
			fmt.Fprintf(w, "\t\tpicture: %s\n", r.Picture)
		}
	}
	w.Flush()
	if len(v.Recovery) > 0 {
		fmt.Fprintf(w, "\nFAULT\tFIRST SUCCESS AFTER IT\tAFTER HEALING\tLONGEST SILENCE\n")
		for _, r := range v.Recovery {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.Fault, waited(r.FromInject), waited(r.FromHeal), waited(r.Silence))
		}
		w.Flush()
	}
	return b.String()
}

// Counts says of what the workload lets the toll be counted: lost writes where lists or sums keep all of them, reads that go back where
// each write replaces the one before.
func (c Config) Counts() (lost, back bool) {
	spec, known := workload.Named(c.Workload)
	if !known {
		return false, false
	}
	rules := spec.Rules(workload.Conditions{})
	return rules.Lists || rules.Sums, rules.Model != nil && rules.Model.Name == check.Register
}

func counted(n int, can bool) string {
	if !can {
		return "–"
	}
	return fmt.Sprint(n)
}

func waited(d time.Duration) string {
	if d < 0 {
		return "never"
	}
	return d.Round(time.Millisecond).String()
}

// Workloads are the names and purposes of all workloads, Faults those of all faults.
func Workloads() (out [][2]string) {
	for _, s := range workload.Specs() {
		out = append(out, [2]string{s.Name, s.About})
	}
	return out
}

// Faults are the names and purposes of all faults.
func Faults() (out [][2]string) {
	for _, f := range nemesis.Faults() {
		out = append(out, [2]string{f.Name, f.Family + ": " + f.About})
	}
	return out
}
