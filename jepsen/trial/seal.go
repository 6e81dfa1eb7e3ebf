package trial

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/jepsen/check"
	"github.com/quorate/quorate/jepsen/journal"
)

// seal says what the folder held when the run had ended, so that what is missing later is missed. It keeps nobody from forging
// a folder: it is for disks that were full, copies that were cut short, and files that were mixed up.
type seal struct {
	// Operations is how many the history has.
	Operations int64 `json:"operations"`
	// SHA256 are the sums of the files by which a run is judged, and of end.json without its own.
	SHA256 map[string]string `json:"sha256"`
}

// evidence are the files by which a run is judged.
func (c Config) evidence() []string {
	files := []string{fileConfig, fileHistory, fileFaults, fileViews}
	if c.ours() {
		files = append(files, fileJournal)
	}
	return files
}

// ours says that the cluster was one of Quorate's that the harness had made, so that there are logs and digests.
func (c Config) ours() bool { return len(c.Cluster) == 0 && c.System != redis }

// seal writes the ending, the last file of a run but for its verdict.
func (o Options) seal(e ending) (err error) {
	e.Sealed.SHA256 = map[string]string{}
	for _, name := range o.evidence() {
		if e.Sealed.SHA256[name], err = sum(filepath.Join(o.Dir, name)); err != nil {
			return err
		}
	}
	if e.Sealed.SHA256[fileEnd], err = e.sum(); err != nil {
		return err
	}
	return writeJSON(filepath.Join(o.Dir, fileEnd), e)
}

func sum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// sum is that of the ending itself, without the files' sums.
func (e ending) sum() (string, error) {
	e.Sealed = &seal{Operations: e.Sealed.Operations}
	b, err := json.Marshal(e)
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:]), err
}

// whole says what is missing of the folder, or is not what the run has left there.
func (c Config) whole(dir string, j *journal.Journal, e ending, operations int64) (check.Result, error) {
	missing, err := c.unsealed(dir, e, operations)
	if c.ours() {
		missing = append(missing, c.lacks(j, e)...)
	}
	r := check.Result{Checker: folder, OK: len(missing) == 0, Text: fmt.Sprintf("it holds what the run has left: %d operations in %d files", operations, len(c.evidence()))}
	if !r.OK {
		r.Text = "not all can be judged: " + strings.Join(missing, "; ")
	}
	return r, err
}

// folder is the name of the checker that finds files to be missing or damaged.
const folder = "folder"

// unsealed compares the folder with its seal.
func (c Config) unsealed(dir string, e ending, operations int64) (missing []string, err error) {
	if e.Sealed == nil {
		return []string{fileEnd + " does not say what the other files held (it is damaged, or the build is an old one), so that nothing shows that the history is whole"}, nil
	}
	if n := e.Sealed.Operations; n != operations {
		missing = append(missing, fmt.Sprintf("%s holds %d of the %d operations that were recorded", fileHistory, operations, n))
	}
	for _, name := range c.evidence() {
		switch got, err := sum(filepath.Join(dir, name)); {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, name+" is missing")
		case err != nil:
			return nil, err
		case e.Sealed.SHA256[name] == "":
			missing = append(missing, fmt.Sprintf("%s has no sum of %s", fileEnd, name))
		case e.Sealed.SHA256[name] != got:
			missing = append(missing, fmt.Sprintf("%s is not what the run has left: changed, cut, or of another run", name))
		}
	}
	got, err := e.sum()
	if err == nil && e.Sealed.SHA256[fileEnd] != got {
		missing = append(missing, fileEnd+" is not what the run has left: changed, or of another build")
	}
	return missing, err
}

// lacks says which nodes and groups nothing is known of, though all that was asked of the cluster at the end was answered.
func (c Config) lacks(j *journal.Journal, e ending) (missing []string) {
	if j == nil {
		missing, j = append(missing, "without "+fileJournal+" nothing is known of the nodes' logs"), &journal.Journal{}
	}
	asked := e.Nemesis == "" && e.LastReads == ""
	for i := range c.Nodes {
		name := fmt.Sprintf("node%d", i+1)
		if len(j.Nodes) > 0 && !slices.Contains(j.Nodes, name) {
			missing = append(missing, fmt.Sprintf("%s lacks the logs of %s", fileJournal, name))
		}
		if asked && !slices.ContainsFunc(e.Held, func(r resources) bool { return r.Node == name }) {
			missing = append(missing, fmt.Sprintf("%s does not say what %s held on to", fileEnd, name))
		}
	}
	if !asked || e.Digests != "" {
		return missing
	}
	if len(e.Said) == 0 {
		return append(missing, fileEnd+" has no replica's digest")
	}
	logs, digests, cut := map[slot.GroupID]int{}, map[slot.GroupID]int{}, map[slot.GroupID]bool{}
	for _, s := range j.Spans {
		logs[s.Group]++
		cut[s.Group] = cut[s.Group] || s.First > 1
	}
	for _, d := range e.Said {
		digests[d.Group]++
	}
	for _, id := range slices.Sorted(maps.Keys(logs)) {
		if id != 0 && digests[id] == 0 {
			missing = append(missing, fmt.Sprintf("%s has no digest of group %d", fileEnd, id))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(digests)) {
		// Of replicas that have left there are more logs; where snapshots cut logs, a replica may have nothing else.
		if logs[id] < digests[id] && !cut[id] {
			missing = append(missing, fmt.Sprintf("%s has the logs of %d of the %d replicas of group %d", fileJournal, logs[id], digests[id], id))
		}
	}
	return missing
}
