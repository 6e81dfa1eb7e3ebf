package matrix

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/jepsen/history"
	"github.com/quorate/quorate/jepsen/trial"
)

// What the folder of a matrix holds beside the folders of its histories, and what each of those holds beside what a run leaves.
const (
	fileAccount = "matrix.json"
	fileTables  = "matrix.md"
	fileNote    = "cell.json"
)

// History is what became of a cell.
type History struct {
	Cell
	// Folder is where its run is, within the folder of the matrix.
	Folder string `json:"folder"`
	// Version is the build under test, Again the command that runs it again.
	Version string `json:"version"`
	Again   string `json:"again"`
	// Wall is the time from the start of the processes to the verdict.
	Wall time.Duration `json:"wall_ns"`
	// Error says that the harness failed: there is no verdict.
	Error string `json:"error,omitempty"`
	// Verdict is read from the folder, so that judging again with "jepsen check" corrects the account.
	Verdict trial.Verdict `json:"-"`
}

// Word is the verdict in one: ok, void, incomplete, VIOLATION, or error.
func (h History) Word() string {
	if h.Error != "" {
		return "error"
	}
	return h.Verdict.Word()
}

// Row adds up histories.
type Row struct {
	Name string `json:"name"`
	// Histories have a verdict; the Void ones among them prove nothing, Violations are findings. Errors are of the harness.
	Histories  int `json:"histories"`
	Void       int `json:"void"`
	Violations int `json:"violations"`
	Errors     int `json:"errors"`
	// Ops are the clients' operations. Faults were done, Bit of them could be seen to have been there.
	Ops    history.Counts `json:"ops"`
	Faults int            `json:"faults"`
	Bit    int            `json:"bit"`
	// Seeds were used; every family has its own histories of the same seeds.
	Seeds []uint64 `json:"seeds"`
	// Wall is the sum of the histories' times.
	Wall time.Duration `json:"wall_ns"`
	// Whole are the times from the end of each fault until the cluster was whole, sorted.
	Whole []time.Duration `json:"whole_ns"`
}

func (r *Row) add(h History) {
	r.Wall += h.Wall
	switch h.Word() {
	case "error":
		r.Errors++
		return
	case "void", "incomplete":
		r.Void++
	case "VIOLATION":
		r.Violations++
	}
	v := h.Verdict
	r.Histories++
	r.Ops = history.Counts{Applied: r.Ops.Applied + v.Ops.Applied, Failed: r.Ops.Failed + v.Ops.Failed, Unknown: r.Ops.Unknown + v.Ops.Unknown}
	r.Faults += v.Faults
	r.Bit += v.Bit
	if i, found := slices.BinarySearch(r.Seeds, h.Seed); !found {
		r.Seeds = slices.Insert(r.Seeds, i, h.Seed)
	}
	r.Whole = append(r.Whole, v.Whole...)
	slices.Sort(r.Whole)
}

// Account is the state of a matrix.
type Account struct {
	Total     Row   `json:"total"`
	Families  []Row `json:"families"`
	Nemeses   []Row `json:"nemeses"`
	Workloads []Row `json:"workloads"`
	// Histories are in the order of their folders' names.
	Histories []History `json:"-"`
}

// Load takes the account of a folder.
func Load(dir string) (a Account, err error) {
	a.Total.Name = "all"
	for _, f := range families(true, true) {
		a.Families = append(a.Families, Row{Name: f.name})
		for _, n := range f.faults {
			a.Nemeses = append(a.Nemeses, Row{Name: n})
		}
	}
	for _, w := range workloads() {
		a.Workloads = append(a.Workloads, Row{Name: w})
	}
	return a, a.Include(dir)
}

// Include adds the histories of another folder.
func (a *Account) Include(dir string) error {
	notes, err := filepath.Glob(filepath.Join(dir, "*", fileNote))
	if err != nil {
		return err
	}
	for _, path := range notes {
		h, err := load(path)
		if err != nil {
			return err
		}
		a.add(h)
	}
	return nil
}

func load(path string) (h History, err error) {
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &h)
	}
	if err == nil && h.Error == "" {
		h.Verdict, err = trial.Load(filepath.Dir(path))
	}
	if err != nil {
		return h, fmt.Errorf("%s: %w", path, err)
	}
	return h, nil
}

func (a *Account) add(h History) {
	i, _ := slices.BinarySearchFunc(a.Histories, h, func(x, y History) int { return strings.Compare(x.Folder, y.Folder) })
	a.Histories = slices.Insert(a.Histories, i, h)
	a.Total.add(h)
	for rows, name := range map[*[]Row]string{&a.Families: h.Family, &a.Nemeses: h.Nemesis, &a.Workloads: h.Workload} {
		i := slices.IndexFunc(*rows, func(r Row) bool { return r.Name == name })
		if i < 0 { // of an older build
			i, *rows = len(*rows), append(*rows, Row{Name: name})
		}
		(*rows)[i].add(h)
	}
}

func (a *Account) has(c Cell) bool {
	return slices.ContainsFunc(a.Histories, func(h History) bool { return h.Folder == c.folder() })
}

// Bad says whether something was found, or could not be looked for.
func (a Account) Bad() bool { return a.Total.Violations > 0 || a.Total.Errors > 0 }

// entry is a history in the account's file.
type entry struct {
	History
	Verdict  string         `json:"verdict"`
	Ops      history.Counts `json:"ops"`
	Faults   int            `json:"faults"`
	Bit      int            `json:"bit"`
	Findings []string       `json:"findings,omitempty"`
}

func (h History) entry() entry {
	return entry{History: h, Verdict: h.Word(), Ops: h.Verdict.Ops, Faults: h.Verdict.Faults, Bit: h.Verdict.Bit, Findings: h.Findings()}
}

// Findings are the texts of the checkers that were not content.
func (h History) Findings() (out []string) {
	for _, r := range h.Verdict.Results {
		if !r.OK {
			out = append(out, r.Checker+": "+r.Text)
		}
	}
	return out
}

// save writes the account for machines and for people.
func (a Account) save(dir string) error {
	file := struct {
		Account
		Histories []entry `json:"histories"`
	}{Account: a, Histories: []entry{}}
	for _, h := range a.Histories {
		file.Histories = append(file.Histories, h.entry())
	}
	b, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return err
	}
	err = errors.Join(replace(filepath.Join(dir, fileAccount), append(b, '\n')), replace(filepath.Join(dir, fileTables), []byte(a.Markdown())))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the folder of the matrix is gone: %w", err)
	}
	return err
}
