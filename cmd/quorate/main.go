// Command quorate is the server and everything an operator needs around it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	if err := root().ExecuteContext(ctx); err != nil {
		if !errors.Is(err, errSilent) {
			fmt.Fprintln(os.Stderr, "quorate:", err)
		}
		os.Exit(1)
	}
}

// errSilent ends the process with status 1 after a command has said itself what is wrong.
var errSilent = errors.New("failed")

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
		Args:          cobra.NoArgs,
	}
	c.SetVersionTemplate("quorate {{.Version}}\n")
	c.AddGroup(
		&cobra.Group{ID: "run", Title: "Run:"},
		&cobra.Group{ID: "operate", Title: "Operate:"},
		&cobra.Group{ID: "measure", Title: "Measure:"},
	)
	c.AddCommand(serverCommand(), devCommand(), demoCommand(), clusterCommand(), groupCommand(), benchCommand(), versionCommand())
	return c
}
