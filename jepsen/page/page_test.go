package page

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/jepsen/check"
	"github.com/quorate/quorate/jepsen/history"
	"github.com/quorate/quorate/jepsen/nemesis"
)

func example() Run {
	s := int64(time.Second)
	r := Run{
		Title: "register × <kill>", Facts: [][2]string{{"again", "quorate jepsen run"}}, Counts: history.Counts{Applied: 4, Failed: 1, Unknown: 1},
		Results:  []check.Result{{Checker: "register", Text: "a stale read"}, {Checker: "leaks", OK: true, Text: "none"}},
		Events:   []nemesis.Event{{Fault: "kill", Victim: "node1", Injected: s, Healed: 3 * s, Whole: 4 * s, Bit: "it was gone", Load: 2.5}, {Fault: "pause", Injected: 5 * s, Healed: 5*s + 1}},
		Recovery: []check.Recovery{{Fault: "kill", FromHeal: 250 * time.Millisecond, Silence: 2 * time.Second}},
		Logs:     []string{"nodes/node1.log"},
	}
	for i := range int64(6) {
		op := history.Op{ID: i + 1, Kind: "set", Key: "k", Call: i * s, Return: i*s + 1e6, Outcome: history.Applied}
		switch i {
		case 2:
			op.Outcome = history.Failed
		case 3:
			op.Outcome = history.Unknown
		}
		r.Ops = append(r.Ops, op)
	}
	return r
}

func write(t *testing.T, r Run) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var svg = regexp.MustCompile(`(?s)<svg.*?</svg>`)

func TestThePageShowsTheRun(t *testing.T) {
	r := example()
	r.Picture, r.PictureFile = `<script>alert("porcupine")</script>`, "violation.html"
	html := write(t, r)
	for _, want := range []string{
		"register × &lt;kill&gt;", "A checker failed", "a stale read", "it was gone", "250ms", "2s", "nodes/node1.log", "whole 1.00 s after kill was healed",
		`srcdoc="&lt;script`, `href="violation.html"`, "it did not", "never",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(html, "<script") || strings.Contains(html, "http://") || strings.Contains(html, "https://") {
		t.Error("the page runs or loads something")
	}
	for name, empty := range map[string]Run{"nothing": {}, "a good run without faults": {OK: true, Ops: example().Ops}} {
		html := write(t, empty)
		if strings.Contains(html, "Faults and recovery") || strings.Contains(html, "porcupine") {
			t.Errorf("%s: the page shows what is not there", name)
		}
	}
}

func TestChartsAreWellFormed(t *testing.T) {
	for name, r := range map[string]Run{"a run": example(), "nothing": {}} {
		plots := svg.FindAllString(write(t, r), -1)
		if len(plots) != 2 {
			t.Fatalf("%s: %d plots", name, len(plots))
		}
		for _, p := range plots {
			if strings.Contains(p, "NaN") || strings.Contains(p, "Inf") {
				t.Errorf("%s: a plot has no place for something: %s", name, p)
			}
			for d := xml.NewDecoder(strings.NewReader(p)); ; {
				if _, err := d.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
		}
	}
}

func TestTheTimelineLosesNothing(t *testing.T) {
	r := example()
	all, _ := timeline(r.Ops, r.Events)
	var sum bucket
	for _, b := range all {
		sum.applied += b.applied
		sum.failed += b.failed
		sum.unknown += b.unknown
		sum.took = append(sum.took, b.took...)
	}
	if sum.applied != 4 || sum.failed != 1 || sum.unknown != 1 || len(sum.took) != 4 {
		t.Errorf("%+v", sum)
	}
}
