package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/quorate/quorate/jepsen/versus"
)

// reportFlags are what all commands have that start systems and report figures.
type reportFlags struct {
	output, into   string
	section        string
	dir            string
	port           int
	redis, quorate string
}

func (f *reportFlags) register(p *pflag.FlagSet, port int) {
	p.StringVarP(&f.output, "output", "o", "text", "text, json or markdown")
	p.StringVar(&f.into, "write", "", "also replace what stands between the report's markers in this Markdown file")
	p.StringVar(&f.section, "section", "", "name between the markers in that file (default: the report's own)")
	p.StringVar(&f.dir, "dir", "", "existing folder for data; what it holds is measured too, so not a RAM disk (default: a temporary one)")
	p.IntVar(&f.port, "port", port, "first of sixty ports; those 1000 and 10000 above are used too")
	p.StringVar(&f.quorate, "quorate-flags", "", "more flags of every quorate server")
}

// registerRedis adds what only commands have that can start Redis.
func (f *reportFlags) registerRedis(p *pflag.FlagSet) {
	p.StringVar(&f.redis, "redis-flags", "", "more flags of every redis-server")
}

// maxPorts is how many ports systems take from the first one on.
const maxPorts = 60

// check refuses what can't be printed or written, before anything starts.
func (f *reportFlags) check(section string) error {
	if err := errors.Join(oneOf(f.output, "text", "json", "markdown"), checkPort(f.port, maxPorts)); err != nil {
		return err
	}
	if f.into != "" {
		return versus.CheckMarkers(f.into, section)
	}
	if f.section != "" {
		return errors.New("--section names a place in the file of --write: give that too")
	}
	return nil
}

// run makes a report called name in a folder of its own and prints it.
func (f *reportFlags) run(c *cobra.Command, name string, measure func(context.Context, versus.Site) (versus.Report, error)) error {
	section := cmp.Or(f.section, name)
	if err := f.check(section); err != nil {
		return err
	}
	var r versus.Report
	var failure error
	err := inFolder(c.Context(), f.dir, "quorate-bench-", func(binary, dir string) error {
		r, failure = measure(c.Context(), versus.Site{
			Binary: binary, Dir: dir, Port: f.port, RedisFlags: strings.Fields(f.redis), QuorateFlags: strings.Fields(f.quorate),
		})
		return failure
	})
	return errors.Join(err, f.publish(c, section, r, failure))
}

// publish prints what was measured before a failure, or all of it: only then does it belong in a document, too.
func (f *reportFlags) publish(c *cobra.Command, section string, r versus.Report, failure error) error {
	if r.Results == nil {
		return nil
	}
	if failure != nil {
		r.Partial = failure.Error()
	}
	err := r.Write(c.OutOrStdout(), f.output)
	if f.into == "" || failure != nil {
		return err
	}
	return errors.Join(err, versus.WriteInto(f.into, section, r.Markdown()))
}

// progress prints lines for people while something is measured.
func progress(c *cobra.Command) func(string, ...any) {
	return func(format string, args ...any) { fmt.Fprintf(c.ErrOrStderr(), format+"\n", args...) }
}

// thisCommand is the command line as it was typed, without the password.
func thisCommand() string { return withoutPassword(os.Args) }

func withoutPassword(args []string) string {
	var out []string
	for i, a := range args {
		if a == "" || strings.ContainsAny(a, " \t'\"$*?|&;<>()") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		switch {
		case i == 0:
			a = "quorate"
		case args[i-1] == "--password":
			a = "…"
		case strings.HasPrefix(args[i], "--password="):
			a = "--password=…"
		}
		out = append(out, a)
	}
	return strings.Join(out, " ")
}
