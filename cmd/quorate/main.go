// Command quorate is the server and everything an operator needs around it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	if len(os.Args) == 3 && os.Args[2] == simChild {
		simulateJob() // before anything else has started a goroutine
	}
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	defer stop()
	context.AfterFunc(ctx, func() {
		// A terminal that goes away says so twice, once itself and once through its shell.
		signal.Ignore(syscall.SIGHUP)
		stop() // a second signal of any other kind ends the process at once
	})
	if err := root().ExecuteContext(ctx); err != nil {
		if !errors.Is(err, errSilent) {
			fmt.Fprintln(os.Stderr, "quorate:", err)
		}
		os.Exit(1)
	}
}

// endings are the signals that end a command in order. A terminal that goes away is one, but not for what nohup started: to be told of a
// signal is to ignore it no more.
func endings() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// errSilent ends the process with status 1 after a command has said itself what is wrong.
var errSilent = errors.New("failed")

// group makes c a command of subcommands only: alone it shows its help, and anything else is a mistake, which scripts must
// notice. (Cobra would show the help and end with status 0.)
func group(c *cobra.Command) {
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		text := fmt.Sprintf("unknown command %q for %q", args[0], c.CommandPath())
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			text += ", did you mean " + strings.Join(near, " or ") + "?"
		}
		return errors.New(text + " See " + c.CommandPath() + " --help")
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	c.SuggestionsMinimumDistance = 2
}

func root() *cobra.Command {
	c := &cobra.Command{
		Use:   "quorate",
		Short: "A strongly consistent cache cluster that speaks the Redis Cluster protocol",
		Long: `Quorate is an in-memory cache cluster that speaks the Redis Cluster protocol and is strongly consistent:
an acknowledged write survives the loss of any minority of replicas, and every read sees it.

Try it:   quorate dev          then   redis-cli -c -p 7001
Watch it: quorate demo`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	group(c)
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		if strings.Contains(err.Error(), "--mutation") {
			return fmt.Errorf("%w: %s", err, onlyWeakened)
		}
		return err
	})
	c.SetVersionTemplate("quorate {{.Version}}\n")
	c.AddGroup(
		&cobra.Group{ID: "run", Title: "Run:"},
		&cobra.Group{ID: "operate", Title: "Operate:"},
		&cobra.Group{ID: "measure", Title: "Measure:"},
	)
	c.AddCommand(serverCommand(), devCommand(), demoCommand(), clusterCommand(), groupCommand(), benchCommand(), jepsenCommand(), versionCommand())
	return c
}
