package main

import (
	"cmp"
	"context"
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

// run makes a report called name in a folder of its own and prints it.
func (f *reportFlags) run(c *cobra.Command, name string, measure func(context.Context, versus.Site) (versus.Report, error)) error {
	if err := oneOf(f.output, "text", "json", "markdown"); err != nil {
		return err
	}
	section := cmp.Or(f.section, name)
	if f.into != "" {
		if err := versus.CheckMarkers(f.into, section); err != nil {
			return err
		}
	}
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(f.dir, "quorate-bench-")
	if err != nil {
		return err
	}
	r, err := measure(c.Context(), versus.Site{
		Binary: binary, Dir: dir, Port: f.port, RedisFlags: strings.Fields(f.redis), QuorateFlags: strings.Fields(f.quorate),
	})
	if err != nil {
		return fmt.Errorf("%w (logs stay in %s)", err, dir)
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if f.into != "" {
		if err := versus.WriteInto(f.into, section, r.Markdown()); err != nil {
			return err
		}
	}
	return r.Write(c.OutOrStdout(), f.output)
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
