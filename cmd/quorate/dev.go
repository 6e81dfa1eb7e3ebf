package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/quorate/quorate/rpc/heap"
	"github.com/quorate/quorate/rpc/node"
	"github.com/quorate/quorate/rpc/node/config"
)

type devOptions struct {
	dir                 string
	nodes, groups, port int
	verbose             bool
}

func devCommand() *cobra.Command {
	var o devOptions
	c := &cobra.Command{
		Use:     "dev",
		GroupID: "run",
		Short:   "Run a whole cluster in this process, to try things out",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return runDev(c.Context(), o, c.OutOrStdout())
		},
	}
	c.Flags().StringVar(&o.dir, "data-dir", "", "folder for the nodes' data (default: a temporary one, removed at the end)")
	c.Flags().IntVar(&o.nodes, "nodes", 3, "number of nodes, 1 to 16")
	c.Flags().IntVar(&o.groups, "groups", 0, "shard groups of a new cluster; 0 is one per node")
	c.Flags().IntVar(&o.port, "port", 7001, "client port of the first node; the next ones count up")
	c.Flags().BoolVar(&o.verbose, "verbose", false, "show the nodes' logs, not only warnings")
	return c
}

func runDev(ctx context.Context, o devOptions, out io.Writer) (err error) {
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "quorate-dev-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	}
	var cfg config.Config
	config.Flags(pflag.NewFlagSet("dev", pflag.ContinueOnError), &cfg)
	cfg.Groups = o.groups
	if !o.verbose {
		cfg.LogLevel = "warn"
	}
	level := new(slog.LevelVar)
	log, err := logger(cfg, level)
	if err != nil {
		return err
	}
	go heap.HugePages(ctx, log)
	l, err := node.StartLocal(node.LocalOptions{
		Options: node.Options{Config: cfg, Version: version(), Logger: log, Level: level, Fatal: fatal(log)},
		Dir:     o.dir, Nodes: o.nodes, Port: o.port,
	})
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w\nIs another cluster running? Try --port %d", err, o.port+100)
	}
	if err != nil {
		return err
	}
	go heap.Keep(ctx)
	ready, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err = l.Ready(ready); err == nil {
		sayWhatToTry(out, l, o)
		waitForEnd(ctx, l)
	}
	fmt.Fprintln(out, "\nStopping …")
	stop, cancel := context.WithTimeout(context.Background(), cfg.ShutdownGrace)
	defer cancel()
	return errors.Join(err, l.Stop(stop))
}

// waitForEnd returns at a signal, or when a client said SHUTDOWN to any node.
func waitForEnd(ctx context.Context, l *node.Local) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, n := range l.Nodes() {
		go func() {
			select {
			case <-n.Asked():
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	<-ctx.Done()
}

func sayWhatToTry(out io.Writer, l *node.Local, o devOptions) {
	fmt.Fprintf(out, "Quorate %s: a cluster of %d nodes in this process serves.\n\n", version(), len(l.Nodes()))
	for _, n := range l.Nodes() {
		fmt.Fprintf(out, "  %s  clients %s  data %s/%s\n", n.Identity().Name, n.Identity().Client, o.dir, n.Identity().Name)
	}
	fmt.Fprintf(out, `
Try it with any Redis Cluster client:

  redis-cli -c -p %[1]d set greeting hello
  redis-cli -c -p %[1]d get greeting
  redis-cli --cluster check 127.0.0.1:%[1]d
  %[3]s cluster status --addr 127.0.0.1:%[1]d

Metrics: http://127.0.0.1:%[2]d/metrics
Ctrl-C stops it.
`, o.port, o.port+1000, os.Args[0])
}
