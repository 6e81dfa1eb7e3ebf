package trial

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/jepsen/check"
	"github.com/quorate/quorate/jepsen/history"
	"github.com/quorate/quorate/jepsen/nemesis"
)

// What a run's folder holds.
const (
	fileConfig  = "run.json"
	fileHistory = "history.jsonl"
	fileFaults  = "faults.jsonl"
	fileViews   = "views.jsonl"
	fileEnd     = "end.json"
	fileJournal = "journal.json.gz"
	fileVerdict = "verdict.json"
	fileText    = "verdict.txt"
	filePage    = "report.html"
	dirNodes    = "nodes"
)

// ending is what was found when the clients had stopped; empty texts are good.
type ending struct {
	// Nemesis says that the cluster did not become whole after a fault, or that a fault could not be done.
	Nemesis   string `json:"nemesis,omitempty"`
	LastReads string `json:"last_reads,omitempty"`
	Digests   string `json:"digests,omitempty"`
	// Said are the digests of all replicas at the end, the last thing in the logs.
	Said []client.Digest `json:"said,omitempty"`
	// Held is what each node held before the clients came and after they left.
	Held []resources `json:"held,omitempty"`
	// Exits are processes that ended without being told to.
	Exits  []string `json:"exits,omitempty"`
	Sealed *seal    `json:"sealed,omitempty"`
}

// notes are the timeline and the views of a run, written as they come. The first error is kept.
type notes struct {
	mu            sync.Mutex
	faults, views *os.File
	now           Progress
	err           error
}

// open opens what takes a run down as it goes: the history, the timeline and the views.
func (o Options) open() (w *history.Writer, n *notes, closed func() error, err error) {
	var files []*os.File
	for _, name := range []string{fileHistory, fileFaults, fileViews} {
		f, err := os.Create(filepath.Join(o.Dir, name))
		if err != nil {
			return nil, nil, nil, errors.Join(err, closeAll(files))
		}
		files = append(files, f)
	}
	w, n = history.NewWriter(files[0]), &notes{faults: files[1], views: files[2]}
	return w, n, func() error { return errors.Join(w.Flush(), n.err, closeAll(files)) }, nil
}

func closeAll(files []*os.File) (err error) {
	for _, f := range files {
		err = errors.Join(err, f.Close())
	}
	return err
}

func (n *notes) fault(e nemesis.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.now.Faults++
	if e.Bit != "" {
		n.now.Bit++
	}
	n.err = errors.Join(n.err, json.NewEncoder(n.faults).Encode(e))
}

func (n *notes) view(v check.View) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.err = errors.Join(n.err, json.NewEncoder(n.views).Encode(v))
}

func (n *notes) stage(what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.now.Stage = what
}

func (n *notes) progress() Progress {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.now
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

func readJSON(path string, into any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// eachLine decodes a file of JSON lines; one that is not there has none.
func eachLine[T any](path string, visit func(T)) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	for d := json.NewDecoder(bufio.NewReader(f)); ; {
		var v T
		switch err := d.Decode(&v); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", path, err)
		}
		visit(v)
	}
}
