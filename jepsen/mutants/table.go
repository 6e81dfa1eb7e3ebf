//go:build mutation

package mutants

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Table is the account of a hunt.
type Table struct {
	Rows []Row `json:"rows"`
}

// Row is one guard's.
type Row struct {
	Guard  string `json:"guard"`
	Breaks string `json:"breaks"`
	// Simulated and Processes are where it was looked for; Processes is nil for most.
	Simulated Hunted  `json:"simulated"`
	Processes *Hunted `json:"processes,omitempty"`
	// Test fails without the guard, if there is one.
	Test string `json:"test,omitempty"`
	Why  string `json:"why,omitempty"`
}

// Hunted is what was found on one ground.
type Hunted struct {
	Workload string   `json:"workload"`
	Faults   []string `json:"faults"`
	// Checkers noticed, the most frequent first.
	Checkers []string `json:"checkers,omitempty"`
	// Ranges were worked through, in Found of them it was found, after Median histories.
	Ranges int `json:"ranges"`
	Found  int `json:"found"`
	Median int `json:"median"`
	// Least and Most are the extremes.
	Least int `json:"least"`
	Most  int `json:"most"`
	// Tried counts all histories without the guard, Control those with it, Alarms what was found in those.
	Tried   int `json:"tried"`
	Control int `json:"control"`
	Alarms  int `json:"alarms"`
}

// Load makes the table of what dir holds.
func Load(dir string) (t Table, err error) {
	o := Options{Dir: dir}
	for _, c := range Cases() {
		row := Row{Guard: c.Guard, Breaks: c.Breaks, Why: c.Why}
		if c.Test[1] != "" {
			row.Test = strings.TrimPrefix(c.Test[0], "./") + " " + c.Test[1]
		}
		r, err := o.simulated(c).load(dir, c.Guard)
		if err != nil {
			return t, err
		}
		row.Simulated = r.hunted(c.Where.Workload, c.Where.Families)
		if g := o.processes(c); g.where != nil {
			r, err := g.load(dir, c.Guard)
			if err != nil {
				return t, err
			}
			h := r.hunted(c.Real.Workload, c.Real.Nemesis)
			row.Processes = &h
		}
		t.Rows = append(t.Rows, row)
	}
	return t, nil
}

func (r record) hunted(workload string, faults []string) Hunted {
	out := Hunted{Workload: workload, Faults: faults, Control: r.Control, Alarms: r.Alarms}
	var took []int
	count := map[string]int{}
	for _, x := range r.Ranges {
		out.Tried += x.Tried
		if !x.Done {
			continue
		}
		out.Ranges++
		if x.Histories > 0 {
			took = append(took, x.Histories)
			count[x.Checker]++
		}
	}
	out.Checkers = slices.SortedFunc(maps.Keys(count), func(a, b string) int {
		return cmp.Or(count[b]-count[a], strings.Compare(a, b))
	})
	slices.Sort(took)
	if out.Found = len(took); out.Found > 0 {
		out.Median, out.Least, out.Most = took[len(took)/2], took[0], took[len(took)-1]
	}
	return out
}

// Markdown is the table for the README.
func (t Table) Markdown() string {
	var b strings.Builder
	var simulated, live, tested int
	var control, alarms [2]int
	for _, r := range t.Rows {
		switch {
		case r.Simulated.Found > 0:
			simulated++
		case r.Processes != nil && r.Processes.Found > 0:
			live++
		case r.Test != "":
			tested++
		}
		control[0], alarms[0] = control[0]+r.Simulated.Control, alarms[0]+r.Simulated.Alarms
		if r.Processes != nil {
			control[1], alarms[1] = control[1]+r.Processes.Control, alarms[1]+r.Processes.Alarms
		}
	}
	fmt.Fprintf(&b, "Histories find %d of %d planted bugs: %d in simulation, %d more in real processes. %d more are shown by the test that is named. "+
		"With all guards on, the same simulations found %d violations in %d histories, the same processes %d in %d.\n\n",
		simulated+live, len(t.Rows), simulated, live, tested, alarms[0], control[0], alarms[1], control[1])
	b.WriteString("| guard that is off | what breaks | found by | simulated: histories until found, median (least–most) of ranges | real processes, likewise |\n|---|---|---|---|---|\n")
	for _, r := range t.Rows {
		live := ""
		if r.Processes != nil {
			live = r.Processes.String()
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", r.Guard, r.Breaks, r.foundBy(), r.Simulated, live)
	}
	return b.String()
}

// foundBy names the checkers, or the test where none of them noticed.
func (r Row) foundBy() string {
	checkers := slices.Clone(r.Simulated.Checkers)
	if r.Processes != nil {
		for _, c := range r.Processes.Checkers {
			if !slices.Contains(checkers, c) {
				checkers = append(checkers, c)
			}
		}
	}
	text := strings.Join(checkers, ", ")
	switch {
	case text != "":
		return text
	case r.Test != "":
		text = "`" + r.Test + "`"
	default:
		text = "not found"
	}
	return strings.TrimSuffix(text+": "+r.Why, ": ")
}

// String says how long it took.
func (h Hunted) String() string {
	where := h.Workload + " × " + cmp.Or(strings.Join(h.Faults, ", "), "what the seed says")
	if h.Found == 0 {
		return fmt.Sprintf("%s: none in %d", where, h.Tried)
	}
	found := ""
	if h.Found < h.Ranges {
		found = fmt.Sprintf(", found in %d", h.Found)
	}
	return fmt.Sprintf("%s: %d (%d–%d) of %d%s", where, h.Median, h.Least, h.Most, h.Ranges, found)
}
