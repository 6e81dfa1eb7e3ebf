package versus

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is what was measured and everything needed to measure it again.
type Report struct {
	// Name tells reports in one file apart.
	Name string `json:"name"`
	// Command is the command line that made the report, Commit that of the program, "+" behind it if there were changes.
	Command string    `json:"command"`
	Commit  string    `json:"commit"`
	Date    time.Time `json:"date"`
	Machine Machine   `json:"machine"`
	// Servers are the systems that were measured.
	Servers []Server `json:"servers"`
	// Notes say how to read the tables.
	Notes []string `json:"notes"`
	// Results are the figures behind Tables.
	Results any     `json:"results"`
	Tables  []Table `json:"-"`
	// Partial, if not empty, says what ended the measurement early: Results are what was measured before.
	Partial string `json:"partial,omitempty"`
}

// Server says how one system was run.
type Server struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	Version string `json:"version"`
	// Command is the first server's command line; DIR is the data folder, "…" what differs from node to node.
	Command string `json:"command"`
}

// Table is figures for people.
type Table struct {
	// Title, if not empty, is what Markdown folds the table away under: it is for those who want to know more.
	Title  string
	Header []string
	Rows   [][]string
}

// newReport looks at the machine and the program. The disk is probed now, before anything uses it.
func newReport(ctx context.Context, name, command, dir string) Report {
	return Report{Name: name, Command: command, Commit: commit(ctx, debug.ReadBuildInfo), Date: time.Now().UTC().Truncate(time.Second), Machine: ThisMachine(dir)}
}

// ran notes how a system was run, once.
func (r *Report) ran(s System, run *running) {
	if !slices.ContainsFunc(r.Servers, func(v Server) bool { return v.Name == s.Name }) {
		r.Servers = append(r.Servers, Server{Name: s.Name, Title: s.Title, Version: run.version, Command: run.command})
	}
}

// Write prints the report as "text", "json" or "markdown".
func (r Report) Write(w io.Writer, format string) error {
	switch format {
	case "json":
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	case "markdown":
		_, err := io.WriteString(w, r.Markdown())
		return err
	case "text":
		return r.writeText(w)
	}
	return fmt.Errorf("format %q: want text, json or markdown", format)
}

func (r Report) writeText(w io.Writer) error {
	if r.Partial != "" {
		fmt.Fprintf(w, "PARTIAL, as the measurement ended early: %s\n\n", r.Partial)
	}
	for _, t := range r.Tables {
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(tw, strings.Join(t.Header, "\t"))
		for _, row := range t.Rows {
			fmt.Fprintln(tw, strings.Join(row, "\t"))
		}
		if err := tw.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	for _, l := range r.about() {
		if _, err := fmt.Fprintf(w, "%s: %s\n", l[0], l[1]); err != nil {
			return err
		}
	}
	for _, n := range r.Notes {
		fmt.Fprintln(w, n)
	}
	return nil
}

// about are the circumstances as name and text.
func (r Report) about() [][2]string {
	out := [][2]string{
		{"command", r.Command}, {"machine", r.Machine.String()}, {"commit", r.Commit}, {"date", r.Date.Format(time.RFC3339)},
	}
	for _, s := range r.Servers {
		out = append(out, [2]string{s.Name, fmt.Sprintf("%s; %s; %s", s.Title, s.Version, s.Command)})
	}
	return out
}

// Markdown is the report for a README.
func (r Report) Markdown() string {
	var b strings.Builder
	if r.Partial != "" {
		fmt.Fprintf(&b, "**Partial**, as the measurement ended early: %s\n\n", r.Partial)
	}
	for _, t := range r.Tables {
		if t.Title == "" {
			b.WriteString(t.markdown() + "\n")
		}
	}
	fmt.Fprintf(&b, "Measured by `%s` at commit %s (%s).\n\n", r.Command, r.Commit, r.Date.Format(time.DateOnly))
	for _, t := range r.Tables {
		if t.Title != "" {
			b.WriteString(folded(t.Title, t.markdown()))
		}
	}
	return b.String() + folded("Machine, versions and command lines", r.circumstances())
}

// circumstances are what the figures depend on, as Markdown.
func (r Report) circumstances() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s.\n", r.Machine)
	for _, n := range r.Notes {
		b.WriteString(n + "\n")
	}
	b.WriteString("\n")
	for _, s := range r.Servers {
		fmt.Fprintf(&b, "- **%s**: %s; %s; `%s`\n", s.Name, s.Title, s.Version, s.Command)
	}
	return b.String()
}

func folded(title, markdown string) string {
	return "<details>\n<summary>" + title + "</summary>\n\n" + markdown + "\n</details>\n"
}

func (t Table) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(t.Header, " | "), strings.Repeat("---|", len(t.Header)))
	for _, row := range t.Rows {
		fmt.Fprintf(&b, "| %s |\n", strings.ReplaceAll(strings.Join(row, "\x00"), "|", "\\|"))
	}
	return strings.ReplaceAll(b.String(), "\x00", " | ")
}
