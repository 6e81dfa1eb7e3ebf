package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ReadSummary adds up the runs that farms have kept in a folder.
func ReadSummary(dir string) (Summary, error) {
	file, err := os.Open(filepath.Join(dir, runsFile))
	if err != nil {
		return Summary{}, err
	}
	defer file.Close()
	s := newSummary()
	for lines := json.NewDecoder(file); ; {
		var r Report
		switch err := lines.Decode(&r); {
		case errors.Is(err, io.EOF):
			return *s, nil
		case err != nil:
			return *s, fmt.Errorf("%s: run %d: %w", file.Name(), s.Runs+s.Repeats+1, err)
		}
		s.add(r)
	}
}

// Markdown is the summary as a sentence and a table.
func (s Summary) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s runs, seeds %d to %d: %s simulated hours in %s of one processor (%.0f times as fast as time), %s operations (%s applied, %s failed, %s unknown), "+
		"%s lost leaders, %s restarted processes, %s entries applied, %s states compared; %s runs with a violation.%s\n\n",
		count(int64(s.Runs)), s.First, s.Last, hours(s.Simulated), tidy(s.CPU), s.Simulated.Seconds()/max(s.CPU.Seconds(), 1e-9),
		count(s.Ops.Total()), count(s.Ops.Applied), count(s.Ops.Failed), count(s.Ops.Unknown),
		count(int64(s.Elections)), count(int64(s.Restarts)), count(int64(s.Entries)), count(int64(s.Compared)), count(int64(s.Violated)), s.origin())
	b.WriteString("| Faults | Runs | Simulated hours | Operations | Leaders lost | Done | Bit | Violations |\n|---|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, f := range s.Families {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %d |\n", f.Name, count(int64(f.Runs)), hours(f.Simulated), count(f.Ops),
			count(int64(f.Elections)), count(int64(f.Faults)), count(int64(f.Bit)), f.Violated)
	}
	return b.String()
}

// origin says what the runs are of, and what was left out.
func (s Summary) origin() string {
	var b strings.Builder
	if s.Builds > 0 {
		fmt.Fprintf(&b, " They are of %s builds.", count(int64(s.Builds)))
	}
	if s.Undated > 0 {
		fmt.Fprintf(&b, " Of %s runs the build was not taken down: such a run is left out as a repeat if one of its plan did the same to the last message.", count(int64(s.Undated)))
	}
	if s.Repeats > 0 {
		fmt.Fprintf(&b, " %s more are repeats, and not counted.", count(int64(s.Repeats)))
	}
	return b.String()
}

// tidy rounds to a second, from ten minutes on to a minute: a short time is not none.
func tidy(d time.Duration) time.Duration {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond)
	case d < 10*time.Minute:
		return d.Round(time.Second)
	}
	return d.Round(time.Minute)
}

func hours(d time.Duration) string {
	if h := d.Hours(); h > 0 && h < 1 {
		return fmt.Sprintf("%.4f", h)
	}
	return fmt.Sprintf("%.1f", d.Hours())
}

// count writes a number with commas.
func count(n int64) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
