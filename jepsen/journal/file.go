package journal

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/quorate/quorate/fsm/slot"
)

func (j *Journal) sort(groups map[slot.GroupID]map[uint64][]Entry) {
	for _, id := range slices.Sorted(maps.Keys(groups)) {
		for _, index := range slices.Sorted(maps.Keys(groups[id])) {
			variants := groups[id][index]
			slices.SortFunc(variants, func(a, b Entry) int { return cmp.Compare(a.Term, b.Term) })
			j.Entries = append(j.Entries, variants...)
		}
	}
	slices.SortFunc(j.Spans, func(a, b Span) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Node, b.Node))
	})
}

// heading is the first value of a file; the entries follow.
type heading struct {
	Nodes []string `json:"nodes"`
	Spans []Span   `json:"spans"`
}

// Save writes the journal to a file, compressed.
func (j *Journal) Save(path string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z := gzip.NewWriter(f)
	defer func() { err = errors.Join(err, z.Close()) }()
	enc := json.NewEncoder(z)
	if err := enc.Encode(heading{j.Nodes, j.Spans}); err != nil {
		return err
	}
	for i := range j.Entries {
		if err := enc.Encode(&j.Entries[i]); err != nil {
			return err
		}
	}
	return nil
}

// Load reads what Save wrote.
func Load(path string) (j *Journal, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	d := json.NewDecoder(z)
	var h heading
	if err := d.Decode(&h); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	j = &Journal{Nodes: h.Nodes, Spans: h.Spans}
	for {
		var e Entry
		switch err := d.Decode(&e); {
		case errors.Is(err, io.EOF):
			return j, j.sorted()
		case err != nil:
			return nil, fmt.Errorf("%s: entry %d: %w", path, len(j.Entries)+1, err)
		}
		j.Entries = append(j.Entries, e)
	}
}

// sorted refuses a journal that Read did not make.
func (j *Journal) sorted() error {
	for i := range j.Entries {
		e := &j.Entries[i]
		if i > 0 && (e.Group < j.Entries[i-1].Group || e.Group == j.Entries[i-1].Group && e.Index < j.Entries[i-1].Index) {
			return fmt.Errorf("journal: entry %d of group %d is out of order", e.Index, e.Group)
		}
		for _, n := range e.Nodes {
			if n < 0 || n >= len(j.Nodes) {
				return fmt.Errorf("journal: entry %d of group %d is of node %d of %d", e.Index, e.Group, n, len(j.Nodes))
			}
		}
	}
	return nil
}
