package main

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/jepsen/versus"
)

// onHearing cancels as soon as a text was written.
type onHearing struct {
	text   string
	cancel context.CancelFunc
}

func (h onHearing) Write(p []byte) (int, error) {
	if strings.Contains(string(p), h.text) {
		h.cancel()
	}
	return len(p), nil
}

// temporary lets everything temporary be made in a folder of the test's own.
func temporary(t *testing.T) string {
	t.Setenv("TMPDIR", t.TempDir())
	return os.TempDir()
}

func TestWhatWasMeasuredBeforeCtrlCIsPrinted(t *testing.T) {
	for name, c := range map[string]struct{ line, until, has string }{
		"faults":   {"bench failover --port 22601 --before 10ms --after 10ms", "kill -9 of placement's leader", "kill -9 of a leader"},
		"restarts": {"bench rolling --port 22621 --rounds 9 --between 10ms", "restarted", "rueidis"},
	} {
		tmp := temporary(t)
		ctx, cancel := context.WithCancel(t.Context())
		out, err := quorateHeard(ctx, t, onHearing{c.until, cancel}, strings.Fields(c.line)...)
		cancel()
		if err == nil || !strings.Contains(err.Error(), "data and logs were removed") {
			t.Errorf("%s: %v, want an error that says what became of the logs", name, err)
		}
		if !strings.Contains(out, "PARTIAL") || !strings.Contains(out, c.has) {
			t.Errorf("%s: got\n%s", name, out)
		}
		if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
			t.Errorf("%s left %v behind, %v", name, left, err)
		}
	}
}

// Here somebody else has a port: the logs of the servers say so.
func TestLogsStayWhereTheErrorSays(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:22642")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, line := range map[string]string{
		"faults":   "bench failover --port 22641",
		"restarts": "bench rolling --port 22641",
	} {
		tmp := temporary(t)
		_, err := quorate(t, strings.Fields(line)...)
		logs, _ := filepath.Glob(filepath.Join(tmp, "*", "node2.log"))
		if len(logs) != 1 || err == nil || !strings.Contains(err.Error(), "stay in "+filepath.Dir(logs[0])) {
			t.Errorf("%s: %v; the logs are %v", name, err, logs)
		}
	}
}

// reported runs a report that measure makes, and tells what is printed and what README.md holds then.
func reported(ctx context.Context, t *testing.T, measure func(readme string, s versus.Site) (versus.Report, error)) (out, readme string, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(path, []byte("<!-- idle -->\nbefore\n<!-- /idle -->\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &cobra.Command{}
	var printed strings.Builder
	c.SetOut(&printed)
	c.SetContext(ctx)
	f := reportFlags{output: "text", into: path, port: 7501}
	err = f.run(c, "idle", func(_ context.Context, s versus.Site) (versus.Report, error) { return measure(path, s) })
	text, _ := os.ReadFile(path)
	return printed.String(), string(text), err
}

// figures are a report.
func figures() versus.Report {
	return versus.Report{Name: "idle", Results: []int{42}, Tables: []versus.Table{{Header: []string{"groups"}, Rows: [][]string{{"42"}}}}}
}

func TestFiguresArePrintedEvenIfTheyCannotBeWritten(t *testing.T) {
	temporary(t)
	out, _, err := reported(t.Context(), t, func(readme string, _ versus.Site) (versus.Report, error) {
		return figures(), os.Remove(readme)
	})
	if err == nil || !strings.Contains(out, "42") {
		t.Errorf("%v; printed:\n%s", err, out)
	}
}

func TestAWholeReportIsWritten(t *testing.T) {
	tmp := temporary(t)
	out, readme, err := reported(t.Context(), t, func(string, versus.Site) (versus.Report, error) { return figures(), nil })
	if err != nil || !strings.Contains(out, "42") || !strings.Contains(readme, "42") || strings.Contains(out, "PARTIAL") {
		t.Errorf("%v; printed:\n%s\nwritten:\n%s", err, out, readme)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestAPartialReportIsPrintedAndNotWritten(t *testing.T) {
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx   context.Context
		stays bool
	}{
		"a late failure": {t.Context(), true},
		"Ctrl-C":         {interrupted, false},
	} {
		temporary(t)
		var dir string
		out, readme, err := reported(c.ctx, t, func(_ string, s versus.Site) (versus.Report, error) {
			dir = s.Dir
			return figures(), errors.Join(errors.New("the third pair failed"), os.WriteFile(filepath.Join(dir, "log"), nil, 0o600))
		})
		if err == nil || !strings.Contains(out, "PARTIAL") || !strings.Contains(out, "42") || !strings.Contains(out, "the third pair failed") {
			t.Errorf("%s: %v; printed:\n%s", name, err, out)
		}
		if !strings.Contains(readme, "before") {
			t.Errorf("%s: written:\n%s", name, readme)
		}
		if _, err := os.Stat(dir); (err == nil) != c.stays {
			t.Errorf("%s: the folder with the logs: %v", name, err)
		}
	}
}

// A violation's logs are worth keeping even if somebody has had enough of it.
func TestLogsOfAViolationStayAfterCtrlC(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var dir string
	err := inFolder(ctx, t.TempDir(), "quorate-", func(_, in string) error {
		dir = in
		return errors.Join(ctx.Err(), finding("1 violations"), os.WriteFile(filepath.Join(dir, "log"), nil, 0o600))
	})
	if _, gone := os.Stat(dir); gone != nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("%v, %v", gone, err)
	}
}
