//go:build mutation

package mutants

import (
	"fmt"
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
	// Checkers noticed, the most frequent first.
	Checkers []string `json:"checkers,omitempty"`
	Workload string   `json:"workload"`
	Families []string `json:"families"`
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
	// Test fails without the guard, if there is one.
	Test string `json:"test,omitempty"`
	Why  string `json:"why,omitempty"`
}

// Load makes the table of what dir holds.
func Load(dir string) (t Table, err error) {
	for _, c := range Cases() {
		r, err := load(dir, c)
		if err != nil {
			return t, err
		}
		t.Rows = append(t.Rows, r.row(c))
	}
	return t, nil
}

func (r record) row(c Case) Row {
	out := Row{Guard: c.Guard, Breaks: c.Breaks, Workload: c.Where.Workload, Families: c.Where.Families, Control: r.Control, Alarms: r.Alarms}
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
	for checker := range count {
		out.Checkers = append(out.Checkers, checker)
	}
	slices.SortFunc(out.Checkers, func(a, b string) int {
		if count[a] != count[b] {
			return count[b] - count[a]
		}
		return strings.Compare(a, b)
	})
	slices.Sort(took)
	if out.Found = len(took); out.Found > 0 {
		out.Median, out.Least, out.Most = took[len(took)/2], took[0], took[len(took)-1]
		return out
	}
	out.Why = c.Why
	if c.Test[1] != "" {
		out.Test = strings.TrimPrefix(c.Test[0], "./") + " " + c.Test[1]
	}
	return out
}

// Markdown is the table for the README.
func (t Table) Markdown() string {
	var b strings.Builder
	simulated, tested, control, alarms := 0, 0, 0, 0
	for _, r := range t.Rows {
		if r.Found > 0 {
			simulated++
		} else if r.Test != "" {
			tested++
		}
		control, alarms = control+r.Control, alarms+r.Alarms
	}
	fmt.Fprintf(&b, "%d of %d planted bugs are found: %d by simulation, %d by a test of its own. With all guards on, the same simulations found %d violations in %d histories.\n\n",
		simulated+tested, len(t.Rows), simulated, tested, alarms, control)
	b.WriteString("| guard that is off | what breaks | found by | workload × faults | histories until found, median (least–most) of ranges |\n|---|---|---|---|---|\n")
	for _, r := range t.Rows {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", r.Guard, r.Breaks, r.foundBy(), r.where(), r.took())
	}
	return b.String()
}

func (r Row) foundBy() string {
	switch {
	case r.Found > 0:
		return strings.Join(r.Checkers, ", ")
	case r.Test != "":
		return strings.TrimSuffix("`"+r.Test+"`: "+r.Why, ": ")
	case r.Why != "":
		return "not found: " + r.Why
	}
	return "not found"
}

func (r Row) where() string {
	if r.Families == nil {
		return r.Workload + " × what the seed says"
	}
	return r.Workload + " × " + strings.Join(r.Families, ", ")
}

func (r Row) took() string {
	if r.Tried == 0 {
		return "not simulated"
	}
	if r.Found == 0 {
		return fmt.Sprintf("none in %d", r.Tried)
	}
	found := ""
	if r.Found < r.Ranges {
		found = fmt.Sprintf(", found in %d", r.Found)
	}
	return fmt.Sprintf("%d (%d–%d) of %d%s", r.Median, r.Least, r.Most, r.Ranges, found)
}
