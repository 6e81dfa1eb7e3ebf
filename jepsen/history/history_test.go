package history

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/quorate/quorate/client"
)

func TestHistorySurvivesAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.jsonl")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := NewWriter(f)
	want := []Op{
		{Process: 1, Kind: "set", Key: "k", Args: []string{"\x00 ü\n"}, Reply: []*string{new("OK")}, Call: 1, Return: 2, Outcome: Applied},
		{Process: 2, Kind: "get", Key: "k", Reply: []*string{nil, new("")}, Call: 1, Return: 3, Outcome: Applied},
		{Process: 2, Kind: "set", Key: "k", Args: []string{"2"}, Call: 4, Return: 5, Outcome: Unknown, Error: "UNCERTAIN"},
		{Process: 9, Kind: "set", Key: "k", Args: []string{"3"}, Call: 4, Return: 5, Outcome: Failed},
	}
	for i := range want {
		w.Add(want[i])
		want[i].ID = int64(i + 1)
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		t.Fatal(err)
	}
	got, err := ReadFile(path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if c := w.Counts(); c != (Counts{2, 1, 1}) {
		t.Errorf("counts are %+v", c)
	}
}

func TestIDsAreUniqueAcrossProcesses(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	var wg sync.WaitGroup
	for p := range 8 {
		wg.Go(func() {
			for range 100 {
				w.Add(Op{Process: p, Kind: "get", Key: "k", Outcome: Applied})
			}
		})
	}
	wg.Wait()
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := Read(&b, func(Op) error { n++; return nil }); err != nil || n != 800 {
		t.Errorf("%d operations, %v", n, err)
	}
}

func TestReadRefusesWhatIsNoHistory(t *testing.T) {
	ok := `{"id":1,"kind":"get","key":"k","call":1,"return":2,"outcome":"applied"}` + "\n"
	for name, in := range map[string]string{
		"an ID twice":              ok + ok,
		"returning before called":  strings.Replace(ok, `"return":2`, `"return":0`, 1),
		"an outcome of its own":    strings.Replace(ok, "applied", "perhaps", 1),
		"no kind":                  strings.Replace(ok, `"get"`, `""`, 1),
		"half a line":              ok[:20],
		"a line without end":       `"` + strings.Repeat("x", maxLine+1),
		"more than can be checked": strings.Replace(ok, `"id":1`, `"id":5000001`, 1),
	} {
		if err := Read(strings.NewReader(in), func(Op) error { return nil }); err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestWriterKeepsItsFirstError(t *testing.T) {
	w := NewWriter(broken{})
	for range 10 {
		w.Add(Op{Kind: "get", Key: strings.Repeat("k", 20<<10), Outcome: Applied})
	}
	if err := w.Flush(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v: a history that was not written must not look complete", err)
	}
}

func TestOutcomesAreTruthful(t *testing.T) {
	for err, want := range map[error]Outcome{
		nil: Applied,
		&client.ReplyError{Text: "UNCERTAIN maybe"}:            Unknown,
		&client.ReplyError{Text: "CLUSTERDOWN"}:                Failed,
		&client.NotSentError{Err: errors.New("refused")}:       Failed,
		&client.NoReplyError{Err: errors.New("reset by peer")}: Unknown,
	} {
		if got := OutcomeOf(err); got != want {
			t.Errorf("%v: got %v, want %v", err, got, want)
		}
	}
	if (Op{Return: 7, Outcome: Unknown}).End() != Forever || (Op{Return: 7, Outcome: Applied}).End() != 7 {
		t.Error("an unknown operation can take effect at any later time, an applied one can't")
	}
	if (Op{Return: 7, Until: 9, Outcome: Unknown}).End() != 9 {
		t.Error("an unknown operation that is in a log took effect before what is behind it")
	}
}
